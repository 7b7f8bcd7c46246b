"""Two made-up bones in one CT that bend against each other in front of two cameras; their poses are known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from DiffRegistrationLib.registration.starts import Start, start_from_pose
from DiffRegistrationLib.tracking.bodies import Body, cropped
from DiffRegistrationLib.xray.attenuation import WATER_ATTENUATION_PER_MM
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from scipy import ndimage

UPPER, LOWER = 1, 2
NAMES = {UPPER: "upper", LOWER: "lower"}
_SHAPE, _VOXEL_MM = (64, 40, 40), 2.0


@cache
def bones() -> CT:
    """A label each: an ellipsoid with a dense shell and a structure of its own, one over the other."""
    rng = np.random.default_rng(5)
    k, j, i = np.indices(_SHAPE)
    structure = ndimage.gaussian_filter(rng.normal(size=_SHAPE), 1.2)
    structure /= structure.std()
    attenuation, labels = np.zeros(_SHAPE, dtype=np.float32), np.zeros(_SHAPE, dtype=np.uint8)
    for label, middle, half in ((UPPER, (45, 20, 20), (15, 12, 10)), (LOWER, (17, 20, 20), (13, 10, 13))):
        radius = np.sqrt(sum(((x - m) / h) ** 2 for x, m, h in zip((k, j, i), middle, half, strict=True)))
        radius = radius + 0.08 * ndimage.gaussian_filter(rng.normal(size=_SHAPE), 4) * 40
        inside = radius < 1
        shell = inside & (radius > 0.85)
        density = np.where(shell, 2.2, np.clip(1.5 + 0.5 * structure, 1.0, 2.4))
        attenuation[inside] = (WATER_ATTENUATION_PER_MM * density)[inside]
        labels[inside] = label
    matrix = np.diag([_VOXEL_MM, _VOXEL_MM, _VOXEL_MM, 1.0])
    matrix[:3, 3] = (-40.0, 10.0, -70.0)
    return CT(attenuation, matrix, labels)


@cache
def body(label: int) -> Body:
    return Body(NAMES[label], Projector(cropped(bones().masked(label))))


@cache
def camera(primary_deg: float) -> PinholeCamera:
    return c_arm_camera(
        source_detector_distance=1000.0,
        source_object_distance=700.0,
        pixel_spacing=(2.4, 2.4),
        size=(80, 80),
        primary_angle_deg=primary_deg,
    )


CAMERAS = (180.0, 90.0)


def truth(label: int, time: float) -> np.ndarray:
    """Both go on together; the lower one bends in the joint, by 2.5° a frame."""
    centred = rigid.rigid(np.eye(3), -rigid.transform_points(bones().ct_from_voxel, [[20, 20, 31]])[0])
    along = rigid.move_about(np.zeros(3), [0.02, 0.01 * time, 0.02 * time, 2.0 * time - 4, 1.0 * time, 3.0], centred)
    if label == UPPER:
        return along
    joint = rigid.transform_points(bones().ct_from_voxel, [[20, 20, 30]])[0]
    about = rigid.transform_points(along, [joint])[0]
    return rigid.move_about(about, [np.radians(2.5 * time), 0, 0, 0, 0, 0], along)


def xray(
    primary_deg: float, poses: dict[int, np.ndarray], seed: int = 0, noise: float = 0.01, tissue: bool = True
) -> Radiograph:
    """The bones of `poses` in soft tissue, by finer steps than those of DRRs, with noise."""
    view = camera(primary_deg)
    image = np.zeros(len(view.rays()), dtype=np.float32)
    for label, pose in poses.items():
        image = image + body(label).projector.render(view.rays(), pose, step_mm=0.5)[0]
    image = image.reshape(view.size)
    if tissue:
        rows, columns = np.indices(view.size)
        image = image + 1.0 + 0.5 * np.cos(columns / 25.0) + 0.004 * rows
    image = image + noise * np.random.default_rng((seed, int(primary_deg))).normal(size=view.size)
    return Radiograph(image.astype(np.float32), np.ones(view.size, dtype=bool), view)


def frames_of(
    times: Sequence[float], labels: Sequence[int] = (UPPER, LOWER), **options: bool
) -> list[tuple[Radiograph | None, ...]]:
    """Both views of each time."""
    return [
        tuple(
            xray(primary, {label: truth(label, time) for label in labels}, seed=number, **options)
            for primary in CAMERAS
        )
        for number, time in enumerate(times)
    ]


def off(label: int, pose: np.ndarray, degrees: float = 4.0, mm: float = 5.0) -> np.ndarray:
    """A pose that is wrong by this much."""
    centre = rigid.transform_points(pose, [body(label).projector.ct.centre])[0]
    turn, way = np.array([1, -2, 2]) / 3 * np.radians(degrees), np.array([2, 1, -2]) / 3 * mm
    return rigid.move_about(centre, [*turn, *way], pose)


def key_start(labels: Sequence[int], key_time: float):  # type: ignore[no-untyped-def]
    """Starts that are some degrees and millimetres off in the key frame."""

    def start(number: int, radiographs: Sequence[Radiograph], found: object) -> Start:
        return start_from_pose(off(labels[number], truth(labels[number], key_time)))

    return start


def error_mm(label: int, pose: np.ndarray, expected: np.ndarray) -> float:
    """How far the corners of the middle of the body are off at most (mm)."""
    corners = body(label).projector.ct.corners(0.5)
    apart = rigid.transform_points(pose, corners) - rigid.transform_points(expected, corners)
    return float(np.linalg.norm(apart, axis=1).max())
