"""Geometric distortion of an image intensifier: pincushion from its curved input, an S from magnetic fields.

Rudin, Bednarek & Wong, Med Phys 18:1145 (1991); Gronenschild, Med Phys 24:1875 (1997). A point at z = x + iy from the
centre of distortion (mm, x right, y down), ρ = |z|/R, appears at

    z (1 + pincushion · ρ²) exp(i · turn · ρ²)

The turn is a rotation that grows with ρ²: it makes an S of every straight line through the centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy import ndimage

from .detector_plane import detector_points, pixels_from_points
from .limits import check_positive

_ACCURACY_MM = 1e-10
_MOST_STEPS = 60


@dataclass(frozen=True)
class Distortion:
    """What the intensifier does to detector points (x, y) in mm about the image's centre.

    `pincushion` is the relative growth of the distance from `centre_mm` (x, y) at `radius_mm` (negative: barrel),
    `s_turn_deg` the rotation there, from x toward y. ValueError for numbers that are not finite or no radius.
    """

    pincushion: float
    s_turn_deg: float
    radius_mm: float
    centre_mm: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        check_positive("radius_mm", self.radius_mm, "mm")
        if not np.isfinite([self.pincushion, self.s_turn_deg, *self.centre_mm]).all():
            raise ValueError("pincushion, s_turn_deg and centre_mm must be finite numbers")

    def distorted(self, points_mm: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Where ideal points appear in the image; ValueError where the map has folded over."""
        offset = points_mm - np.array(self.centre_mm)
        radius = np.hypot(offset[:, 0], offset[:, 1])
        if radius.max(initial=0) >= self._fold_mm():
            raise ValueError(f"the distortion folds over {self._fold_mm():.1f} mm from its centre, within the image")
        return self._turned(offset, 1 + self.pincushion * (radius / self.radius_mm) ** 2, radius, 1)

    def undistorted(self, points_mm: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Ideal points of those in the image (Newton, within 1e-9 mm); ValueError where no ideal point appears."""
        offset = points_mm - np.array(self.centre_mm)
        appears = np.hypot(offset[:, 0], offset[:, 1])
        # The largest distance at which anything appears is that of the fold, two thirds of its ideal distance.
        if appears.max(initial=0) >= 2 / 3 * self._fold_mm():
            raise ValueError(
                f"the distortion folds over {2 / 3 * self._fold_mm():.1f} mm from its centre, within the image"
            )
        radius = self._ideal_radius(appears)
        scale = np.divide(radius, appears, out=np.ones_like(radius), where=appears > 0)
        return self._turned(offset, scale, radius, -1)

    def ideal_pixels(self, size: tuple[int, int], pixel_mm: tuple[float, float]) -> Float64[np.ndarray, "n 2"]:
        """For each pixel of the distorted image, row by row, the ideal pixel (u, v) whose ray it shows."""
        return pixels_from_points(self.undistorted(detector_points(size, pixel_mm)), size, pixel_mm)

    def corrected(
        self, image: Float64[np.ndarray, "rows columns"], pixel_mm: tuple[float, float]
    ) -> tuple[Float64[np.ndarray, "rows columns"], Bool[np.ndarray, "rows columns"]]:
        """The ideal image of a distorted one, by bilinear interpolation, and where it was seen; 0 where it was not."""
        size = image.shape
        u, v = pixels_from_points(self.distorted(detector_points(size, pixel_mm)), size, pixel_mm).T
        seen = (u >= 0) & (u <= size[1] - 1) & (v >= 0) & (v <= size[0] - 1)
        straight = np.where(seen, ndimage.map_coordinates(image, [v, u], order=1, mode="nearest"), 0)
        return straight.reshape(size), seen.reshape(size)

    def _turned(
        self,
        offset: Float64[np.ndarray, "n 2"],
        scale: Float64[np.ndarray, "n"],
        ideal_radius: Float64[np.ndarray, "n"],
        sign: int,
    ) -> Float64[np.ndarray, "n 2"]:
        """Offsets scaled and turned as at `ideal_radius`, and moved back to the image's centre."""
        angle = sign * np.radians(self.s_turn_deg) * (ideal_radius / self.radius_mm) ** 2
        x, y = offset.T
        turned = np.column_stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y])
        return scale[:, None] * turned + np.array(self.centre_mm)

    def _fold_mm(self) -> float:
        """The ideal distance from the centre where points begin to appear nearer again; infinite for a pincushion."""
        return self.radius_mm / float(np.sqrt(-3 * self.pincushion)) if self.pincushion < 0 else float("inf")

    def _ideal_radius(self, appears: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
        """Solves r (1 + pincushion (r/R)²) = appears.

        From r = appears Newton's steps stay on one side of the root for either sign of the pincushion, so they arrive.
        """
        cubic = self.pincushion / self.radius_mm**2
        radius = appears.copy()
        for _ in range(_MOST_STEPS):
            step = (radius * (1 + cubic * radius**2) - appears) / (1 + 3 * cubic * radius**2)
            radius -= step
            if np.abs(step).max(initial=0) < _ACCURACY_MM:
                break
        return radius
