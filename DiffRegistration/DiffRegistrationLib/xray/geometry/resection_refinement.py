"""Poses refined on the pixels of points: Levenberg–Marquardt with the weights of Student's t, many poses at once.

A pixel's error is its own and that of the point in the CT, as the camera shows it. The weights make little of pixels
that are wrong (Lange, Little & Taylor, JASA 84, 1989); increments are left twists ξ = (ω rad, v mm) about a centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from . import rigid
from .camera import Camera

# A move of a point by so many mm shows how its pixel moves.
_PROBE_MM = 1e-3
# Student's t: pixels some standard deviations off are possible, and far ones tell nothing.
_FREEDOM = 4.0
# What a point costs that lies behind a source, in standard deviations squared: more than any that is seen.
_BEHIND = 1e6


@dataclass(frozen=True, eq=False)
class Sightings:
    """Points of a CT and their pixels in some views.

    `pixels` are (u, v), `covariance` theirs in px²; both count only where `seen`. `points` are in mm in the CT's
    frame, `variance` is theirs along each axis in mm², `centre` the point that increments turn about.
    """

    cameras: Sequence[Camera]
    pixels: Float64[np.ndarray, "views n 2"]
    covariance: Float64[np.ndarray, "views n 2 2"]
    seen: Bool[np.ndarray, "views n"]
    points: Float64[np.ndarray, "n 3"]
    variance: Float64[np.ndarray, "n"]
    centre: Float64[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class Residuals:
    """How poses explain the pixels: `offset` (px) from where the poses show the points, `by_point` (px/mm) how the
    images move with the points, `by_pose` with the pose, `squared` the offsets in standard deviations, squared.

    A pixel that is not there has an offset of zero, one of a point behind the source an infinite `squared`.
    """

    offset: Float64[np.ndarray, "poses views n 2"]
    by_point: Float64[np.ndarray, "poses views n 2 3"]
    by_pose: Float64[np.ndarray, "poses views n 2 6"]
    information: Float64[np.ndarray, "poses views n 2 2"]
    squared: Float64[np.ndarray, "poses views n"]


def images(sightings: Sightings, poses: Float64[np.ndarray, "poses 4 4"]) -> Float64[np.ndarray, "poses views n 2"]:
    """Where `poses` show the points (px), NaN behind a source."""
    there = _placed(sightings.points, poses)
    return np.stack([_project(camera, there) for camera in sightings.cameras], axis=1)


def residuals(sightings: Sightings, poses: Float64[np.ndarray, "poses 4 4"]) -> Residuals:
    """How `poses` (world_from_ct) explain the pixels."""
    there = _placed(sightings.points, poses)
    steps = _PROBE_MM * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
    probes = there[:, None] + steps[:, None, :]
    shown = np.stack([_project(camera, probes) for camera in sightings.cameras], axis=1)
    before = np.isfinite(shown).all(axis=(2, 4))
    seen = sightings.seen & before
    shown = np.where(seen[:, :, None, :, None], shown, 0.0)
    offset = np.where(seen[..., None], sightings.pixels - shown[:, :, 0], 0.0)
    by_point = np.moveaxis((shown[:, :, 1:4] - shown[:, :, 4:]) / (2 * _PROBE_MM), 2, -1)
    arm = there - _placed(sightings.centre[None], poses)
    # The image moves by gradient · (ω × arm + v), which is (arm × gradient) · ω + gradient · v.
    by_pose = np.concatenate([_cross(arm[:, None, :, None, :], by_point), by_point], axis=-1)
    covariance = sightings.covariance + sightings.variance[:, None, None] * (by_point @ np.swapaxes(by_point, -1, -2))
    information = _inverse(covariance)
    squared = (offset[..., None] * information * offset[..., None, :]).sum(axis=(-2, -1))
    squared[sightings.seen & ~before] = np.inf
    return Residuals(offset, by_point, by_pose, information * seen[..., None, None], squared)


def cost(
    squared: Float64[np.ndarray, "*any views n"], scale: float, counted: Bool[np.ndarray, "views n"]
) -> Float64[np.ndarray, "*any"]:
    """Twice the negative logarithm of the pixels' likelihood if all errors are `scale` times what was stated."""
    with np.errstate(invalid="ignore"):
        each = (_FREEDOM + 2) * np.log1p(np.minimum(squared, _BEHIND) / (_FREEDOM * scale**2))
    return np.where(counted, each, 0.0).sum(axis=(-2, -1))


def scale_of(squared: Float64[np.ndarray, "views n"], seen: Bool[np.ndarray, "views n"], most: float) -> float:
    """By how much errors exceed what was stated, from their median; between 1 and `most`."""
    # The median of χ² of two numbers is 2 ln 2.
    return float(np.clip(np.sqrt(np.median(squared[seen]) / (2 * np.log(2))), 1.0, most))


def refined(
    sightings: Sightings,
    poses: Float64[np.ndarray, "poses 4 4"],
    scale: float,
    *,
    most_steps: int,
    converged: float = 1e-2,
    counted: Bool[np.ndarray, "views n"] | None = None,
) -> tuple[Float64[np.ndarray, "poses 4 4"], Residuals]:
    """`poses` after at most so many steps toward a lesser cost, and how they explain the pixels.

    The last step is below `converged` standard deviations of the pose. With `counted` these pixels alone count, and
    fully: the least squares of what is known to be right.
    """
    among = sightings.seen if counted is None else counted
    arms = np.linalg.norm(sightings.points - sightings.centre, axis=1)
    units = np.array([1 / max(float(arms.mean()), 1e-6)] * 3 + [1.0] * 3)

    def of(squared: Float64[np.ndarray, "poses views n"]) -> Float64[np.ndarray, "poses"]:
        if counted is None:
            return cost(squared, scale, among)
        return np.where(among, np.minimum(squared, _BEHIND), 0.0).sum(axis=(1, 2))

    poses = poses.copy()
    current = residuals(sightings, poses)
    costs = of(current.squared)
    damping = np.full(len(poses), 1e-3)
    for _ in range(most_steps):
        normal, gradient = _normal_equations(current, scale, among, robust=counted is None)
        normal, gradient = normal * np.outer(units, units), gradient * units
        diagonal = np.einsum("pii->pi", normal)
        diagonal = diagonal + 1e-6 * diagonal.max(axis=1, keepdims=True) + 1e-12
        step = np.linalg.solve(normal + np.eye(6) * (damping[:, None] * diagonal)[:, None, :], gradient[..., None])
        step = step[..., 0]
        gain = np.einsum("pi,pi->p", step, gradient)
        step = step * units
        # No more than a radian at a time: farther off, nothing that was linearised holds.
        step = step / np.maximum(1.0, np.linalg.norm(step[:, :3], axis=1, keepdims=True))
        centres = _placed(sightings.centre[None], poses)[:, 0]
        moved = np.stack([rigid.move_about(*one) for one in zip(centres, step, poses, strict=True)])
        tried = residuals(sightings, moved)
        tried_costs = of(tried.squared)
        better = tried_costs <= costs
        poses[better], costs[better] = moved[better], tried_costs[better]
        current = _chosen(better, tried, current)
        damping = np.where(better, np.maximum(damping / 10, 1e-9), np.minimum(damping * 10, 1e6))
        if (gain < converged**2).all():
            break
    return np.stack([rigid.orthonormalised(pose) for pose in poses]), current


def weights(squared: Float64[np.ndarray, "*any"], scale: float) -> Float64[np.ndarray, "*any"]:
    """What each pixel counts by Student's t, 1.5 at most."""
    return (_FREEDOM + 2) / (_FREEDOM + squared / scale**2)


def _normal_equations(
    found: Residuals, scale: float, counted: Bool[np.ndarray, "views n"], robust: bool
) -> tuple[Float64[np.ndarray, "poses 6 6"], Float64[np.ndarray, "poses 6"]]:
    each = np.where(counted, weights(found.squared, scale) if robust else np.ones_like(found.squared), 0.0)
    poses = len(each)
    weighted = (each[..., None, None] * found.information @ found.by_pose).reshape(poses, -1, 6).swapaxes(1, 2)
    return weighted @ found.by_pose.reshape(poses, -1, 6), (weighted @ found.offset.reshape(poses, -1, 1))[..., 0]


def _chosen(better: Bool[np.ndarray, "poses"], new: Residuals, old: Residuals) -> Residuals:
    if better.all():
        return new
    fields = (
        np.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b)
        for a, b in zip(vars(new).values(), vars(old).values(), strict=True)
    )
    return Residuals(*fields)


def _placed(points: Float64[np.ndarray, "n 3"], poses: Float64[np.ndarray, "poses 4 4"]) -> np.ndarray:
    return points @ poses[:, :3, :3].swapaxes(1, 2) + poses[:, None, :3, 3]


def _project(camera: Camera, points: Float64[np.ndarray, "*any 3"]) -> Float64[np.ndarray, "*any 2"]:
    return camera.project(points.reshape(-1, 3)).reshape(*points.shape[:-1], 2)


def _cross(first: Float64[np.ndarray, "*any 3"], second: Float64[np.ndarray, "*any 3"]) -> np.ndarray:
    # np.cross takes longer to prepare than to multiply.
    a, b, c = first[..., 0], first[..., 1], first[..., 2]
    x, y, z = second[..., 0], second[..., 1], second[..., 2]
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=-1)


def _inverse(matrices: Float64[np.ndarray, "*any 2 2"]) -> Float64[np.ndarray, "*any 2 2"]:
    a, b, c, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 0], matrices[..., 1, 1]
    return np.stack([d, -b, -c, a], axis=-1).reshape(matrices.shape) / (a * d - b * c)[..., None, None]
