"""The phantom's voxel grid, seen from the frame in which its anatomy is described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float32, Float64


@dataclass(frozen=True, eq=False)
class Grid:
    """Voxel centres as three axes that broadcast to (k, j, i), and their place in the whole.

    `x`, `y`, `z` (mm) rise; `step` is the voxel edge in mm; `place` selects this part from an array on the whole grid
    that it was cut from.
    """

    x: Float32[np.ndarray, "1 1 i"]
    y: Float32[np.ndarray, "1 j 1"]
    z: Float32[np.ndarray, "k 1 1"]
    step: float
    place: tuple[slice, slice, slice] = (slice(None), slice(None), slice(None))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along k, j, i."""
        return self.z.size, self.y.size, self.x.size

    def within(self, low: Float64[np.ndarray, "3"], high: Float64[np.ndarray, "3"], margin: float) -> Self | None:
        """The part of the grid within `margin` mm of a box, or None where they do not meet."""
        place = []
        for axis, a, b in zip((self.x, self.y, self.z), low, high, strict=True):
            first, last = np.searchsorted(axis.ravel(), [a - margin, b + margin])
            if first == last:
                return None
            place.append(slice(int(first), int(last)))
        i, j, k = place
        return type(self)(self.x[:, :, i], self.y[:, j], self.z[k], self.step, (k, j, i))
