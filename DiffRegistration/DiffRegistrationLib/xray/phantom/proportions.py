"""How one head differs from the next: each half of each axis is stretched by its own factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float64

from .grid import Grid


@dataclass(frozen=True)
class Proportions:
    """Factors by which a head is longer than the drawing that the anatomy modules hold, seen from the ears."""

    right: float
    left: float
    front: float
    back: float
    above: float
    below: float

    @classmethod
    def of_variant(cls, variant: int) -> Self:
        """The reference (variant 0; its left side is 2 % narrower than its right), or another head: spread 3 %."""
        if variant == 0:
            return cls(1.0, 0.98, 1.0, 1.0, 1.0, 1.0)
        random = np.random.default_rng(variant)
        size = 1 + 0.02 * _normal(random)[0]
        right, front, back, above, below = size * (1 + 0.025 * _normal(random, 5))
        left = right * (0.985 + 0.01 * _normal(random)[0])
        return cls(float(right), float(left), float(front), float(back), float(above), float(below))

    @property
    def _factors(self) -> tuple[tuple[float, float], ...]:
        """(positive, negative) half of x, y, z."""
        return (self.right, self.left), (self.front, self.back), (self.above, self.below)

    def field_of_view(
        self, low: tuple[float, float, float], high: tuple[float, float, float]
    ) -> list[tuple[float, float]]:
        """(low, high) of x, y, z in mm for a head drawn within `low` and `high`, which it is never less than."""
        return [
            (a * max(negative, 1.0), b * max(positive, 1.0))
            for a, b, (positive, negative) in zip(low, high, self._factors, strict=True)
        ]

    def grid(self, axes: list[Float64[np.ndarray, "n"]], step: float) -> Grid:
        """The grid with voxel centres at these coordinates of the head (mm), in the drawing's coordinates."""
        x, y, z = (
            np.where(axis > 0, axis / positive, axis / negative).astype(np.float32)
            for axis, (positive, negative) in zip(axes, self._factors, strict=True)
        )
        return Grid(x[None, None, :], y[None, :, None], z[:, None, None], step)

    def placed(self, point: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
        """A point of the drawing in the head's coordinates (mm), read-only."""
        positive, negative = np.array(self._factors).T
        point = np.where(point > 0, point * positive, point * negative)
        point.flags.writeable = False
        return point


def _normal(random: np.random.Generator, number: int = 1) -> Float64[np.ndarray, "number"]:
    """Normal deviates, none further out than two: every variant stays a head."""
    return random.standard_normal(number).clip(-2, 2)
