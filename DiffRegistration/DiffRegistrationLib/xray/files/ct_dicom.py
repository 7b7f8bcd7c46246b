"""A CT from the slices of a DICOM series, each where the scanner says it lies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64

from ..errors import InputError
from ..provenance import Provenance
from .dicom_series import (
    ENHANCED_CT_STORAGE,
    Series,
    SliceFile,
    choose_series,
    optional_number,
    read_tags,
)
from .hounsfield_volume import AIR_HOUNSFIELD, HounsfieldVolume
from .slice_planes import SlicePlanes
from .xray_dicom import is_localizer, values_unquoted

if TYPE_CHECKING:
    from pydicom import Dataset

_THREADS = 4
# Types of rescaled values that are Hounsfield units; HU_MOD is a scanner's corrected HU.
_HOUNSFIELD_TYPES = ("HU", "HU_MOD")


def read_dicom_folder(folder: Path, series: str | None = None) -> HounsfieldVolume:
    """The CT series of a folder in HU, on a right-angled even grid. InputError says what stands in the way."""
    chosen = choose_series(folder, series)
    _check_alike(chosen)
    planes, slices = _ordered(chosen)
    planes.check(chosen.slices[0].path.parent)
    for one in slices:
        _check_rescale_type(one)
    volume = planes.straightened(_hounsfield(slices))
    return HounsfieldVolume(volume.hounsfield, volume.lps_from_voxel, (*_origins(chosen, planes), *volume.provenance))


def refuse_single_file(path: Path) -> InputError:
    """The error for one DICOM file given as a CT: what it is, and what to give instead."""
    header = read_tags(path)
    modality = str(header.get("Modality") or "unknown")
    if is_localizer(header):
        return InputError(
            path,
            "this is a CT localizer (scout), an X-ray rather than a CT",
            "Give it as the X-ray, and the folder of the CT's slices as the CT.",
        )
    if header.get("SOPClassUID") in ENHANCED_CT_STORAGE:
        return InputError(
            path, "enhanced (multi-frame) CT is not read", "Load it in 3D Slicer and save it as NRRD, then give that."
        )
    if modality != "CT":
        return InputError(path, f"its modality is {modality}, expected CT", "Give the folder of a CT's slices.")
    return InputError(path, "this is one slice of a CT", f"Give the folder that holds all slices: {path.parent}")


def _check_alike(series: Series) -> None:
    """InputError when slices of one series differ in size, spacing or orientation."""
    first = series.slices[0]
    for one in series.slices:
        size = (_number(one, "Columns"), _number(one, "Rows"))
        expected = (_number(first, "Columns"), _number(first, "Rows"))
        for what, tag, found, wanted, tolerance in (
            ("size", "Columns, Rows", size, expected, 0.0),
            (
                "pixel spacing",
                "PixelSpacing",
                _numbers(one, "PixelSpacing", 2),
                _numbers(first, "PixelSpacing", 2),
                1e-4,
            ),
            (
                "orientation",
                "ImageOrientationPatient",
                _numbers(one, "ImageOrientationPatient", 6),
                _numbers(first, "ImageOrientationPatient", 6),
                1e-3,
            ),
        ):
            if not np.allclose(found, wanted, rtol=0, atol=tolerance):
                raise InputError(
                    one.path,
                    f"the slice has another {what} ({tag} {_listed(found)}) than {first.path.name} has "
                    f"({_listed(wanted)})",
                    "Put each reconstruction into its own folder.",
                )


def _ordered(series: Series) -> tuple[SlicePlanes, list[SliceFile]]:
    """The series' planes and its files, both along the normal."""
    first = series.slices[0]
    cosines = _numbers(first, "ImageOrientationPatient", 6)
    row_axis, column_axis = (axis / max(np.linalg.norm(axis), 1e-9) for axis in (cosines[:3], cosines[3:]))
    if not (
        np.allclose(np.linalg.norm(cosines.reshape(2, 3), axis=1), 1, atol=1e-2) and abs(row_axis @ column_axis) < 1e-3
    ):
        raise InputError(
            first.path,
            f"ImageOrientationPatient {_listed(cosines)} is not two unit vectors at right angles",
            "Export the series again.",
        )
    between_rows, between_columns = _numbers(first, "PixelSpacing", 2)
    if not min(between_rows, between_columns) > 0:
        raise InputError(
            first.path,
            f"PixelSpacing is {between_rows:g} × {between_columns:g} mm, expected two positive lengths",
            "Export the series again with its true pixel spacing.",
        )
    positions = np.array([_numbers(one, "ImagePositionPatient", 3) for one in series.slices])
    order = np.argsort(positions @ np.cross(row_axis, column_axis), kind="stable")
    planes = SlicePlanes(positions[order], row_axis, column_axis, (float(between_columns), float(between_rows)))
    return planes, [series.slices[k] for k in order]


def _hounsfield(slices: list[SliceFile]) -> Float32[np.ndarray, "slices rows columns"]:
    header = slices[0].header
    hounsfield = np.empty((len(slices), header.Rows, header.Columns), np.float32)

    def fill(place: int) -> None:
        _read_slice(slices[place], hounsfield[place])

    with values_unquoted(), ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(fill, range(len(slices))))
    return hounsfield


def _read_slice(one: SliceFile, target: Float32[np.ndarray, "rows columns"]) -> None:
    """One slice in HU into `target`; padding and whatever is lighter than air become air."""
    import pydicom

    try:
        stored = pydicom.dcmread(one.path).pixel_array
    except Exception as error:
        raise InputError(
            one.path, "the pixels cannot be decoded; the file is cut short or damaged", "Copy or export it again."
        ) from error
    if stored.shape != target.shape:
        raise InputError(
            one.path,
            f"pixels of shape {stored.shape}, expected one grey image of {target.shape[0]} × {target.shape[1]}",
            "Give the CT's own grey slices, not captures of the screen.",
        )
    slope, intercept = _rescale(one)
    np.multiply(stored, np.float32(slope), out=target, casting="unsafe")
    target += np.float32(intercept)
    padding = _padding(one.header)
    if padding and max(padding) * slope + intercept > AIR_HOUNSFIELD:
        target[(stored >= padding[0]) & (stored <= padding[1])] = AIR_HOUNSFIELD
    np.maximum(target, np.float32(AIR_HOUNSFIELD), out=target)


def _rescale(one: SliceFile) -> tuple[float, float]:
    slope, intercept = (
        default if one.header.get(tag) is None else _number(one, tag)
        for tag, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
    )
    return slope, intercept


def _padding(header: Dataset) -> tuple[int, int] | None:
    """Lowest and highest stored value that mean "nothing was measured here"."""
    value = header.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = header.get("PixelPaddingRangeLimit")
    limit = limit if isinstance(limit, int) else value
    return min(value, limit), max(value, limit)


def _check_rescale_type(one: SliceFile) -> None:
    kind = str(one.header.get("RescaleType") or "HU").upper()
    if kind not in _HOUNSFIELD_TYPES:
        raise InputError(
            one.path,
            f"RescaleType is {kind}, expected HU: the values are no Hounsfield units",
            "Choose the reconstruction in Hounsfield units, not a spectral or material map.",
        )


def _origins(series: Series, planes: SlicePlanes) -> tuple[Provenance, ...]:
    header = series.slices[0].header
    gaps = np.diff(planes.heights)
    spacing = f"{gaps.mean():.3f}" if np.ptp(gaps) < 0.01 else f"{gaps.min():.3f} to {gaps.max():.3f}"
    lines = [
        Provenance("CT", series.summary, "DICOM headers"),
        Provenance(
            "pixel size", f"{planes.pixel_size[0]:.4f} × {planes.pixel_size[1]:.4f} mm", "PixelSpacing, columns first"
        ),
        Provenance("slice spacing", f"{spacing} mm", "ImagePositionPatient along the slices' normal"),
        Provenance(
            "orientation", _listed(_numbers(series.slices[0], "ImageOrientationPatient", 6)), "ImageOrientationPatient"
        ),
    ]
    if header.get("RescaleSlope") is None or header.get("RescaleIntercept") is None:
        lines.append(
            Provenance("Hounsfield units", "stored values", "RescaleSlope or RescaleIntercept is absent", True)
        )
    else:
        slope, intercept = _rescale(series.slices[0])
        lines.append(
            Provenance("Hounsfield units", f"{slope:g} × stored {intercept:+g}", "RescaleSlope, RescaleIntercept")
        )
    voltage = optional_number(header, "KVP")
    if voltage:
        lines.append(Provenance("tube voltage", f"{voltage:g} kV", "KVP"))
    padding = _padding(header)
    if padding:
        stored = f"{padding[0]}" if padding[0] == padding[1] else f"{padding[0]} to {padding[1]}"
        lines.append(Provenance("padding", f"stored {stored} read as air", "PixelPaddingValue"))
    tilt = optional_number(header, "GantryDetectorTilt")
    if tilt:
        lines.append(Provenance("gantry tilt", f"{tilt:g}°", "GantryDetectorTilt; the slices' positions decide"))
    return tuple(lines)


def _numbers(one: SliceFile, tag: str, count: int) -> Float64[np.ndarray, "count"]:
    """The `count` finite numbers of a tag. InputError when it is absent or holds something else."""
    try:
        value = one.header.get(tag)
        numbers = np.array([] if value is None else value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if len(numbers) != count or not np.isfinite(numbers).all():
        found = (
            "is absent or unreadable"
            if not len(numbers)
            else f"does not hold {count} number{'s' if count > 1 else ''}"
        )
        raise InputError(one.path, f"{tag} {found}", "Export the series again as original CT slices.")
    return numbers


def _number(one: SliceFile, tag: str) -> float:
    return float(_numbers(one, tag, 1)[0])


def _listed(numbers: object) -> str:
    return "\\".join(f"{number:g}" for number in np.asarray(numbers, dtype=np.float64))
