"""The views of a case: cameras as C-arms stand, the head where it happens to lie, and a start some way off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from ..registration.starts import pose_of_view
from ..xray.ct import CT
from ..xray.geometry import PinholeCamera, rigid
from ..xray.geometry.c_arm import c_arm_camera

# A flat detector of 384 mm.
SIZE, PIXEL_MM = (480, 480), (0.8, 0.8)
FIELD_MM = (SIZE[0] * PIXEL_MM[0], SIZE[1] * PIXEL_MM[1])

START_ROTATION_DEG, START_IN_PLANE_MM, START_DEPTH_MM = 15.0, 30.0, 60.0


@dataclass(frozen=True, eq=False)
class Views:
    """Cameras in one world, which is the first one's own frame, and the true pose (world_from_ct, RAS mm)."""

    cameras: tuple[PinholeCamera, ...]
    truth: Float64[np.ndarray, "4 4"]


Draw = Callable[[CT, np.random.Generator], Views]


def _camera(
    sdd: float, sod: float, primary_deg: float, secondary_deg: float = 0.0, roll_deg: float = 0.0
) -> PinholeCamera:
    return c_arm_camera(
        source_detector_distance=sdd,
        source_object_distance=sod,
        pixel_spacing=PIXEL_MM,
        size=SIZE,
        primary_angle_deg=primary_deg,
        secondary_angle_deg=secondary_deg,
        roll_deg=roll_deg,
    )


def _in_first_camera(cameras: tuple[PinholeCamera, ...], pose: Float64[np.ndarray, "4 4"]) -> Views:
    """A calibration's world says nothing about the patient: it is the first camera's own frame."""
    new_from_world = cameras[0].camera_from_world
    return Views(tuple(camera.moved(new_from_world) for camera in cameras), new_from_world @ pose)


def _lying(ct: CT, camera: PinholeCamera, view: str, random: np.random.Generator) -> Float64[np.ndarray, "4 4"]:
    """The head in the beam's middle as `view` shows it, turned by up to 15° and shifted by up to 20 mm."""
    pose = pose_of_view(view, ct, camera)
    centre = rigid.transform_points(pose, [ct.centre])[0]
    turn = np.radians(random.uniform([-15, -15, -10], [15, 15, 10]))
    shift = camera.camera_from_world[:3, :3].T @ random.uniform([-20, -20, -40], [20, 20, 40])
    return rigid.move_about(centre, [*(camera.camera_from_world[:3, :3].T @ turn), *shift], pose)


def ap(ct: CT, random: np.random.Generator) -> Views:
    """One view from the front."""
    camera = _camera(random.uniform(950, 1150), random.uniform(680, 780), 180.0)
    return _in_first_camera((camera,), _lying(ct, camera, "ap", random))


def lateral(ct: CT, random: np.random.Generator) -> Views:
    """One view from either side."""
    side, angle = (("left-lateral", 90.0), ("right-lateral", -90.0))[random.integers(2)]
    camera = _camera(random.uniform(950, 1150), random.uniform(680, 780), angle)
    return _in_first_camera((camera,), _lying(ct, camera, side, random))


def biplane(ct: CT, random: np.random.Generator) -> Views:
    """A view from the front and a second one 70 to 110° about the patient's long axis from it."""
    first = _camera(random.uniform(950, 1150), random.uniform(680, 780), 180.0)
    apart = random.uniform(70, 110) * random.choice([-1, 1])
    tilt = random.uniform(-15, 15)
    second = _camera(
        random.uniform(950, 1150),
        random.uniform(680, 780),
        primary_deg=float(180 - apart),
        secondary_deg=tilt,
    )
    return _in_first_camera((first, second), _lying(ct, first, "ap", random))


def triplane(ct: CT, random: np.random.Generator) -> Views:
    """The two views of `biplane`, and a third one between them."""
    two = biplane(ct, random)
    first, second = (camera.camera_from_world for camera in two.cameras)
    # Half the turn about the isocentre, which the world's origin was before it moved to the first camera.
    between = rigid.exp(0.5 * rigid.log(second @ rigid.inverse(first))) @ first
    third = replace(two.cameras[0], camera_from_world=rigid.orthonormalised(between))
    return Views((*two.cameras, third), two.truth)


def wide(ct: CT, random: np.random.Generator) -> Views:
    """xvr's ranges for skulls: ±125°, ±30°, ±15° about the front view, ±50 mm across, ±150 mm along the body."""
    camera = _camera(
        1020.0,
        random.uniform(700, 800),
        primary_deg=180.0 + random.uniform(-125, 125),
        secondary_deg=random.uniform(-30, 30),
        roll_deg=random.uniform(-15, 15),
    )
    shift = random.uniform([-50, -50, -150], [50, 50, 150])
    return _in_first_camera((camera,), rigid.rigid(np.eye(3), shift - ct.centre))


def start_near(
    views: Views, centre: Float64[np.ndarray, "3"], random: np.random.Generator
) -> Float64[np.ndarray, "4 4"]:
    """A pose up to 15° from the truth, ±30 mm across the first view's beam and ±60 mm along it.

    `centre` is the CT's (its own frame, mm). Axes of the turn are spread evenly over the sphere.
    """
    axis = random.normal(size=3)
    turn = axis / np.linalg.norm(axis) * np.radians(random.uniform(0, START_ROTATION_DEG))
    reach = [START_IN_PLANE_MM, START_IN_PLANE_MM, START_DEPTH_MM]
    shift = views.cameras[0].camera_from_world[:3, :3].T @ random.uniform(np.negative(reach), reach)
    return rigid.move_about(rigid.transform_points(views.truth, [centre])[0], [*turn, *shift], views.truth)
