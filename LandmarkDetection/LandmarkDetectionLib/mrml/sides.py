"""The three sides that landmarks are shown by: their order, colours and marks."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Int64

from ..atlas.definitions import skull_landmarks

SIDES = ("right", "left", "midline")
# Of points that are sure, and paler of those that are not. The marks differ as well, as in reports: ● ■ ◆.
SURE_COLOURS = {"right": (0.90, 0.30, 0.16), "left": (0.13, 0.65, 0.30), "midline": (0.93, 0.77, 0.10)}
PALE_COLOURS = {"right": (0.97, 0.72, 0.66), "left": (0.68, 0.88, 0.73), "midline": (0.98, 0.93, 0.68)}


@cache
def numbers_of_side(side: str) -> Int64[np.ndarray, "n"]:
    """Which landmarks, by their places among all, lie on a side."""
    found = skull_landmarks()
    return np.flatnonzero([found.definition(name).side == side for name in found.names])


@cache
def side_of_each() -> Int64[np.ndarray, "n"]:
    """The place in `SIDES` of each landmark's side."""
    found = skull_landmarks()
    return np.array([SIDES.index(found.definition(name).side) for name in found.names])


def shown_name(name: str) -> str:
    """A landmark's name as people read it."""
    return name[:1].upper() + name[1:]
