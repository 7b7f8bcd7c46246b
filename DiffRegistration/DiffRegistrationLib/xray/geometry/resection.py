"""The pose of a CT from where cameras see its points (PnP), for any cameras together, with its uncertainty.

Poses of many triangles (`resection_start`) are ranked by how all pixels fit, the best are refined on all of them
(`resection_refinement`), and each pixel's part in the result is told. The covariance is that of least squares, with
what a point's error in the CT does to all views at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from numpy.typing import ArrayLike

from ..errors import InputError
from . import rigid
from .camera import Camera
from .resection_refinement import Residuals, Sightings, cost, images, refined, scale_of
from .resection_start import poses_of_triangles

_SUBJECT = "landmarks"
_LEAST_POINTS = 4
# Points nearer to one line than this part of their extent do not show turns about it.
_LEAST_WIDTH = 0.02
# Of the best poses of triangles so many are refined a little, and then so many to the end.
_TRIED, _KEPT = 8, 3
_FIRST_STEPS, _MOST_STEPS = 3, 12
# In standard deviations of the pose.
_CONVERGED = 1e-7
# Poses are two if they are turned by this much.
_APART_RAD = np.radians(8.0)
# Detectors may be this much worse than they say before their pixels count as wrong.
_MOST_SCALE = 3.0
# χ² of two numbers that one right pixel in a thousand exceeds.
_OUTLIER = 13.8


@dataclass(frozen=True, eq=False)
class Resection:
    """A pose from points, and how the pixels fit it.

    `pose` is world_from_ct (RAS mm), `covariance` that of the left increment ξ = (ω rad, v mm) about `centre` (world
    mm). `used` are the pixels that agree with the pose and made it; `reprojection` (px) is how far each pixel lies
    from its point's image, NaN where there is none. `scale` (1 to 3) says how many times the stated errors the pixels
    are off. `cost` is twice the negative logarithm of all pixels' likelihood, up to a constant: of two resections of
    the same pixels the lesser is likelier. `rival` is the pose that fits next best (often the one mirrored in depth),
    None if there is no other; `ambiguity` is the best pose's cost by the rival's, over the pixels that the best one
    explains: near 0 no doubt, near 1 both fit as well.
    """

    pose: Float64[np.ndarray, "4 4"]
    covariance: Float64[np.ndarray, "6 6"]
    centre: Float64[np.ndarray, "3"]
    used: Bool[np.ndarray, "views n"]
    seen: Bool[np.ndarray, "views n"]
    reprojection: Float64[np.ndarray, "views n"]
    scale: float
    cost: float
    rival: Float64[np.ndarray, "4 4"] | None
    ambiguity: float

    @property
    def rms(self) -> float:
        """Root mean square reprojection error (px) of the pixels used."""
        return float(np.sqrt((self.reprojection[self.used] ** 2).mean()))

    @property
    def points_used(self) -> int:
        """How many points have a part in the pose."""
        return int(self.used.any(axis=0).sum())

    @property
    def points_seen(self) -> int:
        """How many points have a pixel in some view."""
        return int(self.seen.any(axis=0).sum())

    @property
    def std(self) -> Float64[np.ndarray, "6"]:
        """Standard deviations of (ω, v) in rad and mm."""
        return np.sqrt(np.diag(self.covariance))


def resected(
    cameras: Sequence[Camera],
    pixels: Float64[np.ndarray, "views n 2"],
    points: Float64[np.ndarray, "n 3"],
    *,
    pixel_covariance: Float64[np.ndarray, "views n 2 2"] | None = None,
    sigma_px: float = 1.0,
    point_std_mm: ArrayLike = 0.0,
    centre: ArrayLike | None = None,
) -> Resection:
    """The pose (world_from_ct) that shows `points` (mm, the CT's frame) at `pixels` (u, v), all views together.

    A pixel is NaN where a view lacks it; a point that is NaN is left out. `pixel_covariance` is in px² (without it
    each coordinate has the standard deviation `sigma_px`), `point_std_mm` the standard deviation of the points along
    each axis, for all or one each. `centre` (mm, the CT's frame) is the point that the covariance speaks of, by
    default the centroid of the points seen. Wrong pixels are found and left out; the same input gives the same pose.

    InputError for fewer than four points, for none or two in each view, for points along a line, for pixels that no
    pose explains, and for points behind a source. ValueError for shapes and covariances that are none.
    """
    sightings, given = _sightings(cameras, pixels, points, pixel_covariance, sigma_px, point_std_mm, centre)
    _check_points(sightings)
    hypotheses = poses_of_triangles(sightings.cameras, sightings.pixels, sightings.seen, sightings.points)
    if not len(hypotheses):
        raise InputError(
            _SUBJECT,
            "no pose brings three of them onto the rays of their pixels before the X-ray source",
            "Check the pixels, and the camera: its z axis runs from the source toward the detector.",
        )
    poses, squared, scale = _refined_best(sightings, hypotheses)
    seen = sightings.seen
    # Wrong pixels cost both poses alike; those that the best pose explains tell them apart.
    agreeing = seen & (squared[0] <= _OUTLIER * scale**2)
    costs = cost(squared, scale, agreeing)
    rival = poses[1] if len(poses) > 1 else None
    ambiguity = float(min(costs[0] / max(costs[1], 1e-300), 1.0)) if len(poses) > 1 else 0.0
    used, scale = _agreeing(squared[0], seen, scale)
    _check_agreement(sightings, squared[0], used)
    final, last = refined(sightings, poses[:1], scale, most_steps=_MOST_STEPS, converged=_CONVERGED, counted=used)
    off = np.linalg.norm(sightings.pixels - images(sightings, final)[0], axis=2)
    everywhere = np.zeros((3, len(cameras), len(given)))
    everywhere[:, :, given] = used, seen, np.where(seen, off, np.nan)
    return Resection(
        pose=final[0],
        covariance=scale**2 * _covariance(sightings, last, used),
        centre=rigid.transform_points(final[0], sightings.centre[None])[0],
        used=everywhere[0] > 0,
        seen=everywhere[1] > 0,
        reprojection=np.where(everywhere[1] > 0, everywhere[2], np.nan),
        scale=scale,
        cost=float(cost(squared[0], 1.0, seen)),
        rival=rival,
        ambiguity=ambiguity,
    )


def _sightings(
    cameras: Sequence[Camera],
    pixels: ArrayLike,
    points: ArrayLike,
    pixel_covariance: ArrayLike | None,
    sigma_px: float,
    point_std_mm: ArrayLike,
    centre: ArrayLike | None,
) -> tuple[Sightings, Bool[np.ndarray, "n"]]:
    """The arguments of `resected`, checked, of the points that a view shows; and which these are."""
    pixels, points = np.asarray(pixels, dtype=np.float64), np.asarray(points, dtype=np.float64)
    shape = (len(cameras), len(points), 2)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"expected points of shape (n, 3), got {points.shape}")
    if not cameras or pixels.shape != shape:
        raise ValueError(f"expected pixels of shape {shape} for one camera at least, got {pixels.shape}")
    if not sigma_px > 0:
        raise ValueError(f"sigma_px must be positive, got {sigma_px}")
    if pixel_covariance is None:
        pixel_covariance = np.broadcast_to(sigma_px**2 * np.eye(2), (*shape, 2))
    covariance = np.asarray(pixel_covariance, dtype=np.float64)
    if covariance.shape != (*shape, 2):
        raise ValueError(f"expected pixel_covariance of shape {(*shape, 2)}, got {covariance.shape}")
    std = np.broadcast_to(np.asarray(point_std_mm, dtype=np.float64), len(points))
    seen = np.isfinite(pixels).all(axis=2) & np.isfinite(points).all(axis=1)
    if not np.isfinite(covariance[seen]).all() or (np.linalg.eigvalsh(covariance[seen]) <= 0).any():
        raise ValueError("pixel_covariance must be finite and positive definite wherever there is a pixel")
    given = seen.any(axis=0)
    if not (std[given] >= 0).all():
        raise ValueError("point_std_mm must be 0 or more for every point that is seen")
    if centre is None:
        centre = points[given].mean(axis=0) if given.any() else np.zeros(3)
    seen = seen[:, given]
    return (
        Sightings(
            cameras,
            np.where(seen[..., None], pixels[:, given], 0.0),
            np.where(seen[..., None, None], covariance[:, given], np.eye(2)),
            seen,
            points[given],
            std[given] ** 2,
            np.asarray(centre, dtype=np.float64),
        ),
        given,
    )


def _check_points(sightings: Sightings) -> None:
    """InputError for points that cannot make a pose, wherever they are seen."""
    known = sightings.points
    if len(known) < _LEAST_POINTS:
        raise InputError(
            _SUBJECT,
            f"{len(known)} of them are known in the CT and seen in an X-ray, at least {_LEAST_POINTS} are needed",
            "Mark more of them, better six or more, well apart; names must be the same in CT and X-ray.",
        )
    if sightings.seen.sum(axis=1).max() < 3:
        raise InputError(
            _SUBJECT,
            "no X-ray shows three of them or more",
            "Mark more of them in one of the X-rays, better six or more, well apart.",
        )
    extent = np.linalg.svd(known - known.mean(axis=0), compute_uv=False)
    if extent[1] <= max(_LEAST_WIDTH * extent[0], 1e-6):
        raise InputError(
            _SUBJECT,
            "those that are seen lie on one line in the CT, about which any turn looks the same",
            "Mark more of them, away from that line.",
        )


def _refined_best(
    sightings: Sightings, hypotheses: Float64[np.ndarray, "hypotheses 4 4"]
) -> tuple[Float64[np.ndarray, "poses 4 4"], Float64[np.ndarray, "poses views n"], float]:
    """The best pose, and the next best that is another, if there is any; squared residuals; the errors' scale."""
    shown = images(sightings, hypotheses)
    offset = np.where(sightings.seen[..., None], sightings.pixels - shown, 0.0)
    squared = np.einsum("pvni,vnij,pvnj->pvn", offset, np.linalg.inv(sightings.covariance), offset)
    squared = np.where(np.isnan(squared), np.inf, squared)
    # Three pixels alone hit a pose only roughly: what it says of the others is forgiven more.
    ranked = np.argsort(cost(squared, _MOST_SCALE, sightings.seen), kind="stable")
    first, found = refined(sightings, hypotheses[ranked[:_TRIED]], _MOST_SCALE, most_steps=_FIRST_STEPS)
    order = np.argsort(cost(found.squared, 1.0, sightings.seen), kind="stable")
    scale = scale_of(found.squared[order[0]], sightings.seen, _MOST_SCALE)
    best = first[order[0]]
    tried = np.stack([*_distinct(first[order], _KEPT), *_mirrored(sightings, best)])
    poses, found = refined(sightings, tried, scale, most_steps=_MOST_STEPS)
    order = np.argsort(cost(found.squared, scale, sightings.seen), kind="stable")
    chosen = [order[0]]
    chosen += [n for n in order[1:] if rigid.angle_between(poses[n], poses[order[0]]) > _APART_RAD][:1]
    squared = found.squared[chosen]
    return poses[chosen], squared, scale_of(squared[0], sightings.seen, _MOST_SCALE)


def _distinct(poses: Float64[np.ndarray, "poses 4 4"], most: int) -> list[Float64[np.ndarray, "4 4"]]:
    """The first `most` poses that are turned against each other."""
    kept: list[Float64[np.ndarray, "4 4"]] = []
    for pose in poses:
        if len(kept) < most and all(rigid.angle_between(pose, other) > _APART_RAD for other in kept):
            kept.append(pose)
    return kept


def _mirrored(sightings: Sightings, pose: Float64[np.ndarray, "4 4"]) -> list[Float64[np.ndarray, "4 4"]]:
    """For each view the pose that is mirrored in its depth, and once more about the plane that points lie nearest to.

    From afar, points of a plane look the same in both (Schweighofer & Pinz, IEEE TPAMI 28(12), 2006).
    """
    middle = sightings.points.mean(axis=0)
    normal = np.linalg.svd(sightings.points - middle, full_matrices=False)[2][2]
    about = rigid.transform_points(pose, middle[None])
    found = []
    for camera in sightings.cameras:
        ray = camera.rays(camera.project(about))
        beam = (ray.target - ray.source)[0]
        beam = beam / np.linalg.norm(beam)
        if not np.isfinite(beam).all():
            continue
        rotation = (np.eye(3) - 2 * np.outer(beam, beam)) @ pose[:3, :3] @ (np.eye(3) - 2 * np.outer(normal, normal))
        found.append(rigid.rigid(rotation, about[0] - rotation @ middle))
    return found


def _agreeing(
    squared: Float64[np.ndarray, "views n"], seen: Bool[np.ndarray, "views n"], scale: float
) -> tuple[Bool[np.ndarray, "views n"], float]:
    """The pixels that agree with a pose, and the scale of their errors, where it is more than chance."""
    used = seen & (squared <= _OUTLIER * scale**2)
    for _ in range(3):
        freedom = max(2 * int(used.sum()) - 6, 1)
        square = float(squared[used].sum()) / freedom
        # Twice the standard deviation of χ²: stated errors are believed unless the pixels speak against them.
        scale = float(np.sqrt(min(square, _MOST_SCALE**2))) if square > 1 + 2 * np.sqrt(2 / freedom) else 1.0
        used = seen & (squared <= _OUTLIER * scale**2)
    return used, scale


def _check_agreement(
    sightings: Sightings, squared: Float64[np.ndarray, "views n"], used: Bool[np.ndarray, "views n"]
) -> None:
    """InputError where too few pixels agree on a pose, or where a view would show all of its points behind itself."""
    seen = sightings.seen
    for view in np.flatnonzero(seen.sum(axis=1) >= 3):
        if np.isinf(squared[view][seen[view]]).all():
            raise InputError(
                _SUBJECT,
                f"they lie behind the source of X-ray {view + 1}, where the other X-rays show them",
                "Check its camera: its z axis runs from the source toward the detector, its frame is shared by all.",
            )
    agreeing = int(used.any(axis=0).sum())
    if agreeing < _LEAST_POINTS:
        raise InputError(
            _SUBJECT,
            f"no more than {agreeing} of {seen.shape[1]} agree on a pose of the CT",
            "Check their names (left and right), that the X-ray is not mirrored, and the camera.",
        )


def _covariance(
    sightings: Sightings, found: Residuals, used: Bool[np.ndarray, "views n"]
) -> Float64[np.ndarray, "6 6"]:
    """Covariance of (ω rad, v mm) after least squares of the pixels `used`, whose pose `found` has alone.

    A point that is off in the CT is off in all views alike: of its part in the pixels' errors this is told here.
    """
    weighted = np.where(used[..., None, None], found.information[0], 0.0) @ found.by_pose[0]
    normal = np.einsum("vnij,vnik->jk", weighted, found.by_pose[0])
    units = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    if np.linalg.eigvalsh(normal * np.outer(units, units))[0] < 1e-12:
        raise InputError(
            _SUBJECT,
            "those that agree do not determine a pose",
            "Mark more of them, better six or more, well apart and not along a line.",
        )
    inverse = np.linalg.inv(normal * np.outer(units, units)) * np.outer(units, units)
    # How the pose follows the pixels' own errors, and the points'.
    own = np.einsum("vnij,vnik,vnkl->jl", weighted, sightings.covariance, weighted)
    by_point = np.einsum("vnij,vnik->njk", weighted, found.by_point[0])
    shared = np.einsum("n,njk,nlk->jl", sightings.variance, by_point, by_point)
    covariance = inverse @ (own + shared) @ inverse
    return 0.5 * (covariance + covariance.T)
