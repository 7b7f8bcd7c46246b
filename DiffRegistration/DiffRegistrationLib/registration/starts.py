"""Where a registration begins: a known pose, the X-ray's own frame, or a named view with unknown position.

A named view is called after the way of the beam (AP: front to back) or after the side next to the detector (left
lateral: the patient's left), with the head up in the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.geometry import Camera, PinholeCamera, ScanningSlitCamera, rigid
from ..xray.geometry.named_views import VIEW_BEAMS, rotation_of_view
from ..xray.geometry.triangulation import triangulate
from ..xray.radiograph import Radiograph, WorldFrame

_GROUPS = {"frontal": ("ap", "pa"), "lateral": ("left-lateral", "right-lateral")}
START_NAMES = ("auto", *VIEW_BEAMS, *_GROUPS, "any")

# "any": the whole way around the head, tilted and rolled in the image as far as C-arms and patients commonly are.
_STEP_DEG, _MOST_TILT_DEG, _MOST_ROLL_DEG = 15, 30, 15

# Without better knowledge a patient lies where the isocentre of common C-arms is.
_USUAL_PART = 0.7
_USUAL_DEPTH_MM = 700.0


@dataclass(frozen=True, eq=False)
class Start:
    """Poses (world_from_ct) to begin from, by name, and how far around them the truth may lie.

    Orientations within `reach_deg` are tried on a grid of `step_deg`, depths `depths_mm` off, in-plane positions
    within `reach_mm`. A trusted start is not questioned by its AP/PA twin; only its surroundings are looked at. A
    start that is `wide` covers so many poses that they are first refined in less detail; one that is `near` is so
    close that it is refined as it is, in the last detail only.
    """

    poses: tuple[tuple[str, Float64[np.ndarray, "4 4"]], ...]
    reach_deg: float
    step_deg: float
    depths_mm: tuple[float, ...]
    reach_mm: float
    trusted: bool
    wide: bool = False
    near: bool = False


def start_from_pose(pose: Float64[np.ndarray, "4 4"], name: str = "given pose") -> Start:
    """A pose that a person or a file gave: right to about 15° and some centimetres."""
    return Start(((name, pose),), 15.0, 10.0, (0.0,), 40.0, trusted=True)


def start_from_prediction(pose: Float64[np.ndarray, "4 4"], name: str) -> Start:
    """A pose from frames beside this one: right to a few degrees and millimetres."""
    return Start(((name, pose),), 0.0, 1.0, (0.0,), 15.0, trusted=True, near=True)


def start_from_name(name: str, ct: CT, radiographs: Sequence[Radiograph]) -> Start:
    """Start by one of `START_NAMES`. InputError for any other.

    "auto" takes what the first X-ray's world frame says of the patient: the scanner's own pose, the C-arm's angles,
    or nothing, which tries all views.
    """
    first = radiographs[0]
    if name == "auto":
        if first.world == WorldFrame.SCANNER:
            return Start((("shared frame of CT and X-ray", np.eye(4)),), 15.0, 10.0, (0.0,), 40.0, trusted=True)
        if first.world == WorldFrame.PATIENT:
            middle = _middle_of_patient([radiograph.camera for radiograph in radiographs])
            pose = rigid.rigid(np.eye(3), middle - ct.centre)
            return Start((("C-arm angles", pose),), 20.0, 10.0, (-60.0, 0.0, 60.0), np.inf, trusted=False)
        name = "any"
    if name not in START_NAMES:
        raise InputError(f"start {name!r}", "is not the name of a start", f"Use one of {', '.join(START_NAMES)}.")
    cameras = [radiograph.camera for radiograph in radiographs]
    if name == "any":
        poses = _views_all_around(ct, cameras)
        return Start(poses, 0.0, 1.0, (-70.0, 0.0, 70.0), np.inf, trusted=False, wide=True)
    views = _GROUPS.get(name, (name,))
    poses = tuple((view, pose_of_view(view, ct, *cameras)) for view in views)
    return Start(poses, 20.0, 10.0, (-60.0, 0.0, 60.0), np.inf, trusted=False)


def _middle(camera: Camera) -> Float64[np.ndarray, "1 2"]:
    return np.array([[(camera.size[1] - 1) / 2, (camera.size[0] - 1) / 2]])


def _depth_of_patient(camera: Camera) -> float:
    """Depth (mm) of the patient: where the world has its origin, if that lies between source and detector."""
    origin = float(camera.camera_from_world[2, 3])
    if isinstance(camera, ScanningSlitCamera):
        return camera.source_object_distance
    far = camera.source_detector_distance if isinstance(camera, PinholeCamera) else None
    if far is None:
        return origin if origin > 0 else _USUAL_DEPTH_MM
    return origin if 0.3 * far < origin < far else _USUAL_PART * far


def _middle_of_patient(cameras: Sequence[Camera]) -> Float64[np.ndarray, "3"]:
    """Where the middles of all images meet (world mm); for a single one on its middle ray, as deep as patients are."""
    if len(cameras) > 1:
        crossing = triangulate(cameras, np.stack([_middle(camera) for camera in cameras]))
        point = crossing.points[0]
        if crossing.found[0] and np.isfinite(cameras[0].project(point[None])).all():
            return point
    return cameras[0].back_project(_middle(cameras[0]), _depth_of_patient(cameras[0]))[0]


def pose_of_view(view: str, ct: CT, camera: Camera, *beside: Camera) -> Float64[np.ndarray, "4 4"]:
    """Pose (world_from_ct) that shows the CT in the middle of the images, seen by `camera` as `view`, head up.

    `beside` are the cameras of other views, which tell the depth.
    """
    world_from_camera = rigid.inverse(camera.camera_from_world)
    rotation = world_from_camera[:3, :3] @ rotation_of_view(view)
    middle = _middle_of_patient([camera, *beside])
    return rigid.rigid(rotation, middle - rotation @ ct.centre)


def _views_all_around(ct: CT, cameras: Sequence[Camera]) -> tuple[tuple[str, Float64[np.ndarray, "4 4"]], ...]:
    """The AP view, with the patient turned about the long axis, tilted toward the source and rolled in the image."""
    ap = pose_of_view("ap", ct, *cameras)
    centre = rigid.transform_points(ap, [ct.centre])[0]
    right, down, beam = cameras[0].camera_from_world[:3, :3]
    poses = []
    for turn in range(-180 + _STEP_DEG, 181, _STEP_DEG):
        for tilt in range(-_MOST_TILT_DEG, _MOST_TILT_DEG + 1, _STEP_DEG):
            for roll in range(-_MOST_ROLL_DEG, _MOST_ROLL_DEG + 1, _STEP_DEG):
                pose = ap
                for axis, degrees in ((down, turn), (right, tilt), (beam, roll)):
                    pose = rigid.move_about(centre, [*(np.radians(degrees) * axis), 0, 0, 0], pose)
                poses.append((f"AP turned by {turn}°, tilted by {tilt}°, rolled by {roll}°", pose))
    return tuple(poses)


def twin(pose: Float64[np.ndarray, "4 4"], ct: CT, camera: Camera) -> Float64[np.ndarray, "4 4"]:
    """The pose that looks nearly the same: mirrored in depth, which a shadow does not show, and left for right.

    A head is nearly symmetric about its sagittal plane; the two mirrors make a rotation again. AP becomes PA, and a
    lateral view changes the sign of its tilt out of the plane.
    """
    centre = rigid.transform_points(pose, [ct.centre])[0]
    ray = camera.rays(camera.project(centre[None]))
    beam = (ray.target - ray.source)[0]
    beam = beam / np.linalg.norm(beam)
    in_depth = np.eye(3) - 2 * np.outer(beam, beam)
    rotation = in_depth @ pose[:3, :3] @ np.diag([-1.0, 1.0, 1.0])
    return rigid.rigid(rotation, centre - rotation @ ct.centre)
