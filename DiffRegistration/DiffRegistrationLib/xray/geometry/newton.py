"""Where a smooth map of the plane comes from: Newton's method for many points at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64

# Points, and which of them are known to be the only ones.
Mapped: TypeAlias = "tuple[Float64[np.ndarray, 'n 2'], Bool[np.ndarray, 'n']]"
# A map and its Jacobian.
Differentiable: TypeAlias = (
    "Callable[[Float64[np.ndarray, 'n 2']], tuple[Float64[np.ndarray, 'n 2'], Float64[np.ndarray, 'n 2 2']]]"
)

# Well below the 1e-6 that is promised, well above what rounding leaves of thousands of pixels.
_ACCURACY = 1e-8
_MOST_STEPS = 30


def preimages(
    mapping: Differentiable, targets: Float64[np.ndarray, "n 2"], *, start: Float64[np.ndarray, "n 2"]
) -> Mapped:
    """The points near `start` that `mapping` brings to `targets`, to 1e-8, and which of them were found.

    A point at which the map folds (determinant of the Jacobian not positive) or turns by more than 90° is not one.
    """
    points = np.array(start, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(_MOST_STEPS):
            there, jacobian = mapping(points)
            (a, b), (c, d) = jacobian.transpose(1, 2, 0)
            determinant = a * d - b * c
            off_u, off_v = (targets - there).T
            if not (np.maximum(np.abs(off_u), np.abs(off_v)) > _ACCURACY).any():
                break
            points += np.column_stack([d * off_u - b * off_v, a * off_v - c * off_u]) / determinant[:, None]
        found = (np.maximum(np.abs(off_u), np.abs(off_v)) <= _ACCURACY) & (determinant > 0) & (a + d > 0)
    return points, found
