"""Pixels at which the detector ran out of range: burnt out white, or starved black."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32

# A clipped tail heaps up: this part of the pixels at least, and this many times as many as on the level beside it.
_LEAST_FRACTION = 1e-3
_HEAP = 2.0


def saturation_levels(
    intensity: Float32[np.ndarray, "rows columns"], inside: Bool[np.ndarray, "rows columns"]
) -> tuple[float, float]:
    """(floor, ceiling) of the detector as the image itself shows them; −inf and inf where nothing was clipped.

    Clipping shows as a heap of pixels of the field (`inside`) on its lowest or highest level. Only whole numbers are
    judged: they come from a detector, whereas computed images have open fields of one value that are no fault.
    """
    values = intensity[inside]
    if values.size == 0 or not np.array_equal(values, np.rint(values)):
        return -np.inf, np.inf
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) < 3:
        return -np.inf, np.inf
    clipped = counts >= _LEAST_FRACTION * values.size
    low = clipped[0] and counts[0] >= _HEAP * counts[1]
    high = clipped[-1] and counts[-1] >= _HEAP * counts[-2]
    return float(levels[0]) if low else -np.inf, float(levels[-1]) if high else np.inf


def within_range(
    intensity: Float32[np.ndarray, "rows columns"], levels: tuple[float, float]
) -> Bool[np.ndarray, "rows columns"]:
    """True where a pixel is finite, above zero and strictly between the detector's floor and ceiling."""
    floor, ceiling = levels
    return np.isfinite(intensity) & (intensity > max(floor, 0.0)) & (intensity < ceiling)
