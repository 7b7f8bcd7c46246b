"""What a file is, what it says and what it does not say: everything that `fluororeg info` shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..geometry import PinholeCamera
from ..provenance import Provenance
from .camera_files import read_camera
from .ct_files import read_ct
from .dicom_series import read_tags, series_of_slices
from .hdf5 import is_hdf5
from .stored_xray import StoredXray
from .volume_file import is_volume_file
from .xray_dicom import is_dicom, is_localizer, read_header
from .xray_dicom_geometry import c_arm_source
from .xray_dicom_images import open_dicom
from .xray_dicom_tags import FrameTags
from .xray_files import read_xray
from .xray_pictures import Picture

_LOOKED_AT_BYTES = 65536
# What a stand-in camera or image size writes into the provenance is not the file's.
_STAND_IN_LINES = ("camera", "image layout", "image size")


@dataclass(frozen=True)
class Description:
    """A file in words: its `kind` ("CT", "X-ray" or "camera"), each number with its origin, and what is lacking.

    Each entry of `missing` says what a registration needs beyond the file and how to supply it.
    """

    kind: str
    facts: tuple[Provenance, ...]
    missing: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same as plain lists and dictionaries, for JSON."""
        return {"kind": self.kind, "facts": [asdict(fact) for fact in self.facts], "missing": list(self.missing)}


def describe(path: str | Path) -> Description:
    """Describe a CT (DICOM folder or volume), an X-ray (DICOM or picture) or a camera file, told by its content.

    What only a user can add is listed as missing. InputError for what is none of these or cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return _describe_folder(path)
    if not path.is_file():
        raise InputError(path, "there is no such file or folder", "Check the path.")
    if _is_ct_slice(path) or (is_volume_file(path) and not _is_flat(path)):
        return Description("CT", read_ct(path).provenance)
    if is_dicom(path):
        return _describe_xray(path, open_dicom(path))
    with path.open("rb") as file:
        content = file.read(_LOOKED_AT_BYTES)
    if is_hdf5(content) or (b"\0" not in content and not is_volume_file(path)):
        return _describe_camera(path)
    return _describe_xray(path, Picture(path))


def _describe_folder(folder: Path) -> Description:
    found = series_of_slices(folder)
    if len(found) == 1:
        return Description("CT", read_ct(folder).provenance)
    lines = tuple(Provenance(f"#{place}", one.summary, "DICOM headers") for place, one in enumerate(found, start=1))
    choice = f"which of the {len(found)} series: choose one by its number or place, for example --series '#1'"
    return Description("CT", lines, (choice,))


def _describe_xray(path: Path, xray: StoredXray) -> Description:
    rows, columns = xray.size
    frames = f", {xray.frame_count} frames" if xray.frame_count > 1 else ""
    facts: tuple[Provenance, ...] = (Provenance("image", f"{columns} × {rows} pixels{frames}", "the file's header"),)
    try:
        xray.view(0, None)
    except InputError as error:
        stand_in = PinholeCamera(np.eye(3), np.eye(4), xray.size)
        pixels = read_xray(path, camera=stand_in).provenance
        facts += (*_c_arm_facts(path), *(line for line in pixels if line.quantity not in _STAND_IN_LINES))
        return Description("X-ray", facts, (_lacking(error),))
    return Description("X-ray", (*facts, *read_xray(path).provenance))


def _lacking(error: InputError) -> str:
    """What is missing and how to supply it."""
    *_, missing = error.problem.split("Missing: ")
    return f"{missing}. {error.remedy}"


def _c_arm_facts(path: Path) -> tuple[Provenance, ...]:
    """What the tags of an incomplete C-arm image do say."""
    if not is_dicom(path):
        return ()
    header = read_header(path)
    return () if is_localizer(header) else c_arm_source(FrameTags(header, 0, path), None).provenance


def _describe_camera(path: Path) -> Description:
    try:
        return Description("camera", read_camera(path).provenance)
    except InputError as error:
        try:
            lines = read_camera(path, size=(1, 1)).provenance
        except InputError:
            raise error from None
        kept = tuple(line for line in lines if line.quantity not in _STAND_IN_LINES)
        return Description("camera", kept, (_lacking(error),))


def _is_ct_slice(path: Path) -> bool:
    """Whether a file is a DICOM slice of a CT, which only its whole folder describes."""
    if not is_dicom(path):
        return False
    header = read_tags(path)
    return header.get("Modality") == "CT" and not is_localizer(header)


def _is_flat(path: Path) -> bool:
    """Whether a volume file holds one image: an X-ray saved in a volume's format."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return False
    return bool(np.prod(reader.GetSize()[2:]) == 1)
