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
    one.
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
            files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        elif _PATTERN.search(path.name):
            files = sorted(path.parent.glob(path.name))
        else:
            return {number: self._file(path, number) for number in range(frame_count(path))}
        if not files:
            raise InputError(path, "names no file", "Give a folder of frames, or a pattern in quotation marks.")
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

    def _file(self, path: Path, frame: int) -> XrayFile:
        return XrayFile(path, self.camera, self.geometry, frame, self.mask, self.bone_is_bright)


def _numbered(path: Path, files: list[Path]) -> dict[int, Path]:
    """Files by the last number in their names; by their place if none has one."""
    found = [re.findall(r"\d+", file.stem) for file in files]
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
