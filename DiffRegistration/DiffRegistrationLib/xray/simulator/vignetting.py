"""Light that an image intensifier's optics lose toward the rim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from .detector_plane import detector_points
from .limits import check_positive, check_within


@dataclass(frozen=True)
class Vignetting:
    """A fall-off 1 − loss · (r/R)² with the distance r from the image's centre, R = `radius_mm`; never below 0.

    ValueError for a loss outside [0, 1] or no radius.
    """

    loss: float
    radius_mm: float

    def __post_init__(self) -> None:
        check_within("loss", self.loss, 0, 1)
        check_positive("radius_mm", self.radius_mm, "mm")

    def apply(
        self, image: Float64[np.ndarray, "rows columns"], pixel_mm: tuple[float, float]
    ) -> Float64[np.ndarray, "rows columns"]:
        """`image` with its rim darkened."""
        x, y = (detector_points(image.shape, pixel_mm) / self.radius_mm).T
        return image * np.maximum(1 - self.loss * (x * x + y * y), 0).reshape(image.shape)
