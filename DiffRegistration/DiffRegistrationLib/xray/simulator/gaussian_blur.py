"""A Gaussian blur that is right even where it is narrower than a pixel."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float64
from scipy import ndimage, special


def gaussian_blur(
    image: Float64[np.ndarray, "rows columns"],
    sigma_mm: float,
    pixel_mm: tuple[float, float],
    border: Literal["reflect", "constant"],
) -> Float64[np.ndarray, "rows columns"]:
    """`image` blurred by `sigma_mm`; beyond the `border` it goes on as its reflection, or is constantly 0.

    The weights are those of the discrete Gaussian e^−t Iₙ(t), t = σ² in pixels, the only ones that have exactly the
    variance t, are never negative and add up to 1 for any σ (Lindeberg, IEEE PAMI 12:234, 1990). A sampled Gaussian
    would not blur at all below about a third of a pixel.
    """
    for axis, spacing in enumerate(pixel_mm):
        sigma = sigma_mm / spacing
        half = int(np.ceil(6 * sigma)) + 2
        weights = special.ive(np.abs(np.arange(-half, half + 1)), sigma * sigma)
        image = ndimage.correlate1d(image, weights / weights.sum(), axis=axis, mode=border)
    return image
