"""What SimpleITK passes over in a NIfTI-1 file: missing voxels, and sizes that are absent or disagree."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import InputError

_LENGTH = 348
_BLOCK = 1 << 22


def is_nifti(path: Path) -> bool:
    """Whether the name is that of a NIfTI file."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def check_nifti(path: Path) -> None:
    """InputError for a NIfTI-1 file whose voxel size or sform cannot be trusted, or whose voxels are not all there.

    The reader would take a voxel size of 0 for 1 mm, prefer one of two sizes that disagree, and fill missing voxels
    with 0 HU, all without a word.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            header = file.read(_LENGTH)
    except (EOFError, OSError, zlib.error):
        return
    if len(header) < _LENGTH:
        return
    orders = [order for order in "<>" if struct.unpack_from(f"{order}i", header) == (_LENGTH,)]
    if not orders:
        return
    (order,) = orders

    pixdim = np.array(struct.unpack_from(f"{order}3f", header, 80))
    if not (np.isfinite(pixdim).all() and (pixdim > 0).all()):
        raise InputError(
            path,
            "the header gives no voxel size (or zero): pixdim is " + " × ".join(f"{edge:g}" for edge in pixdim),
            "Save the volume again with its true voxel size in mm, for example from 3D Slicer.",
        )
    (sform_code,) = struct.unpack_from(f"{order}h", header, 254)
    if sform_code > 0:
        _check_sform(path, np.array(struct.unpack_from(f"{order}12f", header, 280)).reshape(3, 4)[:, :3], pixdim)
    dims = struct.unpack_from(f"{order}8h", header, 40)
    (bits,) = struct.unpack_from(f"{order}h", header, 72)
    (offset,) = struct.unpack_from(f"{order}f", header, 108)
    voxels = int(np.prod([max(n, 1) for n in dims[1 : dims[0] + 1]], dtype=np.int64))
    expected = int(offset) + voxels * bits // 8
    if _content_length(path, expected) < expected:
        raise InputError(
            path, "the file is cut short: it holds fewer voxels than its header says", "Copy or export it again."
        )


def _check_sform(path: Path, sform: np.ndarray, pixdim: np.ndarray) -> None:
    edges = np.linalg.norm(sform, axis=0)
    if not (np.isfinite(edges).all() and (edges > 0).all()):
        raise InputError(
            path,
            "its sform is no placement: " + " × ".join(f"{edge:g}" for edge in edges) + " mm are the edges of a voxel",
            "Save the volume again, for example from 3D Slicer.",
        )
    axes = sform / edges
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        raise InputError(
            path,
            "its grid is sheared (sform axes are not at right angles), as a scan with gantry tilt is",
            "Give the original DICOM folder, which is straightened on reading, or resample the volume first.",
        )
    if not np.allclose(edges, pixdim, rtol=0.01):
        found, stated = (" × ".join(f"{edge:g}" for edge in sizes) for sizes in (edges, pixdim))
        raise InputError(
            path,
            f"the header contradicts itself: voxels of {found} mm by sform, {stated} mm by pixdim",
            "Save the volume again from the program that made it, or convert the original DICOM series.",
        )


def _content_length(path: Path, expected: int) -> int:
    """Length of a file, unpacked; counting stops early where the packed file's own word agrees with `expected`."""
    if path.suffix.lower() != ".gz":
        return path.stat().st_size
    with path.open("rb") as file:
        file.seek(-4, 2)
        # A gzip file ends with the length of its last part, and nearly always has one part.
        if int.from_bytes(file.read(), "little") == expected % 2**32:
            return expected
    length = 0
    try:
        with gzip.open(path) as content:
            while block := content.read(_BLOCK):
                length += len(block)
    except (EOFError, OSError, zlib.error):
        pass
    return length
