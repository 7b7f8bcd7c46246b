"""Real heads from a folder: CTs with their landmarks beside them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.volume_file import VOLUME_SUFFIXES, is_volume_file
from DiffRegistrationLib.xray.files.xray_dicom import is_dicom
from DiffRegistrationLib.xray.geometry import rigid

from ..atlas.head import Head
from ..atlas.head_frame import is_mirrored
from ..atlas.landmark_files import read_landmarks
from ..atlas.landmark_set import LandmarkSet
from .deformation import no_finer_than

_SUFFIX = ".mrk.json"
# Files of a folder that are looked at to see whether it holds DICOM.
_LOOKED_AT = 50
_FEWEST_INSIDE = 4
_TRANSFER = "Carry landmarks over to each with `fluororeg landmarks transfer`, and save them beside it under its name"


def heads_of_folder(
    path: str | Path, *, finest_mm: float = 1.0, tell: Callable[[str], None] = lambda words: None
) -> list[Head]:
    """The heads of a folder, in the order of their files' names; they are called head 1, head 2, and so on.

    A CT is a volume file or a folder of DICOM slices; its landmarks lie beside it: NAME.mrk.json by NAME.nii.gz or
    NAME/. Voxels smaller than `finest_mm` are joined, as many heads have to be in memory at once. `tell` hears of what
    is left out. InputError where no CT has landmarks, and for a CT or landmarks that cannot be used.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", "Give a folder of CTs with landmarks beside them.")
    scans = [item for item in sorted(folder.iterdir()) if not item.name.startswith(".") and _is_scan(item)]
    if not scans:
        raise InputError(
            folder,
            "holds no CT",
            f"Put CTs into it, each a folder of DICOM slices or a file ({', '.join(VOLUME_SUFFIXES)}).",
        )
    marked = [scan for scan in scans if landmarks_beside(scan).is_file()]
    without = [scan.name for scan in scans if scan not in marked]
    if not marked:
        raise InputError(folder, f"none of its CTs has landmarks: {', '.join(without)}", f"{_TRANSFER} ({_SUFFIX}).")
    if without:
        tell(f"Left out, as they have no landmarks: {', '.join(without)}. {_TRANSFER} ({_SUFFIX}).")
    alone = sorted(
        {item.name for item in folder.glob(f"*{_SUFFIX}")} - {landmarks_beside(scan).name for scan in marked}
    )
    if alone:
        tell(f"Left out, as there is no CT of their name: {', '.join(alone)}.")
    return [_read(scan, f"head {number}", finest_mm) for number, scan in enumerate(marked, start=1)]


def landmarks_beside(scan: Path) -> Path:
    """Where the landmarks of a CT lie: NAME.mrk.json beside the file NAME.nii.gz or the folder NAME."""
    name = scan.name
    if not scan.is_dir() and is_volume_file(scan):
        # The longest suffix that fits: NAME.nii.gz is not called NAME.nii.
        suffix = max((s for s in VOLUME_SUFFIXES if name.lower().endswith(s)), key=len)
        name = name[: -len(suffix)]
    return scan.with_name(name + _SUFFIX)


def _is_scan(item: Path) -> bool:
    if item.is_file():
        return is_volume_file(item)
    files = (file for file in item.rglob("*") if file.is_file())
    return any(is_dicom(file) for file in islice(files, _LOOKED_AT))


def _read(scan: Path, name: str, finest_mm: float) -> Head:
    ct, landmarks = read_ct(scan), read_landmarks(landmarks_beside(scan))
    if _inside(ct, landmarks) < _FEWEST_INSIDE:
        raise InputError(
            landmarks_beside(scan),
            f"has fewer than {_FEWEST_INSIDE} landmarks within {scan.name}",
            "Check that these landmarks belong to this CT.",
        )
    if is_mirrored(landmarks):
        raise InputError(
            landmarks_beside(scan),
            "has right and left exchanged",
            "+x is the patient's right in RAS: check the CT's orientation, then carry the landmarks over anew.",
        )
    return no_finer_than(finest_mm, Head(name, ct, landmarks))


def _inside(ct: CT, landmarks: LandmarkSet) -> int:
    """How many landmarks lie within the CT's box."""
    known = landmarks.points[landmarks.is_known & landmarks.is_in_ct]
    voxels = rigid.transform_points(np.linalg.inv(ct.ct_from_voxel), known)
    return int(((voxels > -0.5) & (voxels < np.array(ct.size) - 0.5)).all(axis=1).sum())
