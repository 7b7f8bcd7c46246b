"""Landmarks of one head: points in its CT's frame, how sure each is, and how it came there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from jaxtyping import Bool, Float64


class LandmarkStatus(StrEnum):
    """How a landmark came to its place."""

    PLACED = "placed"
    """By a person on this CT, or by construction."""
    TRANSFERRED = "transferred"
    """Carried over from a template."""
    CORRECTED = "corrected"
    """Carried over, then moved by a person."""
    OUTSIDE = "outside"
    """Carried over to a place that the CT does not show; its point is where it should be."""
    UNKNOWN = "unknown"
    """Has no place; its point is NaN."""


@dataclass(frozen=True, eq=False)
class LandmarkSet:
    """Named points in a CT's frame (RAS mm).

    `uncertainty_mm` is a standard deviation along each axis; NaN where a landmark is unknown. ValueError for arrays
    that do not belong together.
    """

    names: tuple[str, ...]
    points: Float64[np.ndarray, "n 3"]
    uncertainty_mm: Float64[np.ndarray, "n"]
    status: tuple[LandmarkStatus, ...]

    def __post_init__(self) -> None:
        count = len(self.names)
        for name, shape in (("points", (count, 3)), ("uncertainty_mm", (count,))):
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != shape:
                raise ValueError(f"{name} have shape {array.shape} for {count} names")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if len(self.status) != count or len(set(self.names)) != count:
            raise ValueError(f"{count} names, of which {len(set(self.names))} differ, and {len(self.status)} statuses")

    @property
    def is_in_ct(self) -> Bool[np.ndarray, "n"]:
        """Which landmarks lie where the CT shows something."""
        hidden = (LandmarkStatus.OUTSIDE, LandmarkStatus.UNKNOWN)
        return np.array([status not in hidden for status in self.status], dtype=bool)

    @property
    def is_known(self) -> Bool[np.ndarray, "n"]:
        """Which landmarks have a place at all."""
        return np.isfinite(self.points).all(axis=1)

    def point(self, name: str) -> Float64[np.ndarray, "3"]:
        """The point of this name. KeyError for a name that there is not."""
        if name not in self.names:
            raise KeyError(name)
        return self.points[self.names.index(name)]

    def named(self, names: Iterable[str]) -> Self:
        """These landmarks in this order; those that are not there are unknown."""
        names = tuple(names)
        places = [self.names.index(name) if name in self.names else None for name in names]
        return type(self)(
            names,
            np.array([np.full(3, np.nan) if at is None else self.points[at] for at in places]).reshape(-1, 3),
            np.array([np.nan if at is None else self.uncertainty_mm[at] for at in places]),
            tuple(LandmarkStatus.UNKNOWN if at is None else self.status[at] for at in places),
        )
