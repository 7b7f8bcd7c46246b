"""A head of the population, posed so that its landmarks are where the network says, as far as it is sure.

Gauss–Newton on the pose, the coefficients of the shape's modes and the depth, with robust weights (Cauchy) and the
modes' own prior. What comes out for each landmark is what the fit says, moved toward what was measured by as much as
the shape leaves open there (the posterior mean of a linear Gaussian model).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Bool, Float64

from ..skull_shape.procrustes import best_rigid
from .landmark_shape import LandmarkShape

_ROUNDS = 12
# In standard deviations: what is further off counts less and less.
_CAUCHY = 2.5
_SMALLEST_STEP = 1e-4
# A head's distance from the source is known to no more than this factor before anything is seen.
_LOG_DEPTH = 0.35


@dataclass(frozen=True, eq=False)
class MeasuredPlaces:
    """Places of landmarks in half widths of an image of this `field` (width over source-detector distance).

    As in `NetworkAnswer`: x, y in the image, z relative depth; `across` and `depth` are standard deviations.
    """

    places: Float64[np.ndarray, "n 3"]
    across: Float64[np.ndarray, "n"]
    depth: Float64[np.ndarray, "n"]
    field: float


@dataclass(frozen=True, eq=False)
class FittedPlaces:
    """Landmarks that lie together as those of a head do.

    `pixels` in half widths of the image with standard deviations `across`; `points` in the camera's frame (mm) with
    covariances; `misfit` is the median distance of measured from fitted places in their standard deviations.
    """

    pixels: Float64[np.ndarray, "n 2"]
    pixel_covariance: Float64[np.ndarray, "n 2 2"]
    points: Float64[np.ndarray, "n 3"]
    point_covariance: Float64[np.ndarray, "n 3 3"]
    coefficients: Float64[np.ndarray, "m"]
    misfit: float


def fitted_places(shape: LandmarkShape, measured: MeasuredPlaces, depth_mm: float | None = None) -> FittedPlaces:
    """The head of `shape` that explains `measured`; NaN for landmarks that the shape does not hold.

    `depth_mm` is the distance of the landmarks' mean from the source along the beam, where something tells it; else
    it follows from how large heads are.
    """
    used = np.isfinite(shape.mean).all(axis=1)
    mean, modes = shape.mean[used], shape.modes[:, used]
    half = 0.5 * measured.field
    seen = measured.places[used]
    sigma = np.column_stack([measured.across[used]] * 2 + [measured.depth[used]])
    rest = shape.rest_mm[used]
    pose, depth = _start(mean, seen, half, depth_mm)
    coefficients = np.zeros(len(modes))
    for _ in range(_ROUNDS):
        points, J = _placed(mean, modes, pose, coefficients)
        predicted, A = _seen(points, J, half)
        scale = half * points[:, 2].mean()
        # What the modes leave open is uncertain in the image as well.
        total = np.sqrt(sigma**2 + (rest / scale)[:, None] ** 2)
        off = (seen - predicted) / total
        weight = 1 / (1 + (off / _CAUCHY) ** 2)
        A /= total[:, :, None]
        normal = np.einsum("nik,ni,nil->kl", A, weight, A)
        right = np.einsum("nik,ni,ni->k", A, weight, off)
        prior, pull = _prior(len(modes), coefficients, points, depth, depth_mm is not None)
        step = np.linalg.solve(normal + prior, right + pull)
        pose = rigid.move_about(pose[:3, 3], step[:6], pose)
        coefficients = coefficients + step[6:]
        if np.abs(step[:3]).max() < _SMALLEST_STEP and np.abs(step[3:6]).max() < 0.01:
            break
    return _posterior(shape, used, measured, pose, coefficients, np.linalg.inv(normal + prior))


def _start(
    mean: Float64[np.ndarray, "n 3"], seen: Float64[np.ndarray, "n 3"], half: float, depth_mm: float | None
) -> tuple[Float64[np.ndarray, "4 4"], float]:
    """camera_from_shape that brings the mean onto the measured places, and its depth (mm)."""
    weak = seen - seen.mean(axis=0)
    size = np.sqrt((weak**2).sum() / ((mean - mean.mean(axis=0)) ** 2).sum())
    depth = depth_mm or 1.0 / (half * max(size, 1e-6))
    scale = half * depth
    points = scale * seen
    points[:, :2] *= (1 + half * seen[:, 2])[:, None]
    points[:, 2] += depth
    return best_rigid(mean, points), depth


def _placed(
    mean: Float64[np.ndarray, "n 3"],
    modes: Float64[np.ndarray, "m n 3"],
    pose: Float64[np.ndarray, "4 4"],
    coefficients: Float64[np.ndarray, "m"],
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3 6+m"]]:
    """Landmarks in the camera's frame (mm), and their derivatives by a left twist about the shape's origin and by the
    coefficients.
    """
    turned = (mean + np.tensordot(coefficients, modes, axes=1)) @ pose[:3, :3].T
    J = np.zeros((len(mean), 3, 6 + len(modes)))
    for axis in range(3):
        J[:, :, axis] = np.cross(np.eye(3)[axis], turned)
        J[:, axis, 3 + axis] = 1
    J[:, :, 6:] = np.einsum("ij,mnj->nim", pose[:3, :3], modes)
    return turned + pose[:3, 3], J


def _seen(
    points: Float64[np.ndarray, "n 3"], J: Float64[np.ndarray, "n 3 k"], half: float
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3 k"]]:
    """Places of points in half widths and relative depths, and their derivatives, given the points' own."""
    z = np.maximum(points[:, 2], 1.0)
    scale = half * z.mean()
    places = np.column_stack([points[:, :2] / (half * z[:, None]), (z - z.mean()) / scale])
    across = (J[:, :2] - (points[:, :2] / z[:, None])[:, :, None] * J[:, 2:]) / (half * z)[:, None, None]
    # A relative depth does not change where all move together.
    deep = (J[:, 2:] - J[:, 2:].mean(axis=0)) / scale
    return places, np.concatenate([across, deep], axis=1)


def _prior(
    count: int,
    coefficients: Float64[np.ndarray, "m"],
    points: Float64[np.ndarray, "n 3"],
    depth: float,
    is_known: bool,
) -> tuple[Float64[np.ndarray, "k k"], Float64[np.ndarray, "k"]]:
    """Information of the modes (variance 1) and of the depth, and the pull back to what they expect."""
    deviation = 2.0 if is_known else _LOG_DEPTH * depth
    information = np.zeros(6 + count)
    information[5], information[6:] = deviation**-2.0, 1.0
    pull = np.zeros(6 + count)
    pull[5], pull[6:] = (depth - points[:, 2].mean()) * deviation**-2.0, -coefficients
    return np.diag(information), pull


def _posterior(
    shape: LandmarkShape,
    used: Bool[np.ndarray, "n"],
    measured: MeasuredPlaces,
    pose: Float64[np.ndarray, "4 4"],
    coefficients: Float64[np.ndarray, "m"],
    covariance: Float64[np.ndarray, "k k"],
) -> FittedPlaces:
    half = 0.5 * measured.field
    points, J = _placed(shape.mean[used], shape.modes[:, used], pose, coefficients)
    predicted, A = _seen(points, J, half)
    scale = half * points[:, 2].mean()
    rest = (shape.rest_mm[used] / scale) ** 2
    noise = np.column_stack([measured.across[used]] * 2 + [measured.depth[used]]) ** 2
    off = measured.places[used] - predicted
    # The rest of a landmark is its own: it follows the landmark's own measurement alone.
    gain = rest[:, None] / (rest[:, None] + noise) / (1 + (off**2 / (rest[:, None] + noise)) / _CAUCHY**2)
    places = predicted + gain * off
    open_rest = (1 - gain) * rest[:, None]
    from_fit = np.einsum("nik,kl,njl->nij", A, covariance, A)
    keep = 1 - gain
    place_covariance = from_fit * keep[:, :, None] * keep[:, None, :] + open_rest[:, :, None] * np.eye(3)
    # In space: along the landmark's ray, at its depth.
    z = points[:, 2] + (places[:, 2] - predicted[:, 2]) * scale
    moved = np.column_stack([places[:, :2] * half * z[:, None], z])
    ray = np.zeros((len(moved), 3, 3))
    ray[:, 0, 0] = ray[:, 1, 1] = half * z
    ray[:, :2, 2] = places[:, :2] * half
    ray[:, 2, 2] = 1
    space = np.zeros_like(place_covariance)
    space[:, :2, :2] = place_covariance[:, :2, :2]
    depth_variance = np.einsum("nk,kl,nl->n", J[:, 2], covariance, J[:, 2]) + open_rest[:, 2] * scale**2
    space[:, 2, 2] = depth_variance
    count = len(used)
    return FittedPlaces(
        _spread(places[:, :2], used, count),
        _spread(place_covariance[:, :2, :2], used, count),
        _spread(moved, used, count),
        _spread(np.einsum("nij,njk,nlk->nil", ray, space, ray), used, count),
        coefficients,
        float(np.median(np.abs(off[:, :2]) / np.sqrt(rest[:, None] + noise[:, :2]))),
    )


def _spread(values: np.ndarray, used: Bool[np.ndarray, "n"], count: int) -> np.ndarray:
    whole = np.full((count, *values.shape[1:]), np.nan)
    whole[used] = values
    return whole
