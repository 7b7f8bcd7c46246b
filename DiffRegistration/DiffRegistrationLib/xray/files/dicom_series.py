"""The CT series of a folder: found by their headers alone, told apart, and one of them chosen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .xray_dicom import is_dicom, is_localizer, values_unquoted

if TYPE_CHECKING:
    from pydicom import Dataset

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT_STORAGE = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
_DIRECTORY_STORAGE = "1.2.840.10008.1.3.10"
_UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_TAGS = (
    *_UIDS,
    "SeriesNumber",
    "Modality",
    "ImageType",
    "ConvolutionKernel",
    "KVP",
    "GantryDetectorTilt",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelRepresentation",
)
_LISTED_MODALITIES = 6
# A DICOM file begins with 128 free bytes and its mark of four.
_SHORTEST = 132


@dataclass(frozen=True)
class SliceFile:
    """One DICOM file and the part of its header that a volume needs."""

    path: Path
    header: Dataset


@dataclass(frozen=True)
class Series:
    """The slices of one CT series, in no particular order; `number` is empty where the file gives none."""

    number: str
    slices: tuple[SliceFile, ...]

    @property
    def summary(self) -> str:
        """Number, modality, slices, size and kernel: enough to choose by, nothing of the patient."""
        header = self.slices[0].header
        kernel = header.get("ConvolutionKernel")
        kernel = kernel if isinstance(kernel, str | None) else "/".join(kernel)
        return (
            f"series {self.number or '(no number)'}: {header.get('Modality', 'CT')}, {len(self.slices)} slices, "
            f"{header.get('Columns')} × {header.get('Rows')}" + (f", kernel {kernel}" if kernel else "")
        )


def read_slice_header(path: Path) -> Dataset:
    """The tags of a DICOM file that tell its series and place, without its pixels. InputError when it is broken."""
    header = read_tags(path)
    # Every image and report belongs to a series; a header that ends before it says so was cut.
    if not header.get("SeriesInstanceUID") and not _is_directory(header):
        raise _broken(path)
    return header


def read_tags(path: Path) -> Dataset:
    """As `read_slice_header`, also of a file that names no series; tags that cannot be understood are left out."""
    import pydicom

    try:
        with values_unquoted():
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
            # Values are looked at when first asked for: now, while none can be quoted.
            for tag in _TAGS:
                _drop_what_cannot_be_read(header, tag)
            _drop_what_cannot_be_read(header.file_meta, "MediaStorageSOPClassUID")
    except Exception as error:
        raise _broken(path) from error
    return header


def optional_number(header: Dataset, tag: str) -> float | None:
    """The finite number of a tag that nothing depends on; None where there is none."""
    try:
        number = float(header.get(tag))
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None


def _drop_what_cannot_be_read(header: Dataset, tag: str) -> None:
    try:
        header.get(tag)
    except Exception:
        del header[tag]


def _broken(path: Path) -> InputError:
    return InputError(
        path, "the DICOM header cannot be read; the file is cut short or damaged", "Copy or export it again."
    )


def find_series(folder: Path) -> list[Series]:
    """The CT series in a folder and below, by number; localizers, reports and other modalities left out.

    InputError when there is none, saying what was found instead.
    """
    slices: dict[str, list[SliceFile]] = {}
    other: Counter[str] = Counter()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        try:
            if not is_dicom(path):
                if path.suffix.lower() == ".dcm" and path.stat().st_size < _SHORTEST:
                    raise InputError(path, "the file is empty or cut short", "Copy or export it again.")
                continue
        except OSError as error:
            raise InputError(path, f"cannot be opened: {error.strerror}", "Check the right to read it.") from error
        header = read_slice_header(path)
        if _is_directory(header):
            continue
        kind = header.get("SOPClassUID")
        modality = str(header.get("Modality") or "no modality")
        if is_localizer(header):
            other["CT localizer"] += 1
        elif kind in ENHANCED_CT_STORAGE:
            other["enhanced CT"] += 1
        elif kind == CT_IMAGE_STORAGE and modality == "CT":
            slices.setdefault(str(header.get("SeriesInstanceUID")), []).append(SliceFile(path, header))
        else:
            other[modality if modality != "CT" else "CT report or capture"] += 1
    if not slices:
        raise _nothing(folder, files, other)
    found = [Series(_text(group[0].header.get("SeriesNumber")), tuple(group)) for group in slices.values()]
    return sorted(found, key=lambda series: (_place(series.number), str(series.slices[0].path)))


def series_of_slices(folder: Path) -> list[Series]:
    """Those CT series of a folder that have more than one slice. InputError when there is none."""
    stacks = [series for series in find_series(folder) if len(series.slices) > 1]
    if not stacks:
        raise InputError(
            folder,
            "each CT series in it has one slice, a CT needs several",
            "Give the folder that holds every slice of the scan.",
        )
    return stacks


def choose_series(folder: Path, series: str | None) -> Series:
    """The one CT series of a folder, or that whose number (or place in the list, as in `#2`) is `series`.

    InputError that lists the series when the choice is not clear.
    """
    stacks = series_of_slices(folder)
    listing = "\n".join(f"  #{place} {one.summary}" for place, one in enumerate(stacks, start=1))
    if series is None:
        if len(stacks) == 1:
            return stacks[0]
        raise InputError(
            folder,
            f"it holds {len(stacks)} CT series",
            f"Choose one by its number, for example --series {stacks[0].number or '#1'}:\n{listing}",
        )
    wanted = series.strip()
    matches = [one for one in stacks if one.number == wanted]
    if not matches and wanted.lstrip("#").isdecimal():
        matches = stacks[int(wanted.lstrip("#")) - 1 :][:1] if int(wanted.lstrip("#")) else []
    if len(matches) != 1:
        count = "several" if matches else "no"
        raise InputError(
            f"--series {series}",
            f"{count} CT series of {folder} answer to it",
            f"Choose one by its number, or by its place in this list, for example --series '#1':\n{listing}",
        )
    return matches[0]


def _nothing(folder: Path, files: list[Path], other: Counter[str]) -> InputError:
    if not other:
        return InputError(
            folder,
            f"the folder holds no DICOM file ({len(files)} files looked at)",
            "Give a folder of DICOM slices, or a NRRD, NIfTI or MetaImage file by its name.",
        )
    what = ", ".join(f"{count} × {name}" for name, count in other.most_common(_LISTED_MODALITIES))
    if other["enhanced CT"]:
        remedy = "Enhanced (multi-frame) CT is not read: load it in 3D Slicer and save it as NRRD."
    elif other["CT localizer"]:
        remedy = "A localizer is an X-ray, not a CT: give it as the X-ray, and the folder of the CT's slices here."
    else:
        remedy = "Give the folder that holds the slices of the CT."
    return InputError(folder, f"the folder holds no CT series; found {what}", remedy)


def _place(number: str) -> int:
    return int(number) if number.isdecimal() else 0


def _is_directory(header: Dataset) -> bool:
    """Whether the header is that of a medium's table of contents (DICOMDIR)."""
    return header.file_meta.get("MediaStorageSOPClassUID") == _DIRECTORY_STORAGE


def _text(value: object) -> str:
    return "" if value is None else str(value)
