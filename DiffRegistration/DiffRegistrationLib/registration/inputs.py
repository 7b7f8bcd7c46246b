"""What is asked of the inputs of a registration before it begins, and starts that are files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..pose_network.torch_needed import torch_needed
from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.transform_files import read_pose
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry import rigid
from ..xray.geometry.pixel_grid import all_pixels
from ..xray.projector import Projector
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph, WorldFrame
from .starts import START_NAMES, Start, start_from_pose

# What a trained network's file ends in.
MODEL_SUFFIX = ".pt"
# How the formats of networks begin that find landmarks rather than poses.
_OF_LANDMARKS = "fluororeg landmark"
# Six numbers of a pose ask for some structure: a square of 16 pixels is the least that can show it.
_FEWEST_PIXELS = 256
# Rays by which a start is judged to show the CT.
_RAYS_TRIED = 5000


@dataclass(frozen=True)
class StartFile:
    """A file named as start, already read: what it says once CT and X-rays are read, too; a network's metadata."""

    start: Callable[[CT, Sequence[Radiograph]], Start]
    network: Mapping[str, Any] | None = None


def start_file(start: str, landmarks: Path | None = None) -> StartFile:
    """The pose or network in a file; a network that finds landmarks goes by those of the CT in the file `landmarks`.

    InputError where there is none, or torch is absent for a network.
    """
    path = Path(start)
    if not path.exists():
        raise InputError(
            f"start {start!r}",
            "is neither the name of a start nor a file",
            f"Use one of {', '.join(START_NAMES)}, the path of a .tfm, .h5 or .json pose, or of a {MODEL_SUFFIX} "
            "network.",
        )
    if path.suffix != MODEL_SUFFIX:
        pose = start_from_pose(read_pose(path), f"pose file {path.name}")
        return StartFile(lambda ct, radiographs: pose)
    with torch_needed():
        from ..pose_network.model_file import format_of, read_model
        from .network_start import start_from_network

    if format_of(path).startswith(_OF_LANDMARKS):
        from LandmarkDetectionLib.detection.registration_start import detected_landmarks_start

        return StartFile(detected_landmarks_start(path, landmarks))
    trained = read_model(path)

    def from_network(ct: CT, radiographs: Sequence[Radiograph]) -> Start:
        trained.check_knows(ct, path)
        return start_from_network(trained, ct, radiographs)

    return StartFile(from_network, trained.metadata)


def check_pixels(radiograph: Radiograph, path: object) -> None:
    """InputError, naming `path`, for an X-ray with too few usable pixels."""
    usable = int(radiograph.mask.sum())
    if usable < _FEWEST_PIXELS:
        raise InputError(
            path,
            f"{usable} of its {radiograph.mask.size} pixels can be used, at least {_FEWEST_PIXELS} are needed",
            "Give a larger or better exposed image, or a mask that leaves more of it.",
        )


def check_in_view(radiograph: Radiograph, path: object, projector: Projector, start: Start) -> None:
    """InputError when at none of the starts enough usable rays cross the CT: there is nothing to compare."""
    pixels = all_pixels(radiograph.camera.size)[radiograph.mask.ravel()]
    rays = radiograph.camera.rays(pixels[:: len(pixels) // _RAYS_TRIED + 1])

    def crossing(pose: Float64[np.ndarray, "4 4"]) -> float:
        """How many pixels show the CT."""
        centre = rigid.transform_points(radiograph.camera.camera_from_world @ pose, [projector.ct.centre])[0]
        if centre[2] <= 0 or _holds(projector.ct, pose, rays.source[0]):
            return 0.0
        return float(projector.coverage(rays, pose).crosses.mean()) * len(pixels)

    if max(crossing(pose) for _, pose in start.poses) < _FEWEST_PIXELS:
        names = ", ".join(name for name, _ in start.poses)
        raise InputError(
            path,
            f"at the start ({names}) the CT lies outside its view, outside the part that may be used, or around the "
            "X-ray source",
            "Check the camera, its units and world axes, and the mask; or choose a start that shows the CT (--start).",
        )


def _holds(ct: CT, pose: Float64[np.ndarray, "4 4"], point: Float64[np.ndarray, "3"]) -> bool:
    """Whether a point (world mm) lies within the CT's grid."""
    voxel = rigid.transform_points(np.linalg.inv(pose @ ct.ct_from_voxel), [point])[0]
    return bool((voxel >= 0).all() and (voxel < ct.size).all())


def check_shared_world(radiographs: Sequence[Radiograph]) -> None:
    """InputError for cameras of different worlds."""
    worlds = {radiograph.world for radiograph in radiographs}
    if len(worlds) > 1:
        raise InputError(
            "X-rays",
            f"their cameras speak of different worlds ({', '.join(sorted(worlds))}), so they cannot share one pose",
            "Give camera files in one common frame for all of them, or register them one by one.",
        )


def check_spares(output: Path, views: Sequence[XrayFile]) -> None:
    """InputError where an X-ray or a camera is a result of an earlier run in `output`, which would be gone after."""
    for path in (path for view in views for path in (view.path, view.camera) if path is not None):
        is_result = re.fullmatch(r"drr-\d+\.nrrd|camera-\d+\.json", path.name)
        if is_result and path.parent.resolve() == output.resolve():
            raise InputError(path, "is one of the inputs, which would be overwritten", "Choose another output folder.")


def check_weights(weights: Sequence[float] | None, views: int) -> None:
    """InputError unless there is a positive weight for each view, or none at all."""
    if weights is None:
        return
    if len(weights) != views or not all(0 < weight < np.inf for weight in weights):
        given = ", ".join(f"{weight:g}" for weight in weights)
        raise InputError(
            "--weight", f"{given} for {views} views", "Give one number above zero a view, in their order."
        )


def told_apart(radiograph: Radiograph, frame: str | None, frame_of_ct: str | None) -> Radiograph:
    """A localizer of another session shares the scanner's axes with the CT, but not where the patient lay.

    `frame` and `frame_of_ct` are the frames of reference (`ct_files.frame_of_reference`) of both, None if unknown.
    """
    if radiograph.world != WorldFrame.SCANNER:
        return radiograph
    if frame is not None and frame == frame_of_ct:
        line = Provenance("frame of reference", "shared by CT and X-ray", "FrameOfReferenceUID (0020,0052)")
        return replace(radiograph, provenance=(*radiograph.provenance, line))
    line = Provenance("frame of reference", "not shared by CT and X-ray", "FrameOfReferenceUID (0020,0052)")
    return replace(radiograph, world=WorldFrame.PATIENT, provenance=(*radiograph.provenance, line))
