"""Points in space from where several cameras see them: the likeliest ones, how sure they are, and who disagrees.

The likeliest point under Gaussian errors of the pixels has the least reprojection error (Hartley & Sturm 1997,
Triangulation; for any number of views: Hartley & Zisserman, Multiple View Geometry, ch. 12.3). It is found by
Gauss-Newton from the point nearest to all rays, and its covariance is the inverse of the normal matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64

from .camera import Camera

# Steps of Gauss-Newton at most; from the rays' nearest point it takes three or four until none moves farther (mm).
_STEPS, _SETTLED_MM = 12, 1e-8
# Below this relative size of the normal matrix's smallest eigenvalue the rays do not cross.
_PARALLEL = 1e-10
# A move of a point by so many mm shows how its pixel moves.
_PROBE_MM = 1e-3


@dataclass(frozen=True, eq=False)
class Triangulation:
    """Points (world mm), NaN where fewer than two views see them, or where their rays do not cross.

    `covariance` (mm²) follows from the pixels' errors; `reprojection` is how far (px) each view's pixel lies from the
    point's image, NaN where it was not seen; `used` are the views that the point was made from. `behind` are points
    whose rays only cross behind a source, which no camera could have seen.
    """

    points: Float64[np.ndarray, "points 3"]
    covariance: Float64[np.ndarray, "points 3 3"]
    reprojection: Float64[np.ndarray, "views points"]
    used: Bool[np.ndarray, "views points"]
    behind: Bool[np.ndarray, "points"]

    @property
    def found(self) -> Bool[np.ndarray, "points"]:
        """Which points there are."""
        return np.isfinite(self.points).all(axis=1)

    @property
    def std(self) -> Float64[np.ndarray, "points 3"]:
        """Standard deviations (mm) along the world's axes."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))

    @property
    def mean_reprojection(self) -> float:
        """Mean reprojection error (px) of all pixels that were used; NaN if there is none."""
        errors = self.reprojection[self.used & self.found]
        return float(errors.mean()) if errors.size else float("nan")


def triangulate(
    cameras: Sequence[Camera],
    pixels: Float64[np.ndarray, "views points 2"],
    *,
    sigma_px: float = 1.0,
    pixel_covariance: Float64[np.ndarray, "views points 2 2"] | None = None,
    outlier_px: float | None = None,
) -> Triangulation:
    """The likeliest points for their pixels (u, v) in each view, NaN where a view does not see one.

    `sigma_px` is the standard deviation of a pixel along each axis, unless each has its own `pixel_covariance` (px²),
    which may be anything where a view does not see the point. With `outlier_px` a view whose pixel lies farther
    from the point is left out where at least three see it and the others agree: the largest set of views that agrees
    is used, of equals the one with the least error. ValueError for fewer than two cameras, for other shapes, and for
    a covariance of a seen pixel that is none.
    """
    pixels = np.asarray(pixels, dtype=np.float64)
    if len(cameras) < 2:
        raise ValueError(f"two cameras are needed at least, got {len(cameras)}")
    if pixels.ndim != 3 or pixels.shape[0] != len(cameras) or pixels.shape[2] != 2:
        raise ValueError(f"expected pixels of shape ({len(cameras)}, points, 2), got {pixels.shape}")
    if not sigma_px > 0:
        raise ValueError(f"sigma_px must be positive, got {sigma_px}")
    seen = np.isfinite(pixels).all(axis=2)
    whitening = np.broadcast_to(np.eye(2) / sigma_px, (*seen.shape, 2, 2))
    if pixel_covariance is not None:
        whitening = _whitening(np.asarray(pixel_covariance, dtype=np.float64), seen)
    best = _from_views(cameras, pixels, seen, whitening)
    if outlier_px is None or len(cameras) < 3:
        return best
    return _without_outliers(cameras, pixels, seen, whitening, outlier_px, best)


def _whitening(
    covariance: Float64[np.ndarray, "views points 2 2"], seen: Bool[np.ndarray, "views points"]
) -> Float64[np.ndarray, "views points 2 2"]:
    """What makes errors of the pixels ones of variance 1 along each axis, independent of each other."""
    if covariance.shape != (*seen.shape, 2, 2):
        raise ValueError(f"expected covariances of shape {(*seen.shape, 2, 2)}, got {covariance.shape}")
    known = np.where(seen[..., None, None], covariance, np.eye(2))
    if not np.isfinite(known).all() or not (np.linalg.eigvalsh(known)[..., 0] > 0).all():
        raise ValueError("the covariance of a seen pixel is not positive definite")
    return np.linalg.inv(np.linalg.cholesky(known))


def _from_views(
    cameras: Sequence[Camera],
    pixels: Float64[np.ndarray, "views points 2"],
    used: Bool[np.ndarray, "views points"],
    whitening: Float64[np.ndarray, "views points 2 2"],
) -> Triangulation:
    points = _nearest_to_rays(cameras, pixels, used)
    shown = np.stack([np.isfinite(camera.project(points)).all(axis=1) for camera in cameras])
    behind = np.isfinite(points).all(axis=1) & (used & ~shown).any(axis=0)
    normal = np.full((len(points), 3, 3), np.nan)
    for _ in range(_STEPS):
        images, jacobians = _images(cameras, points)
        residuals = np.einsum("vnij,vnj->vni", whitening, np.where(used[..., None], pixels - images, 0.0))
        weighted = whitening @ np.where(used[..., None, None], jacobians, 0.0)
        normal = np.einsum("vnij,vnik->njk", weighted, weighted)
        gradient = np.einsum("vnij,vni->nj", weighted, residuals)
        steps = _solved(normal, gradient)
        points = points + steps
        if not (np.abs(steps) > _SETTLED_MM).any():
            break
    images, _ = _images(cameras, points)
    reprojection = np.linalg.norm(pixels - images, axis=2)
    covariance = np.full_like(normal, np.nan)
    there = np.isfinite(points).all(axis=1)
    if there.any():
        covariance[there] = np.linalg.inv(normal[there])
    return Triangulation(points, covariance, reprojection, used & there, behind)


def _nearest_to_rays(
    cameras: Sequence[Camera],
    pixels: Float64[np.ndarray, "views points 2"],
    used: Bool[np.ndarray, "views points"],
) -> Float64[np.ndarray, "points 3"]:
    """The points with the least squared distance to all rays; NaN where these are fewer than two, or parallel."""
    count = pixels.shape[1]
    matrix, right = np.zeros((count, 3, 3)), np.zeros((count, 3))
    for camera, seen_at, use in zip(cameras, pixels, used, strict=True):
        rays = camera.rays(np.where(use[:, None], seen_at, 0.0))
        along = rays.target - rays.source
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        across = np.eye(3) - along[:, :, None] * along[:, None, :]
        across[~use] = 0
        matrix += across
        right += np.einsum("nij,nj->ni", across, rays.source)
    crossing = (used.sum(axis=0) >= 2) & (np.linalg.eigvalsh(matrix)[:, 0] > _PARALLEL)
    points = np.full((count, 3), np.nan)
    points[crossing] = np.linalg.solve(matrix[crossing], right[crossing][..., None])[..., 0]
    return points


def _images(
    cameras: Sequence[Camera], points: Float64[np.ndarray, "points 3"]
) -> tuple[Float64[np.ndarray, "views points 2"], Float64[np.ndarray, "views points 2 3"]]:
    """Pixels of the points, and how they move with the points (px/mm, by central differences)."""
    images = np.stack([camera.project(points) for camera in cameras])
    moves = _PROBE_MM * np.eye(3)
    jacobians = [
        np.stack([(camera.project(points + move) - camera.project(points - move)) / (2 * _PROBE_MM) for move in moves])
        for camera in cameras
    ]
    return images, np.moveaxis(np.stack(jacobians), 1, -1)


def _solved(
    normal: Float64[np.ndarray, "points 3 3"], gradient: Float64[np.ndarray, "points 3"]
) -> Float64[np.ndarray, "points 3"]:
    """The steps of Gauss-Newton; NaN where the pixels do not determine a point."""
    steps = np.full_like(gradient, np.nan)
    finite = np.isfinite(normal).all(axis=(1, 2)) & np.isfinite(gradient).all(axis=1)
    eigenvalues = np.linalg.eigvalsh(np.where(finite[:, None, None], normal, 0.0))
    determined = finite & (eigenvalues[:, 0] > _PARALLEL * eigenvalues[:, 2])
    steps[determined] = np.linalg.solve(normal[determined], gradient[determined][..., None])[..., 0]
    return steps


def _without_outliers(
    cameras: Sequence[Camera],
    pixels: Float64[np.ndarray, "views points 2"],
    seen: Bool[np.ndarray, "views points"],
    whitening: Float64[np.ndarray, "views points 2 2"],
    outlier_px: float,
    whole: Triangulation,
) -> Triangulation:
    """For points whose views do not agree, what their largest set of views that does agree says."""
    points, covariance = whole.points.copy(), whole.covariance.copy()
    reprojection, used = whole.reprojection.copy(), whole.used.copy()
    worst = np.where(whole.used, whole.reprojection, 0.0).max(axis=0)
    open_ones = whole.found & (worst > outlier_px) & (seen.sum(axis=0) >= 3)
    for size in range(len(cameras) - 1, 1, -1):
        least = np.full(len(points), np.inf)
        for views in combinations(range(len(cameras)), size):
            chosen = np.zeros_like(seen)
            chosen[list(views)] = seen[list(views)]
            # Two views alone agree with anything that lies on their epipolar lines; they must see the point both.
            candidates = open_ones & (chosen.sum(axis=0) == size)
            if not candidates.any():
                continue
            found = _from_views(cameras, pixels, chosen & candidates, whitening)
            errors = np.where(found.used, found.reprojection, 0.0)
            total = (errors**2).sum(axis=0)
            better = candidates & found.found & (errors.max(axis=0) <= outlier_px) & (total < least)
            least[better] = total[better]
            points[better], covariance[better] = found.points[better], found.covariance[better]
            reprojection[:, better], used[:, better] = found.reprojection[:, better], found.used[:, better]
        open_ones = open_ones & ~np.isfinite(least)
    return Triangulation(points, covariance, reprojection, used, whole.behind)
