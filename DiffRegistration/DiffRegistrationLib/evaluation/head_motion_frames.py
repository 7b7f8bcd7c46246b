"""Simulated dual fluoroscopy of a moving head: frames of two views with their truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from ..registration.starts import pose_of_view
from ..tracking.frames import Frame
from ..xray.attenuation import WATER_ATTENUATION_PER_MM
from ..xray.ct import CT
from ..xray.files.pixel_meaning import PixelMeaning, attenuation_of
from ..xray.files.xray_files import field_of_all
from ..xray.geometry import PinholeCamera, rigid
from ..xray.geometry.c_arm import c_arm_camera
from ..xray.radiograph import Radiograph
from ..xray.simulator import SimulatedXray, Simulator
from ..xray.simulator.collimator import Collimator, Round
from ..xray.simulator.ranges import EVALUATION, drawn_settings
from .disturbances import disturbed
from .head_motions import ACTIVITIES, Activity, bent, pose_of
from .subjects import Subject

# Two image intensifiers of 320 mm, one to each side of an axis, whose round field is seen as a whole.
_SIZE, _PIXEL_MM = (320, 320), (1.0, 1.0)
_FIELD_MM = (_SIZE[0] * _PIXEL_MM[0], _SIZE[1] * _PIXEL_MM[1])
_DISTANCES, _AXIS_DEG = ((1180.0, 820.0), (1150.0, 800.0)), 190.0
_ROUND_FIELD = 0.495
# The CT that is followed ends above the part of the neck that bends.
_CUT_MM = 62.0
_SKULL, _SKULL_POINTS = 1.6, 3000
_SEED = 107
# An exposure is a few milliseconds of the motion; so many steps of it show its blur.
_MOTION_STEPS = 3


@dataclass(frozen=True)
class Fluoroscopes:
    """How two of them stand: `between_deg` from one beam to the other; and whether their distortion is undone, as by a
    calibration."""

    between_deg: float = 80.0
    distortion_is_undone: bool = True


@dataclass(frozen=True, eq=False)
class HeadMotion:
    """Frames of one activity: radiographs of both views, true poses (world_from_ct, RAS mm), and the part of the skull
    that the images show, a mean over both views."""

    activity: Activity
    frames: tuple[Frame, ...]
    truth: Float64[np.ndarray, "times 4 4"]
    visible: Float64[np.ndarray, "times"]


def followed_ct(subject: Subject) -> CT:
    """The CT that is registered, ending below the skull's base: the neck is not rigid."""
    ct = subject.registered
    height = ct.ct_from_voxel[2, 3] + ct.ct_from_voxel[2, 2] * np.arange(ct.attenuation.shape[0])
    first = int(np.searchsorted(height, _CUT_MM))
    matrix = ct.ct_from_voxel.copy()
    matrix[2, 3] = height[first]
    return replace(ct, attenuation=ct.attenuation[first:], ct_from_voxel=matrix)


def head_motion(
    subject: Subject,
    name: str,
    count: int,
    tell: Callable[[str], None] = lambda _: None,
    fluoroscopes: Fluoroscopes | None = None,
) -> HeadMotion:
    """Simulate `count` frames of an activity, with all disturbances."""
    fluoroscopes = fluoroscopes or Fluoroscopes()
    activity = ACTIVITIES[name]
    seed = 1000 * _SEED + list(ACTIVITIES).index(name)
    settings = disturbed(drawn_settings(EVALUATION, seed, _FIELD_MM), "all")
    assert settings.motion is not None
    settings = replace(
        settings,
        collimator=Collimator((Round(_ROUND_FIELD * min(_FIELD_MM)),)),
        motion=replace(settings.motion, steps=_MOTION_STEPS),
    )
    cameras = _cameras(fluoroscopes.between_deg)
    rest = pose_of_view("ap", subject.full, cameras[0])
    rest = rigid.move_about(
        rigid.transform_points(rest, [subject.full.centre])[0],
        [*(cameras[0].camera_from_world[1, :3] * np.radians(-40)), 0, 0, 0],
        rest,
    )
    exposed: list[list[SimulatedXray]] = [[] for _ in cameras]
    truth = []
    for number in range(count):
        part = number / max(count - 1, 1)
        truth.append(pose_of(activity, part, rest, subject.full))
        # Noise is new in every frame, all else belongs to the patient and the machine.
        simulator = Simulator(bent(subject.full, activity, part), settings, seed)
        for view, camera in enumerate(cameras):
            exposed[view].append(simulator.expose(camera, truth[-1], 2 * number + view))
        tell(f"{name}: {number + 1} of {count} frames simulated")
    views = [_read(frames, fluoroscopes.distortion_is_undone) for frames in exposed]
    poses = np.array(truth)
    return HeadMotion(activity, tuple(zip(*views, strict=True)), poses, _visible(subject.full, poses, views))


def _cameras(between_deg: float) -> tuple[PinholeCamera, ...]:
    """Both cameras in the frame of their calibration, which is the first one's own."""
    angles = (_AXIS_DEG - between_deg / 2, _AXIS_DEG + between_deg / 2)
    cameras = [
        c_arm_camera(
            source_detector_distance=sdd,
            source_object_distance=sod,
            pixel_spacing=_PIXEL_MM,
            size=_SIZE,
            primary_angle_deg=angle,
            secondary_angle_deg=0.0,
            roll_deg=0.0,
        )
        for (sdd, sod), angle in zip(_DISTANCES, angles, strict=True)
    ]
    new_from_world = cameras[0].camera_from_world
    return tuple(camera.moved(new_from_world) for camera in cameras)


def _read(xrays: Sequence[SimulatedXray], is_undistorted: bool) -> list[Radiograph]:
    """One view's frames as a multi-frame file is read: the field is looked for once, in the mean of all."""
    display = xrays[0].settings.display
    bright = display.bone_is_bright
    meaning = PixelMeaning(bright, bright, (0.0, float(2**display.bits - 1)), ())
    values = [xray.pixels.astype(np.float32) for xray in xrays]
    field = field_of_all([(one, meaning) for one in values])
    read = []
    for xray, one in zip(xrays, values, strict=True):
        integrals = attenuation_of(one, meaning, subject="simulated X-ray", mask=field)
        as_it_is = Radiograph(integrals.attenuation, integrals.mask, xray.camera, integrals.provenance)
        read.append(xray.undistorted(integrals) if is_undistorted else as_it_is)
    return read


def _visible(
    ct: CT, poses: Float64[np.ndarray, "times 4 4"], views: Sequence[Sequence[Radiograph]]
) -> Float64[np.ndarray, "times"]:
    """Part of points spread over the skull that lie on usable pixels, a mean over the views."""
    k, j, i = np.nonzero(ct.attenuation > _SKULL * WATER_ATTENUATION_PER_MM)
    points = rigid.transform_points(ct.ct_from_voxel, np.stack([i, j, k], axis=1).astype(np.float64))
    points = points[points[:, 2] > _CUT_MM]
    points = points[np.random.default_rng(0).choice(len(points), _SKULL_POINTS)]
    visible = np.zeros(len(poses))
    for view in views:
        for time, (pose, radiograph) in enumerate(zip(poses, view, strict=True)):
            pixels = np.rint(np.nan_to_num(radiograph.camera.project(rigid.transform_points(pose, points)), nan=-1))
            u, v = pixels.astype(int).T
            inside = (u >= 0) & (v >= 0) & (u < radiograph.camera.size[1]) & (v < radiograph.camera.size[0])
            seen = np.zeros(len(points), dtype=bool)
            seen[inside] = radiograph.mask[v[inside], u[inside]]
            visible[time] += seen.mean() / len(views)
    return visible
