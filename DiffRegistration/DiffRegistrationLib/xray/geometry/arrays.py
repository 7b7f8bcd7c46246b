"""Arrays that an immutable dataclass may hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def frozen_float64(values: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """A read-only float64 copy of `values`; ValueError if its shape is not `shape` or a value is not finite."""
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"expected an array of shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("expected finite numbers, got NaN or infinity")
    array.flags.writeable = False
    return array
