"""Bead grids by which the distortion of an X-ray system is measured, as XMALab exports them.

XMALab writes two texts for each camera: …_INPTS.csv, where its distorted image shows the beads, and …_BSPTS.csv, where
an ideal one would; a line a bead, u, v in pixels, in one order. XMALab itself interpolates locally between the beads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from .text_numbers import numbers, text_rows

_REMEDY = "Give XMALab's …_INPTS.csv (seen) and …_BSPTS.csv (true), or texts like them: a line a bead, u, v in px."


def read_bead_grid(
    seen: str | Path, true: str | Path
) -> tuple[Float64[np.ndarray, "beads 2"], Float64[np.ndarray, "beads 2"]]:
    """Beads where an image shows them and where an ideal one would (u, v; px).

    InputError for files that cannot be read, lines that are not two numbers, and two files of different length.
    """
    found = [_points(Path(path)) for path in (seen, true)]
    if len(found[0]) != len(found[1]):
        raise InputError(true, f"holds {len(found[1])} beads, {Path(seen).name} holds {len(found[0])}", _REMEDY)
    return found[0], found[1]


def _points(path: Path) -> Float64[np.ndarray, "beads 2"]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error
    except UnicodeDecodeError:
        raise InputError(path, "is no text", _REMEDY) from None
    rows = text_rows(text)
    if not rows:
        raise InputError(path, "holds no bead", _REMEDY)
    return numbers(path, rows, 2)
