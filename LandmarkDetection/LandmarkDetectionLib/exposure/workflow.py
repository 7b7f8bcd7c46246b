"""What a run of X-rays shone on, from files to files: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from DiffRegistrationLib.pose_network.torch_needed import torch_needed
from DiffRegistrationLib.tracking.track import BodyTrack, Track
from DiffRegistrationLib.tracking.track_files import read_track
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import check_folder_for_writing
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.transform_files import read_pose
from DiffRegistrationLib.xray.files.xray_sequences import XraySequence
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from ..atlas.landmark_files import read_landmarks
from ..atlas.landmark_set import LandmarkSet
from ..skull_shape.extraction import skin_surface
from .beam import beam_of
from .exposure_files import write_exposure
from .head_exposure import HeadExposure, head_exposure
from .head_regions import head_regions
from .point_organs import point_organs

_AMOUNTS = {"frames_per_second": "frames per second", "seconds": "seconds of a frame", "mas": "mAs"}

Poses = dict[int, Float64[np.ndarray, "4 4"]]


class View(Protocol):
    """One view's frames, by their own numbers."""

    @property
    def numbers(self) -> Sequence[int]:
        """The frames that there are."""
        ...

    def read(self, number: int) -> Radiograph:
        """The radiograph of a frame."""
        ...


def exposure_of_files(
    ct: Path,
    landmarks: Path,
    views: Sequence[XraySequence],
    *,
    output: Path,
    track: Path | None = None,
    pose: Path | None = None,
    body: str | None = None,
    frames_per_second: float | None = None,
    mas: float | None = None,
    series: str | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> HeadExposure:
    """The skin of a head's CT under the beams of all `views`, written to `output` (see `write_exposure`).

    Where the head is says a `track` (track.json, or its folder), whose `body` is the head, or one `pose` for all
    frames. A frame lasts as the track's rate or `frames_per_second` says, else one second counts for each; `mas` is
    what each frame got, where that is known. Frames without a pose are left out. InputError says what is wrong; bad
    input leaves nothing behind.
    """
    _check(views, frames_per_second=frames_per_second, mas=mas)
    if (track is None) == (pose is None):
        raise InputError("poses", "a track or a pose is needed, and not both", "Give --track or --pose.")
    check_folder_for_writing(output)
    known, rate = _of_track(track, body) if track is not None else ({}, None)
    if pose is not None:
        known = dict.fromkeys((number for view in views for number in view.numbers), read_pose(pose))
    places = read_landmarks(landmarks)
    seconds = 1 / (frames_per_second or rate or 1.0)
    volume = read_ct(ct, series=series)
    return exposure_of_poses(volume, places, views, known, output=output, seconds=seconds, mas=mas, tell=tell)


def exposure_of_poses(
    ct: CT,
    landmarks: LandmarkSet,
    views: Sequence[View],
    poses: Poses,
    *,
    output: Path,
    seconds: float = 1.0,
    mas: float | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> HeadExposure:
    """The same of what was read already: a CT with its landmarks, its `poses` (world_from_ct) by frames' numbers.

    Its beams are those of `frames_with_poses`, in that order; each lasted `seconds`. InputError as above.
    """
    _check(views, seconds=seconds, mas=mas)
    check_folder_for_writing(output)
    wanted = frames_with_poses(views, poses)
    surface = skin_surface(ct)
    beams = []
    for done, (view, number) in enumerate(wanted):
        tell(done, len(wanted))
        beams.append(beam_of(_name(view, number), views[view].read(number), poses[number], seconds=seconds, mas=mas))
    exposure = head_exposure(surface, head_regions(surface.vertices, landmarks), point_organs(landmarks), beams)
    write_exposure(output, exposure)
    return exposure


def exposure_of_xrays(
    model: Path,
    views: Sequence[XraySequence],
    *,
    output: Path,
    frames_per_second: float | None = None,
    mas: float | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> HeadExposure:
    """The same without a CT: the template's skin, warped to the landmarks that the network in `model` finds.

    Frames in which it finds no head are left out. InputError as above, and where torch is absent.
    """
    with torch_needed():
        from ..detection.detector import detect
        from ..network.model_file import read_detector
        from .detected_heads import SeenHead, exposure_of_detections
    _check(views, frames_per_second=frames_per_second, mas=mas)
    check_folder_for_writing(output)
    trained = read_detector(model)
    wanted = [(view, number) for view in range(len(views)) for number in views[view].numbers]
    frames = []
    for done, (view, number) in enumerate(wanted):
        tell(done, len(wanted))
        radiograph = views[view].read(number)
        found = detect(trained, radiograph)
        frames.append(SeenHead(_name(view, number), radiograph, found, 1 / (frames_per_second or 1.0), mas))
    exposure = exposure_of_detections(frames)
    write_exposure(output, exposure)
    return exposure


def frames_with_poses(views: Sequence[View], poses: Poses) -> list[tuple[int, int]]:
    """(view, number) of all frames that have a pose, view by view. InputError where there is none."""
    wanted = [(view, number) for view in range(len(views)) for number in views[view].numbers if number in poses]
    if not wanted:
        raise InputError(
            "poses",
            "none of the X-rays' frames has one",
            "Give the track of these X-rays, with their frames' numbers.",
        )
    return wanted


def _check(views: Sequence[View], **amounts: float | None) -> None:
    if not views:
        raise InputError("X-rays", "none was given", "Give at least one view.")
    for name, value in amounts.items():
        if value is not None and not (np.isfinite(value) and value > 0):
            raise InputError(_AMOUNTS[name], f"{value:g} was given", "Give a number above zero.")


def _name(view: int, number: int) -> str:
    """Names of files may hold a patient's."""
    return f"view {view + 1}, frame {number}"


def _of_track(path: Path, body: str | None) -> tuple[Poses, float | None]:
    """world_from_ct by the frames' numbers, without those that failed, and the rate."""
    track = read_track(path)
    followed = _body(track, body, path)
    poses = {
        frame.time: frame.pose
        for frame, trusted in zip(followed.frames, followed.trusted, strict=True)
        if trusted and frame.pose is not None
    }
    return poses, track.frames_per_second


def _body(track: Track, name: str | None, path: Path) -> BodyTrack:
    names = [one.name for one in track.bodies]
    if name is None and len(names) == 1:
        return track.bodies[0]
    if name not in names:
        told = "no body was named" if name is None else f"has no body {name!r}"
        raise InputError(path, told, f"Name the head (--body): {', '.join(names)}.")
    return track.body(name)
