"""NRRD, NIfTI and MetaImage volumes by SimpleITK, with word of what their headers do not say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from ..provenance import Provenance
from .hounsfield_volume import AIR_HOUNSFIELD, HounsfieldVolume
from .nifti_header import check_nifti, is_nifti
from .slice_planes import SlicePlanes

if TYPE_CHECKING:
    from SimpleITK import Image

VOLUME_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")
_HEADER_BYTES = 65536


def is_volume_file(path: Path) -> bool:
    """Whether the name is that of a volume file that this program reads."""
    return path.name.lower().endswith(VOLUME_SUFFIXES)


def read_volume_file(path: Path) -> HounsfieldVolume:
    """A volume in HU on a right-angled grid. InputError says what stands in the way."""
    import SimpleITK

    image = read_scalar_image(path)
    hounsfield = SimpleITK.GetArrayFromImage(image).astype(np.float32)
    lps_from_voxel = lps_from_voxel_of(image)
    name = "NIfTI" if is_nifti(path) else "NRRD" if path.suffix.lower() in (".nrrd", ".nhdr") else "MetaImage"
    columns, rows, slices = image.GetSize()
    spacing = " × ".join(f"{edge:.4f}" for edge in image.GetSpacing())
    provenance = [
        Provenance("CT", f"{columns} × {rows} × {slices} voxels", f"{name} header"),
        Provenance("voxel size", f"{spacing} mm", f"{name} header"),
        Provenance("Hounsfield units", f"{hounsfield.min():g} to {hounsfield.max():g}", "the values as they are"),
    ]
    if not _states_orientation(path, image):
        provenance.append(
            Provenance("orientation", "columns to the left, rows to the back", f"{name} header is silent", True)
        )
    if np.isfinite(hounsfield).all():
        np.maximum(hounsfield, np.float32(AIR_HOUNSFIELD), out=hounsfield)
    if is_right_angled(lps_from_voxel):
        return HounsfieldVolume(hounsfield, lps_from_voxel, tuple(provenance))
    volume = planes_of(lps_from_voxel, slices, path).straightened(upward(hounsfield, lps_from_voxel))
    return HounsfieldVolume(volume.hounsfield, volume.lps_from_voxel, (*provenance, *volume.provenance))


def read_scalar_image(path: Path) -> Image:
    """A three-dimensional image with one value a voxel and a stated voxel size. InputError otherwise."""
    import SimpleITK

    damaged = InputError(
        path,
        "the volume cannot be read; it is cut short, damaged, or not what its name says",
        "Copy or export it again; 3D Slicer can save it as NRRD.",
    )
    if not path.is_file():
        raise InputError(path, "there is no such file", "Check the path.")
    if is_nifti(path):
        check_nifti(path)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size = list(reader.GetSize())
        if reader.GetNumberOfComponents() > 1:
            raise InputError(
                path,
                f"each voxel holds {reader.GetNumberOfComponents()} values (colour, vector or overlapping segments)",
                "Save it as a volume with one value a voxel.",
            )
        if [n for n in size[3:] if n > 1]:
            raise InputError(
                path,
                f"the image has {len(size)} dimensions ({' × '.join(map(str, size))})",
                "Save one time point of it.",
            )
        if len(size) < 3 or min(size[:3]) < 2:
            raise InputError(
                path,
                f"the image is {' × '.join(map(str, size))}: one slice, a volume needs several",
                "Give the file that holds the whole volume.",
            )
        reader.SetExtractSize(size[:3] + [0] * (len(size) - 3))
        image = reader.Execute()
    except RuntimeError as error:
        raise damaged from error
    if not _states_spacing(path, image):
        raise InputError(
            path,
            "the header gives no voxel size (or zero)",
            "Save the volume again with its true voxel size in mm, for example from 3D Slicer.",
        )
    return image


def lps_from_voxel_of(image: Image) -> Float64[np.ndarray, "4 4"]:
    """The matrix from (i, j, k) to LPS mm of a SimpleITK image."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return matrix


def is_right_angled(matrix: Float64[np.ndarray, "4 4"]) -> bool:
    """Whether the axes of a grid are at right angles."""
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return bool(np.allclose(axes.T @ axes, np.eye(3), atol=5e-4))


def planes_of(matrix: Float64[np.ndarray, "4 4"], slices: int, path: Path) -> SlicePlanes:
    """The slices of a sheared grid, upward along their normal."""
    row_axis, column_axis = (matrix[:3, axis] / np.linalg.norm(matrix[:3, axis]) for axis in (0, 1))
    if abs(row_axis @ column_axis) > 5e-4:
        raise InputError(
            path,
            "rows and columns of the grid are not at right angles",
            "Resample it onto a right-angled grid, for example with Resample Scalar Volume in 3D Slicer.",
        )
    positions = matrix[:3, 3] + np.arange(slices)[:, None] * matrix[:3, 2]
    order = slice(None) if np.cross(row_axis, column_axis) @ matrix[:3, 2] > 0 else slice(None, None, -1)
    pixel_size = (float(np.linalg.norm(matrix[:3, 0])), float(np.linalg.norm(matrix[:3, 1])))
    return SlicePlanes(positions[order], row_axis, column_axis, pixel_size)


def upward(hounsfield: np.ndarray, matrix: Float64[np.ndarray, "4 4"]) -> np.ndarray:
    """Slices in the order that `planes_of` has them."""
    return hounsfield if np.linalg.det(matrix[:3, :3]) > 0 else hounsfield[::-1]


def _header_fields(path: Path) -> str:
    """The text header of a NRRD or MetaImage file, in lower case."""
    with path.open("rb") as file:
        text = file.read(_HEADER_BYTES)
    end = b"\n\n" if text.startswith(b"NRRD") else b"ElementDataFile"
    return text.replace(b"\r", b"").split(end)[0].decode("latin-1").lower()


def _states_spacing(path: Path, image: Image) -> bool:
    if not (np.isfinite(image.GetSpacing()).all() and min(image.GetSpacing()) > 0):
        return False
    if is_nifti(path):
        return True
    header = _header_fields(path)
    words = ("spacings:", "space directions:") if header.startswith("nrrd") else ("elementspacing", "elementsize")
    return any(word in header for word in words)


def _states_orientation(path: Path, image: Image) -> bool:
    if is_nifti(path):
        return any(image.GetMetaData(code) != "0" for code in ("qform_code", "sform_code"))
    header = _header_fields(path)
    words = ("space directions:",) if header.startswith("nrrd") else ("transformmatrix", "orientation", "rotation")
    return any(word in header for word in words)
