"""A tracking from files to files: what the command, cohorts and scripts all call."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from .. import __version__
from ..registration.inputs import StartFile, check_in_view, start_file
from ..registration.registration import DEFAULT_SIMILARITY
from ..registration.similarity import check_similarity
from ..registration.starts import START_NAMES, Start, start_from_name
from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.atomic import check_folder_for_writing
from ..xray.files.ct_files import frame_of_reference, read_ct
from ..xray.files.xray_sequences import XraySequence
from ..xray.geometry import rigid
from ..xray.projector.accelerated_projector import projector_on
from ..xray.radiograph import Radiograph
from .anatomical_frame import default_frame, read_anatomical_frame
from .bodies import Body, BodyFile, bodies_of
from .joint_motion import JointMotion, joint_motion
from .journal import JOURNAL, Journal
from .movie import check_movie
from .read_ahead import ReadAhead
from .sequence_files import SequenceFiles
from .track import Track
from .track_files import write_track
from .track_pictures import write_pictures
from .tracker import Tracker, TrackProgress, Watching

__all__ = ["BodyFile", "TrackProgress", "track_files"]

# Bodies of one CT start as they lie in it, about the first one's pose: so far they may have moved in a joint.
# CTs of their own may lie anywhere, but are mostly cut out along the same axes.
_JOINT_DEG, _JOINT_STEP_DEG, _JOINT_MM, _BESIDE_MM = 24.0, 12.0, 30.0, 60.0


def track_files(
    ct: Path | None,
    views: Sequence[XraySequence],
    *,
    output: Path,
    start: str = "auto",
    starts: Mapping[str, str] | None = None,
    key_frame: int | None = None,
    first: int | None = None,
    last: int | None = None,
    bodies: Sequence[BodyFile] = (),
    labels: Path | None = None,
    joints: Sequence[tuple[str, str]] = (),
    anatomical_frames: Mapping[str, Path] | None = None,
    frames_per_second: float | None = None,
    similarity: str = DEFAULT_SIMILARITY,
    weights: Sequence[float] | None = None,
    series: str | None = None,
    movie: str | None = None,
    device: str = "cpu",
    watch: Callable[[TrackProgress], None] | None = None,
    is_asked_to_stop: Callable[[], bool] = lambda: False,
) -> Track:
    """Follow the CT, or `bodies` of it, through X-ray sequences and write everything into `output`.

    `start` is where the key frame begins: one of `START_NAMES`, or the path of a pose or of a trained network; a
    body with one of its own in `starts` begins there, other bodies than the first of the same CT about the first
    one's pose. `first` and `last` bound the frames' numbers. `joints` are pairs (proximal, distal) of bodies whose
    relative motion is wanted, in `anatomical_frames` (files, see `read_anatomical_frame`) or in the CT's axes.
    `movie` is "gif" or "mp4"; `device` is where rays are cast, see `projector_on`. Written are track.json,
    poses.csv, joint-….csv, report.html, the movie, and a journal of what is done, by which a tracking that was cut
    off goes on. InputError says what is wrong and what to do.
    """
    check_similarity(similarity)
    make_projector = projector_on(device)
    if ct is None and not (bodies and all(body.ct for body in bodies)):
        raise InputError("CT", "none was given", "Give the CT, or bodies that have CTs of their own.")
    _check_weights(weights, len(views))
    _check_names(bodies, joints, starts, anatomical_frames)
    axes = {name: read_anatomical_frame(path) for name, path in (anatomical_frames or {}).items()}
    if movie is not None:
        check_movie(output / f"movie.{movie}")
    check_folder_for_writing(output)
    frame = None if ct is None else frame_of_reference(ct, series=series)
    sequence = SequenceFiles(views, first, last, frame)
    loaded = None if ct is None else read_ct(ct, series=series)
    followed = bodies_of(loaded, bodies, labels, make_projector)
    task = _fingerprint(
        [
            ct,
            labels,
            *(p for b in bodies for p in (b.mask, b.ct)),
            *_paths(views, sequence.times),
            start,
            *(starts or {}).values(),
        ],
        [
            *(start, starts, key_frame, first, last, [b.__dict__ for b in bodies], similarity, weights, series),
            [[v.numbers, v.camera is None, v.geometry, v.mask is None, v.bone_is_bright] for v in views],
        ],
    )
    starting = _Starts(followed, bodies, start, starts or {})
    with ReadAhead(sequence) as source:
        tracker = Tracker(
            followed,
            source,
            starting,
            key_frame=key_frame,
            similarity=similarity,
            weights=weights,
            frames_per_second=frames_per_second,
            journal=Journal(output / JOURNAL, task),
            watching=Watching(watch or (lambda _: None), None, is_asked_to_stop),
        )
        track = tracker.run()
        motions = _motions(track, joints, axes)
        write_track(output, track, motions)
        write_pictures(
            output,
            track,
            followed,
            source,
            motions,
            provenance=_provenance(loaded, sequence),
            movie=movie,
        )
    return track


def _check_weights(weights: Sequence[float] | None, count: int) -> None:
    if weights is None:
        return
    if len(weights) != count:
        raise InputError("weights", f"{len(weights)} for {count} views", "Give one a view, in their order.")
    for weight in weights:
        if not 0 < weight < inf:
            raise InputError("weights", f"{weight:g} is no weight", "Give numbers above zero; leave out other views.")


def _check_names(
    bodies: Sequence[BodyFile],
    joints: Sequence[tuple[str, str]],
    starts: Mapping[str, str] | None,
    anatomical_frames: Mapping[str, Path] | None,
) -> None:
    """InputError for names of bodies that there are not."""
    names = {body.name for body in bodies}
    for name in {*(name for joint in joints for name in joint), *(starts or {}), *(anatomical_frames or {})}:
        if name not in names:
            raise InputError(
                f"body {name}",
                "was named, but is none of the bodies",
                f"There are: {', '.join(sorted(names)) or 'none'}.",
            )
    for one, other in joints:
        if one == other:
            raise InputError(f"joint {one}:{other}", "is of a body with itself", "Name two bodies.")


class _Starts:
    """Where each body is searched for in a key frame."""

    def __init__(self, bodies: Sequence[Body], files: Sequence[BodyFile], start: str, own: Mapping[str, str]) -> None:
        self._bodies = tuple(bodies)
        self._names = [own.get(body.name, start) for body in bodies]
        self._has_own = [body.name in own for body in bodies]
        # Bodies of one CT lie as they lie in it; a CT of its own has a frame of its own.
        self._shares_ct = [not files or file.ct is None for file in files] or [True]
        self._files: dict[str, StartFile] = {
            name: start_file(name) for name in set(self._names) if name not in START_NAMES
        }

    def __call__(
        self, number: int, radiographs: Sequence[Radiograph], found: Mapping[int, Float64[np.ndarray, "4 4"]]
    ) -> Start:
        name = self._names[number]
        body = self._bodies[number]
        if number and not self._has_own[number]:
            if self._shares_ct[number] and self._shares_ct[0]:
                about, reach_mm = ("as it lies in the CT", found[0]), _JOINT_MM
            else:
                about, reach_mm = (f"beside {self._bodies[0].name}", self._beside(number, found[0])), _BESIDE_MM
            depths = (0.0,) if len(radiographs) > 1 else (-reach_mm, 0.0, reach_mm)
            return Start((about,), _JOINT_DEG, _JOINT_STEP_DEG, depths, reach_mm, trusted=False)
        if name in self._files:
            start = self._files[name].start(body.projector.ct, radiographs)
        else:
            start = start_from_name(name, body.projector.ct, radiographs)
        for view, radiograph in enumerate(radiographs, start=1):
            check_in_view(radiograph, f"view {view}", body.projector, start)
        return start

    def _beside(self, number: int, pose: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
        """For a body with a CT of its own: turned as the first body, with the centres in one place."""
        body = self._bodies[number]
        centre = rigid.transform_points(pose, [self._bodies[0].projector.ct.centre])[0]
        return rigid.rigid(pose[:3, :3], centre - pose[:3, :3] @ body.projector.ct.centre)


def _paths(views: Sequence[XraySequence], times: Sequence[int]) -> list[Path]:
    paths: list[Path] = []
    for view in views:
        paths += [view.frames[time].path for time in times if time in view.frames]
        paths += [path for path in (view.camera, view.mask) if path is not None]
    return paths


def _fingerprint(files: Sequence[Path | str | None], options: Sequence[Any]) -> str:
    """Of the inputs by their sizes and dates, and of all that was asked for."""
    stamps = []
    for file in files:
        path = None if file is None else Path(file)
        if path is not None and path.is_file():
            status = path.stat()
            stamps.append([status.st_size, status.st_mtime_ns])
        elif path is not None and path.is_dir():
            for one in sorted(path.rglob("*")):
                stamps.append([one.stat().st_size, one.stat().st_mtime_ns])
    text = json.dumps([__version__, stamps, options], default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _motions(
    track: Track, joints: Sequence[tuple[str, str]], axes: Mapping[str, Float64[np.ndarray, "4 4"]]
) -> list[JointMotion]:
    frames = {body.name: axes.get(body.name, default_frame(body.centre)) for body in track.bodies}
    return [joint_motion(track.body(one), track.body(other), frames) for one, other in joints]


def _provenance(ct: CT | None, source: SequenceFiles) -> dict[str, Any]:
    """What is known of CT and views, by what the report calls them."""
    of_views = {f"View {number + 1}": lines for number, lines in source.provenance().items()}
    return of_views if ct is None else {"CT": ct.provenance, **of_views}
