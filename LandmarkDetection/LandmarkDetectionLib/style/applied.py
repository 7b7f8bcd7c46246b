"""X-ray files translated to files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write
from DiffRegistrationLib.xray.files.xray_files import frame_count, read_line_integrals
from DiffRegistrationLib.xray.preprocessing import LineIntegrals

from .translated_xray import moved_by_translation, translated_image
from .translation_file import Translation

_WHITE = 65535


@dataclass(frozen=True)
class TranslatedFile:
    """A picture that was written, and the mean shift of structures in it (px at 128 along its shorter side)."""

    file: Path
    shift_px: float | None


def translate_files(
    translation: Translation,
    xrays: Sequence[Path],
    folder: Path,
    *,
    frame: int = 0,
    bone_is_bright: bool | None = None,
) -> tuple[TranslatedFile, ...]:
    """NAME.png in `folder` for each X-ray, in the look of DRRs, bone bright.

    InputError for a file that is no X-ray, a frame that there is not, two files of one name, and a folder that is a
    file; nothing is written then.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "exists and is no folder", "Give another --out.")
    names = [path.stem for path in xrays]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{twice[0]}", "is the name of two X-rays", "Translate them into folders of their own.")
    read: list[LineIntegrals] = []
    for path in xrays:
        count = frame_count(path)
        if not 0 <= frame < count:
            raise InputError(path, f"frame {frame} was asked for, it has {count}", "Frames count from 0.")
        read += read_line_integrals(path, frames=[frame], bone_is_bright=bone_is_bright)
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_written(translation, xray, folder / f"{name}.png") for name, xray in zip(names, read, strict=True))


def _written(translation: Translation, xray: LineIntegrals, file: Path) -> TranslatedFile:
    from PIL import Image

    tones = translated_image(translation.to_drr, translation.size, xray.attenuation, xray.mask)
    with atomic_write(file) as temporary:
        Image.fromarray(np.rint((tones + 1) / 2 * _WHITE).astype(np.uint16)).save(temporary, format="PNG")
    shifts = moved_by_translation(xray.attenuation, xray.mask, tones)
    return TranslatedFile(file, float(shifts.mean()) if len(shifts) else None)
