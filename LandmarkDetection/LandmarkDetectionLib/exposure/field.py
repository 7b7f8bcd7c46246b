"""The collimated field on the detector, as a polygon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Bool, Float64
from scipy.spatial import ConvexHull

# Corners that stand out less than this make the polygon of a round field longer and no better.
_TOLERANCE_PX = 0.25


@dataclass(frozen=True, eq=False)
class Field:
    """Corners (u, v) in px of a polygon that does not cross itself; pixel centres are integers.

    ValueError for fewer than three corners and for corners that are not finite.
    """

    corners: Float64[np.ndarray, "n 2"]

    def __post_init__(self) -> None:
        corners = np.array(self.corners, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise ValueError(f"expected three corners or more as (u, v), got an array of shape {corners.shape}")
        corners.flags.writeable = False
        object.__setattr__(self, "corners", corners)

    @classmethod
    def of_image(cls, size: tuple[int, int]) -> Self:
        """All of an image of `size` (rows, columns): nothing was collimated, or nobody knows."""
        right, bottom = size[1] - 0.5, size[0] - 0.5
        return cls(np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]]))

    @classmethod
    def of_mask(cls, mask: Bool[np.ndarray, "rows columns"]) -> Self:
        """The smallest convex polygon around the usable pixels, as whole squares.

        Shutters and round edges leave a convex field; pixels within it that are of no use, burnt-out ones for
        instance, were exposed all the same. InputError if no pixel is usable.
        """
        rows = np.flatnonzero(mask.any(axis=1))
        if not rows.size:
            raise InputError("field of the X-ray", "no pixel of it is usable", "Check the image's mask.")
        first = mask[rows].argmax(axis=1)
        last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
        ends = np.concatenate([np.stack([first - 0.5, rows], axis=1), np.stack([last + 0.5, rows], axis=1)])
        squares = np.concatenate([ends - np.array([0, 0.5]), ends + np.array([0, 0.5])])
        return cls(_simplified(squares[ConvexHull(squares).vertices]))

    def contains(self, pixels: Float64[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Which pixels (u, v) lie in the polygon; NaN does not."""
        inside = np.zeros(len(pixels), dtype=bool)
        (u0, v0), (u1, v1) = self.corners.min(axis=0), self.corners.max(axis=0)
        u, v = pixels[:, 0], pixels[:, 1]
        near = np.flatnonzero((u >= u0) & (u <= u1) & (v >= v0) & (v <= v1))
        u, v = u[near], v[near]
        crossed = np.zeros(len(near), dtype=bool)
        for (u0, v0), (u1, v1) in zip(self.corners, np.roll(self.corners, -1, axis=0), strict=True):
            if v0 != v1:
                # A ray to the right crosses the polygon's edges an odd number of times from inside.
                crossed ^= ((v0 > v) != (v1 > v)) & (u < u0 + (v - v0) * ((u1 - u0) / (v1 - v0)))
        inside[near] = crossed
        return inside


def distance_inside(corners: Float64[np.ndarray, "n 2"], point: Float64[np.ndarray, "2"]) -> float:
    """Distance of a point to a polygon's nearest edge, negative outside, in the corners' unit."""
    along = np.roll(corners, -1, axis=0) - corners
    part = ((point - corners) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-30)
    distance = np.linalg.norm(corners + part.clip(0, 1)[:, None] * along - point, axis=1).min()
    return float(distance if Field(corners).contains(point[None])[0] else -distance)


def _simplified(corners: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "m 2"]:
    """The polygon without corners that stand out by less than the tolerance, least ones first."""
    while len(corners) > 3:
        before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
        chord, arm = after - before, corners - before
        height = np.abs(chord[:, 0] * arm[:, 1] - chord[:, 1] * arm[:, 0]) / np.linalg.norm(chord, axis=1)
        if height.min() >= _TOLERANCE_PX:
            break
        corners = np.delete(corners, height.argmin(), axis=0)
    return corners
