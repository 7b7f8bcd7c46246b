"""Landmarks of a real head as X-rays of a C-arm would show them, found with known errors: no network is needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from DiffRegistrationLib.mrml.xray_node import add_radiograph
from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.radiograph import Radiograph
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.head import VISIBLE_HUMAN_LANDMARKS
from LandmarkDetectionLib.atlas.landmark_files import read_landmarks
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet
from LandmarkDetectionLib.detection.landmark_detections import LandmarkDetections
from LandmarkDetectionLib.detection.landmark_run import LandmarkRun

NAMES = skull_landmarks().names
SIZE = (60, 80)
# So small an image leaves some landmarks out at its edges; pixels are 2.6 × 2.9 mm on the detector.
SPACING = (2.6, 2.9)
SIGMA_PX = 0.3


@cache
def head() -> LandmarkSet:
    """All 55 landmarks of the Visible Human (RAS mm)."""
    return read_landmarks(VISIBLE_HUMAN_LANDMARKS)


def c_arm(angle_deg: float, size: tuple[int, int] = SIZE, spacing: tuple[float, float] = SPACING) -> PinholeCamera:
    """A camera around the middle of the head."""
    return c_arm_camera(
        source_detector_distance=1000.0,
        source_object_distance=700.0,
        pixel_spacing=spacing,
        size=size,
        primary_angle_deg=angle_deg,
        isocentre=np.nanmean(head().points, axis=0),
    )


def motion(frame: int) -> np.ndarray:
    """Where the head is in a frame (world_from_head): it nods by two degrees a frame, and moves by a millimetre."""
    middle = np.nanmean(head().points, axis=0)
    return rigid.move_about(middle, [np.radians(2.0 * frame), 0, 0, 1.0 * frame, 0, 0], np.eye(4))


def world_points(frame: int = 0) -> np.ndarray:
    """Where the landmarks truly are in a frame (RAS mm)."""
    return rigid.transform_points(motion(frame), head().points)


def detections(
    camera: PinholeCamera, points: np.ndarray, seed: int = 0, sigma_px: float = SIGMA_PX, **changes: Any
) -> LandmarkDetections:
    """World points as found in an image, off by `sigma_px` along each axis, and 25 mm along the beam."""
    random = np.random.default_rng(seed)
    exact = camera.project(points)
    off = random.normal(scale=sigma_px, size=exact.shape) if sigma_px else np.zeros_like(exact)
    pixels = exact + off
    inside = ((pixels >= -0.5) & (pixels <= np.array(camera.size[::-1]) - 0.5)).all(axis=1)
    seen_from = rigid.transform_points(camera.camera_from_world, points)
    along = seen_from / np.linalg.norm(seen_from, axis=1, keepdims=True)
    depth_error = 25.0 if sigma_px else 0.0
    width = float(seen_from[:, 2].mean() / camera.intrinsic[0, 0])
    across = (max(sigma_px, 0.01) * width) ** 2
    spatial = across * np.eye(3) + 25.0**2 * along[:, :, None] * along[:, None, :]
    covariance = np.tile(max(sigma_px, 0.01) ** 2 * np.eye(2), (len(points), 1, 1))
    found = {
        "names": NAMES,
        "pixels": pixels,
        "pixel_covariance": covariance,
        "camera_points": seen_from + depth_error * along,
        "camera_covariance": spatial,
        "visibility": np.where(inside, 0.9, 0.05),
        "is_in_image": inside,
        "network_pixels": pixels.copy(),
        "network_covariance": covariance.copy(),
        "mm_per_pixel": width,
        "misfit": 0.5,
        "is_sure": True,
        "words": "",
    }
    return LandmarkDetections(**(found | changes))


def made_run(
    cameras: Sequence[PinholeCamera],
    numbers: Sequence[int] = (0,),
    *,
    sigma_px: float = SIGMA_PX,
    planar: Sequence[bool] | None = None,
) -> LandmarkRun:
    """The head of `motion` found in each of these frames by each camera."""
    return LandmarkRun(
        len(cameras),
        tuple(numbers),
        tuple(
            tuple(
                detections(camera, world_points(number), 100 * number + view, sigma_px)
                for view, camera in enumerate(cameras)
            )
            for number in numbers
        ),
        tuple(planar or [False] * len(cameras)),
        skull_landmarks().fingerprint,
        "made up",
    )


def blank(camera: PinholeCamera) -> Radiograph:
    return Radiograph(np.zeros(camera.size, np.float32), np.ones(camera.size, bool), camera)


def xrays(cameras: Sequence[PinholeCamera]) -> list[Any]:
    """A node for each camera, of one frame."""
    return [add_radiograph(blank(camera), f"X-ray {n + 1}") for n, camera in enumerate(cameras)]


def sequences(cameras: Sequence[PinholeCamera], numbers: Sequence[int]) -> list[Any]:
    """A sequence for each camera, with these frames; each has its own browser."""
    return [
        add_radiograph_sequence([blank(camera)] * len(numbers), list(numbers), f"X-ray {n + 1}")[0]
        for n, camera in enumerate(cameras)
    ]
