"""The penumbra that a focal spot of some size draws around every edge of the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from .gaussian_blur import gaussian_blur
from .limits import check_positive, check_within


@dataclass(frozen=True)
class FocalSpot:
    """A uniform square focal spot of `size_mm` (nominal 0.3 … 1.2 mm); ValueError unless positive."""

    size_mm: float

    def __post_init__(self) -> None:
        check_positive("size_mm", self.size_mm, "mm")

    def sigma_mm(self, magnification: float) -> float:
        """Standard deviation on the detector, size·(m − 1)/√12, of the uniform penumbra of an object magnified by m.

        m = source-detector over source-object distance. ValueError for a magnification below 1.
        """
        check_within("magnification", magnification, 1)
        return self.size_mm * (magnification - 1) / float(np.sqrt(12))

    def apply(
        self, image: Float64[np.ndarray, "rows columns"], pixel_mm: tuple[float, float], magnification: float
    ) -> Float64[np.ndarray, "rows columns"]:
        """The noiseless `image` blurred by a Gaussian of the penumbra's variance, for one magnification throughout."""
        return gaussian_blur(image, self.sigma_mm(magnification), pixel_mm, "reflect")
