"""What the module's self-test is made of: a head's landmarks in X-rays, as a good network finds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from jaxtyping import Float64

from ..atlas.definitions import skull_landmarks
from ..atlas.landmark_set import LandmarkSet
from ..detection.landmark_detections import LandmarkDetections
from ..detection.landmark_run import LandmarkRun
from .landmark_study import make_study

# Standard deviation of what is found (px), and what a pixel of the test's X-rays is wide at the head.
_SIGMA_PX, _MM_PER_PIXEL = 0.3, 2.24


def true_pixels(
    landmarks: LandmarkSet, world_from_ct: Float64[np.ndarray, "4 4"], camera: PinholeCamera
) -> Float64[np.ndarray, "n 2"]:
    """Where landmarks of a CT fall in a view (u, v)."""
    return camera.project(rigid.transform_points(world_from_ct, landmarks.points))


def study_of_head(
    landmarks: LandmarkSet,
    world_from_ct: Float64[np.ndarray, "4 4"],
    xrays: Sequence[Any],
    cameras: Sequence[PinholeCamera],
    ct: Any,
) -> Any:
    """A study of the landmarks of a CT node in X-ray nodes, off by small errors."""
    run = LandmarkRun(
        views=len(cameras),
        numbers=(0,),
        found=(tuple(_found(landmarks, world_from_ct, camera, n) for n, camera in enumerate(cameras)),),
        planar=(False,) * len(cameras),
        definitions=skull_landmarks().fingerprint,
        model="the head itself",
    )
    return make_study(run, xrays, ct)


def _found(
    landmarks: LandmarkSet, world_from_ct: Float64[np.ndarray, "4 4"], camera: PinholeCamera, number: int
) -> LandmarkDetections:
    count = len(landmarks.names)
    noise = np.random.default_rng(number).normal(scale=_SIGMA_PX, size=(count, 2))
    pixels = true_pixels(landmarks, world_from_ct, camera) + noise
    errors = np.tile(_SIGMA_PX**2 * np.eye(2), (count, 1, 1))
    inside = np.all((pixels > 0) & (pixels < [camera.size[1] - 1, camera.size[0] - 1]), axis=1)
    world = rigid.transform_points(world_from_ct, landmarks.points)
    return LandmarkDetections(
        names=landmarks.names,
        pixels=pixels,
        pixel_covariance=errors,
        camera_points=rigid.transform_points(camera.camera_from_world, world),
        camera_covariance=np.tile(np.diag([1.0, 1.0, 400.0]), (count, 1, 1)),
        visibility=np.where(inside, 0.95, 0.02),
        is_in_image=inside,
        network_pixels=pixels,
        network_covariance=errors,
        mm_per_pixel=_MM_PER_PIXEL,
        misfit=0.8,
        is_sure=True,
        words="",
    )
