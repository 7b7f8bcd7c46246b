"""Whether cameras belong together, told by points that several of them see: epipolar geometry.

Hartley & Zisserman, Multiple View Geometry, ch. 9 (fundamental matrix) and 11.4.3 (symmetric epipolar distance).
Everything works on 3×4 matrices x ~ P X whose last row is the depth along the camera's z, positive in front of the
source, mirrored ones included: flipped axes are found by trying them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from . import rigid
from .pinhole import PinholeCamera

# Sources nearer to each other than this are one: no epipolar geometry.
ONE_SOURCE_MM = 1e-3
# Rays that span a smaller squared sine do not cross.
_PARALLEL = 1e-12


@dataclass(frozen=True, eq=False)
class PairGeometry:
    """How points fit a pair of views: NaN and False where not both show one.

    `residual` is the root mean square of the two distances (px) of a point from the epipolar line of its partner;
    `behind_first` and `behind_second` are points whose rays come nearest to each other behind that view's source.
    """

    residual: Float64[np.ndarray, "points"]
    behind_first: Bool[np.ndarray, "points"]
    behind_second: Bool[np.ndarray, "points"]

    @property
    def count(self) -> int:
        """How many points both views show."""
        return int(np.isfinite(self.residual).sum())

    @property
    def median(self) -> float:
        """Median residual (px); NaN without a point."""
        seen = self.residual[np.isfinite(self.residual)]
        return float(np.median(seen)) if seen.size else float("nan")

    @property
    def maximum(self) -> float:
        """Largest residual (px); NaN without a point."""
        seen = self.residual[np.isfinite(self.residual)]
        return float(seen.max()) if seen.size else float("nan")

    @property
    def behind(self) -> int:
        """How many points lie behind one of the sources."""
        return int((self.behind_first | self.behind_second).sum())

    def fits(self, limit_px: float) -> bool:
        """Whether the median is within the limit and at most one point in ten lies behind a source."""
        return self.median <= limit_px and 10 * self.behind <= self.count


def fundamental_matrix(first: PinholeCamera, second: PinholeCamera) -> Float64[np.ndarray, "3 3"]:
    """F with x₂ᵀ F x₁ = 0 for the pixels (u, v, 1) of every point; of unit norm, or zero for views from one source."""
    return _fundamental(first.projection_matrix, second.projection_matrix)


def symmetric_epipolar_distance(
    F: Float64[np.ndarray, "3 3"], first: Float64[np.ndarray, "n 2"], second: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "n"]:
    """√((d₁² + d₂²)/2) with d₂ (px) from x₂ to the line F x₁ and d₁ from x₁ to Fᵀ x₂; NaN where a pixel is NaN."""
    ones = np.ones((len(first), 1))
    x1, x2 = np.hstack([first, ones]), np.hstack([second, ones])
    lines2, lines1 = np.einsum("ij,nj->ni", F, x1), np.einsum("ji,nj->ni", F, x2)
    algebraic = np.einsum("ni,ni->n", x2, lines2) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = algebraic / (lines2[:, :2] ** 2).sum(axis=1) + algebraic / (lines1[:, :2] ** 2).sum(axis=1)
    return np.sqrt(squares / 2)


def pair_geometry(
    first: PinholeCamera,
    second: PinholeCamera,
    pixels_first: Float64[np.ndarray, "n 2"],
    pixels_second: Float64[np.ndarray, "n 2"],
) -> PairGeometry:
    """How pixels (u, v; NaN where not seen) fit two cameras. All NaN for two views from one source."""
    return geometry_of_matrices(first.projection_matrix, second.projection_matrix, pixels_first, pixels_second)


def geometry_of_matrices(
    first: Float64[np.ndarray, "3 4"],
    second: Float64[np.ndarray, "3 4"],
    pixels_first: Float64[np.ndarray, "n 2"],
    pixels_second: Float64[np.ndarray, "n 2"],
) -> PairGeometry:
    """As `pair_geometry`, for matrices with the depth as last row, mirrored ones too."""
    residual = symmetric_epipolar_distance(_fundamental(first, second), pixels_first, pixels_second)
    depths = _depths_of_crossing(first, second, pixels_first, pixels_second)
    with np.errstate(invalid="ignore"):
        return PairGeometry(residual, depths[0] < 0, depths[1] < 0)


def _centre(P: Float64[np.ndarray, "3 4"]) -> Float64[np.ndarray, "3"]:
    return -np.linalg.solve(P[:, :3], P[:, 3])


def _fundamental(first: Float64[np.ndarray, "3 4"], second: Float64[np.ndarray, "3 4"]) -> Float64[np.ndarray, "3 3"]:
    """[e₂]× M₂ M₁⁻¹, H & Z 9.2.2, e₂ the image of the first source in the second view."""
    centre = _centre(first)
    if np.linalg.norm(centre - _centre(second)) < ONE_SOURCE_MM:
        return np.zeros((3, 3))
    epipole = second[:, :3] @ centre + second[:, 3]
    F = rigid.skew(epipole) @ second[:, :3] @ np.linalg.inv(first[:, :3])
    return F / np.linalg.norm(F)


def _depths_of_crossing(
    first: Float64[np.ndarray, "3 4"],
    second: Float64[np.ndarray, "3 4"],
    pixels_first: Float64[np.ndarray, "n 2"],
    pixels_second: Float64[np.ndarray, "n 2"],
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """Depths (mm) from each source at which the two rays of a point come nearest; NaN for rays that are parallel."""
    directions = []
    for P, pixels in ((first, pixels_first), (second, pixels_second)):
        inverse = np.linalg.inv(P[:, :3])
        directions.append(np.einsum("ij,nj->ni", inverse[:, :2], pixels) + inverse[:, 2])
    a, b = directions
    between = _centre(second) - _centre(first)
    aa, bb, ab = (np.einsum("ni,ni->n", x, y) for x, y in ((a, a), (b, b), (a, b)))
    determinant = aa * bb - ab**2
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = np.where(determinant > _PARALLEL * aa * bb, determinant, np.nan)
        to_a, to_b = a @ between, b @ between
        return (bb * to_a - ab * to_b) / determinant, (ab * to_a - aa * to_b) / determinant
