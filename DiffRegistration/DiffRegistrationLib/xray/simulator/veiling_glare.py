"""Veiling glare: X-rays, electrons and light that stray inside an image intensifier and lift what should be dark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy import fft

from .limits import check_positive, check_within


@dataclass(frozen=True)
class VeilingGlare:
    """The part `fraction` of the light spreads by exp(−r/k)/(2πkr), k = `reach_mm`; the rest stays where it is.

    Seibert, Nalcioglu & Roeck, Med Phys 11:172 (1984) and 12:281 (1985). The MTF is
    1 − fraction + fraction/√(1 + (2πkf)²); the centre of a lead disc of radius a in a field of radius R, both round,
    reads fraction · (e^(−a/k) − e^(−R/k)) of the open field. ValueError for values that cannot be.
    """

    fraction: float
    reach_mm: float

    def __post_init__(self) -> None:
        check_within("fraction", self.fraction, 0, 1)
        check_positive("reach_mm", self.reach_mm, "mm")

    def apply(
        self, image: Float64[np.ndarray, "rows columns"], pixel_mm: tuple[float, float]
    ) -> Float64[np.ndarray, "rows columns"]:
        """`image` with glare; beyond it the input screen is dark, and light that strays there is lost."""
        rows, columns = image.shape
        # Twice the size, so that no light that leaves on one side comes back on the other.
        padded = [fft.next_fast_len(2 * n - 1, real=True) for n in image.shape]
        spread = fft.irfft2(fft.rfft2(image, padded) * fft.rfft2(self._kernel(padded, pixel_mm)), padded)
        return (1 - self.fraction) * image + self.fraction * np.maximum(spread[:rows, :columns], 0)

    def _kernel(self, size: list[int], pixel_mm: tuple[float, float]) -> Float64[np.ndarray, "rows columns"]:
        """Light of a pixel in each pixel around it, the origin in the corner and negative offsets wrapped around."""
        dy, dx = pixel_mm
        y, x = (np.minimum(np.arange(n), n - np.arange(n)) * step for n, step in zip(size, pixel_mm, strict=True))
        r = np.hypot(y[:, None], x[None])
        r[0, 0] = np.inf
        kernel = dx * dy * np.exp(-r / self.reach_mm) / r
        # The pole at r = 0 is integrable: ∫∫ dx dy/r over a rectangle about it.
        kernel[0, 0] = 2 * (dx * np.arcsinh(dy / dx) + dy * np.arcsinh(dx / dy))
        return kernel / (2 * np.pi * self.reach_mm)
