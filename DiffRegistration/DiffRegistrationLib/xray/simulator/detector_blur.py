"""Light that spreads in the scintillator before it is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from .gaussian_blur import gaussian_blur
from .limits import check_positive, check_within


@dataclass(frozen=True)
class DetectorBlur:
    """Two Gaussians: `sigma_mm` for most of the light and `tail_sigma_mm` for the part `tail_fraction` that strays.

    The MTF is (1 − tail) exp(−2π²σ²f²) + tail · exp(−2π²σₜ²f²), f in cycles per mm: a narrow core upon the
    low-frequency drop of a thick screen. ValueError for widths that are not positive or a fraction outside [0, 1].
    """

    sigma_mm: float
    tail_fraction: float = 0.0
    tail_sigma_mm: float = 1.0

    def __post_init__(self) -> None:
        check_positive("sigma_mm", self.sigma_mm, "mm")
        check_within("tail_fraction", self.tail_fraction, 0, 1)
        check_positive("tail_sigma_mm", self.tail_sigma_mm, "mm")

    def apply(
        self, image: Float64[np.ndarray, "rows columns"], pixel_mm: tuple[float, float]
    ) -> Float64[np.ndarray, "rows columns"]:
        """`image` blurred; its sum is kept, light that would leave it is reflected at the border."""
        core = gaussian_blur(image, self.sigma_mm, pixel_mm, "reflect")
        if self.tail_fraction == 0:
            return core
        tail = gaussian_blur(image, self.tail_sigma_mm, pixel_mm, "reflect")
        return (1 - self.tail_fraction) * core + self.tail_fraction * tail
