"""Any CT a file holds, as the projector wants it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from ..ct import CT
from ..errors import InputError
from .ct_dicom import read_dicom_folder, refuse_single_file
from .dicom_series import choose_series, read_tags
from .hounsfield_volume import HounsfieldVolume, check_hounsfield
from .label_map import read_label_map
from .lps import ras_from_index
from .volume_file import VOLUME_SUFFIXES, is_volume_file, read_volume_file
from .xray_dicom import is_dicom


def read_ct(path: str | Path, *, series: str | None = None, labels: str | Path | None = None) -> CT:
    """A CT in RAS mm from a DICOM folder (searched with its sub-folders) or a NRRD, NIfTI or MetaImage file in HU.

    `series` chooses one of a folder's CT series by its number, or by its place in the list as in `#2`. `labels` is a
    label map file, placed by its own geometry. Tilted (sheared) and unevenly spaced scans are resampled onto a
    right-angled even grid, which the provenance tells. InputError says what cannot be used and what to do.
    """
    path = Path(path)
    volume = read_volume(path, series)
    check_hounsfield(volume.hounsfield, path)
    ct = CT.from_hounsfield(volume.hounsfield, ras_from_index(volume.lps_from_voxel), provenance=volume.provenance)
    if labels is None:
        return ct
    label_map, origin = read_label_map(Path(labels), ct.ct_from_voxel, ct.size)
    return replace(ct, labels=label_map, provenance=(*ct.provenance, origin))


def frame_of_reference(path: str | Path, *, series: str | None = None) -> str | None:
    """A digest of the frame of reference of a DICOM file or of a folder's CT series; None where there is none.

    Two images with the same one share their coordinates. It is a digest, as its UID identifies the examination.
    """
    path = Path(path)
    if path.is_dir():
        header = choose_series(path, series).slices[0].header
    elif path.is_file() and is_dicom(path):
        header = read_tags(path)
    else:
        return None
    uid = str(header.get("FrameOfReferenceUID") or "")
    return hashlib.sha256(uid.encode()).hexdigest() if uid else None


def read_volume(path: Path, series: str | None) -> HounsfieldVolume:
    """Hounsfield units as a file or folder has them, on a right-angled grid. InputError as `read_ct`."""
    if path.is_dir():
        return read_dicom_folder(path, series)
    if not path.is_file():
        raise InputError(path, "there is no such file or folder", "Check the path.")
    if series is not None:
        raise InputError(
            f"--series {series}", f"{path} is one file", "A series is chosen from a folder of DICOM files."
        )
    if is_volume_file(path):
        return read_volume_file(path)
    if is_dicom(path):
        raise refuse_single_file(path)
    raise InputError(
        path,
        "this is no CT that can be read",
        f"Give a folder of DICOM slices or a volume file ({', '.join(VOLUME_SUFFIXES)}).",
    )
