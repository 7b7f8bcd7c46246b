"""One view of a sequence of X-rays: a multi-frame file, a folder of pictures, or files that a pattern names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import InputError
from ..radiograph import Radiograph
from .c_arm_geometry import CArmGeometry
from .xray_files import frame_count
from .xray_with_geometry import XrayFile

_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class XraySequence:
    """One view over time, and what the user knows of its geometry beyond the files.

    `path` is a multi-frame file, whose frames count from 0; or a folder or a pattern such as cam1/*.tif, whose files
    are the frames that the last number in their names says, or count from 0 in the order of their names if none has
    one. A folder or pattern of nothing but one multi-frame file is that file.
    """

    path: Path
    camera: Path | None = None
    geometry: CArmGeometry | None = None
    mask: Path | None = None
    bone_is_bright: bool | None = None

    @cached_property
    def frames(self) -> Mapping[int, XrayFile]:
        """The file of each frame by its number, ascending. InputError where there is none, or two have one number."""
        path = Path(self.path)
        if path.is_dir():
            found = path.iterdir()
        elif _PATTERN.search(path.name) and not path.exists():
            found = path.parent.glob(path.name)
        else:
            return self._pages(path, frame_count(path))
        # Systems leave files of their own, such as ._1.tif, beside those of people.
        files = sorted(file for file in found if file.is_file() and not file.name.startswith("."))
        if not files:
            raise InputError(path, "names no file", "Give a folder of frames, or a pattern in quotation marks.")
        count = _frame_count_if_any(files[0])
        if count > 1 and len(files) == 1:
            return self._pages(files[0], count)
        if count > 1:
            raise InputError(
                files[0], f"holds {count} frames, but lies among other files", "Give it by itself, as one view."
            )
        return {number: self._file(file, 0) for number, file in sorted(_numbered(path, files).items())}

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the frames that there are."""
        return tuple(self.frames)

    def read(self, number: int) -> Radiograph:
        """A frame's radiograph. InputError for one that is not there or cannot be used."""
        if number not in self.frames:
            raise InputError(self.path, f"has no frame {number}", "Choose one that it has.")
        return self.frames[number].read()

    def _pages(self, path: Path, count: int) -> dict[int, XrayFile]:
        return {number: self._file(path, number) for number in range(count)}

    def _file(self, path: Path, frame: int) -> XrayFile:
        return XrayFile(path, self.camera, self.geometry, frame, self.mask, self.bone_is_bright)


def _frame_count_if_any(path: Path) -> int:
    """0 for a damaged file: the frame cannot be used, but others can."""
    try:
        return frame_count(path)
    except InputError:
        return 0


def _numbered(path: Path, files: list[Path]) -> dict[int, Path]:
    """Files by the last number in their names; by their place if none has one."""
    # Names of DICOM files such as IM.0007 have no suffix, although it looks like one.
    names = [file.name if file.suffix[1:].isdecimal() else file.stem for file in files]
    found = [re.findall(r"\d+", name) for name in names]
    if not any(found):
        return dict(enumerate(files))
    numbered: dict[int, Path] = {}
    for file, numbers in zip(files, found, strict=True):
        if not numbers:
            raise InputError(
                file, "has no number in its name, as other frames beside it have", "Move it elsewhere or number it."
            )
        number = int(numbers[-1])
        if number in numbered:
            raise InputError(
                path,
                f"{numbered[number].name} and {file.name} both are frame {number}",
                "Name one file a frame; the last number of a name counts.",
            )
        numbered[number] = file
    return numbered
