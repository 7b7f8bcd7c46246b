"""Landmarks as found, with those of a head in its place instead: a CT's that was registered, or a template's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.geometry.projection_derivative import projection_derivative
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Bool, Float64

from .landmark_detections import LandmarkDetections
from .standing_camera import standing_for
from .usable_part import in_usable_part

_DRAWS = 64
# So that the root of a covariance exists (px²).
_LEAST_VARIANCE = 1e-6


def with_head_in_place(
    found: LandmarkDetections,
    there: Bool[np.ndarray, "n"],
    world: Float64[np.ndarray, "k 3"],
    covariance: Float64[np.ndarray, "k 3 3"],
    radiograph: Radiograph,
) -> LandmarkDetections:
    """`found`, where the head has the k landmarks `there` at these places of the world (mm, mm²) instead."""
    camera_from_world = standing_for(radiograph.camera).camera_from_world
    D, turn = projection_derivative(radiograph.camera, world), camera_from_world[:3, :3]
    projected, spread = radiograph.camera.project(world), _carried(covariance, D)
    pixels = _with(found.pixels, there, projected)
    points = rigid.transform_points(camera_from_world, world)
    before = found.camera_points[there, 2]
    both = np.isfinite(before)
    nearer = float(points[both, 2].mean() / before[both].mean()) if both.any() else 1.0
    return replace(
        found,
        pixels=pixels,
        pixel_covariance=_with(found.pixel_covariance, there, spread),
        camera_points=_with(found.camera_points, there, points),
        visibility=_with(found.visibility, there, _chance_of_being_seen(radiograph, projected, spread)),
        mm_per_pixel=found.mm_per_pixel * nearer,
        camera_covariance=_with(found.camera_covariance, there, _carried(covariance, turn)),
        is_in_image=in_usable_part(radiograph, pixels),
    )


def _chance_of_being_seen(
    radiograph: Radiograph, pixels: Float64[np.ndarray, "k 2"], covariance: Float64[np.ndarray, "k 2 2"]
) -> Float64[np.ndarray, "k"]:
    """Of lying in the usable part of the image, from places that are as likely as these."""
    draws = np.random.default_rng(0).normal(size=(_DRAWS, 2))
    roots = np.linalg.cholesky(covariance + _LEAST_VARIANCE * np.eye(2))
    places = pixels[:, None] + np.einsum("kij,dj->kdi", roots, draws)
    return in_usable_part(radiograph, places.reshape(-1, 2)).reshape(len(pixels), _DRAWS).mean(axis=1)


def _carried(covariance: Float64[np.ndarray, "k 3 3"], by: np.ndarray) -> np.ndarray:
    """Covariances through a linear map, symmetric to the last bit."""
    carried = by @ covariance @ np.swapaxes(by, -1, -2)
    return np.asarray(0.5 * (carried + np.swapaxes(carried, -1, -2)))


def _with(values: np.ndarray, where: np.ndarray, new: np.ndarray) -> np.ndarray:
    changed = values.copy()
    changed[where] = new
    return changed
