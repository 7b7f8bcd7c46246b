"""The job that follows the CT through a sequence of X-rays."""

from __future__ import annotations

import time as clock
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..registration.inputs import check_shared_world
from ..registration.result import Iteration, Verdict
from ..registration.similarity import check_similarity
from ..registration.starts import Start
from ..tracking import tracker
from ..tracking.bodies import WHOLE_CT, Body
from ..tracking.frames import Frame
from ..tracking.track import BodyTrack, Track
from ..tracking.track_files import write_track
from ..tracking.tracker import Tracker, TrackProgress
from ..xray.errors import InputError
from ..xray.files.atomic import check_folder_for_writing
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .alignment_inputs import GivenStart, check_in_view, check_usable, projector_of
from .frame_numbers import frame_numbers
from .frames import LiveFrames
from .job import TrackJob
from .job_files import read_radiograph
from .json_fields import to_json
from .messages import Progress, Tell
from .watching import Watching


def run(job: TrackJob, tell: Tell) -> dict[str, Any]:
    """Follow the CT from the key frame forward and backward, as `tracking.tracker` does, or until asked to stop.

    A view that cannot be used in a frame, such as a dark one, is left out of it; a frame without any view is failed.

    The content, one entry for each frame that was reached, in their order: times (from 0), poses (world_from_ct, RAS
    mm; where a frame says nothing the smoothed one, else that of the nearest frame that does), verdicts, reasons,
    similarities, std (three rad, three mm) and covariances (None where a frame says nothing), views (those used, from
    0), starts, seconds, smoothed (None where nothing is known); and key_frame (its time), frames (how many), stopped
    (before the last one), and out (path of the folder that got track.json and poses.csv, or None). InputError as
    `register_files`, for numbers of X-rays and frames that do not fit, and where no key frame can be used.
    """
    check_similarity(job.similarity)
    given = GivenStart.of(job)
    if job.out is not None:
        check_folder_for_writing(job.out)
    tell(Progress(job.id, 0.0, words="Reading the CT…"))
    source = _JobFrames(job, frame_numbers(job.folder, job.views, job.numbers))
    key_frame = None if job.key_frame is None else _number_of(job.key_frame, source.times)
    projector = projector_of(job.where_the_ct_is)
    audience = _Audience(job, projector, source, tell)
    track = Tracker(
        [Body(WHOLE_CT, projector)],
        source,
        _Starts(given, projector, source),
        key_frame=key_frame,
        similarity=job.similarity,
        frames_per_second=job.frames_per_second,
        watching=tracker.Watching(audience.frame_done, audience.step, job.is_asked_to_stop),
    ).run()
    if job.out is not None:
        write_track(job.out, track)
    return {**_content(track, audience.order), "out": to_json(job.out)}


def _number_of(key_frame: int, numbers: Sequence[int]) -> int:
    if not 0 <= key_frame < len(numbers):
        raise InputError(
            f"key frame {key_frame}",
            f"is none of the {len(numbers)} frames, which count from 0",
            "Choose one of the frames that are followed.",
        )
    return numbers[key_frame]


class _JobFrames:
    """A `FrameSource` over the radiographs in a job's folder."""

    def __init__(self, job: TrackJob, numbers: Sequence[int]) -> None:
        self._job, self._numbers = job, tuple(numbers)
        self._places = {number: place for place, number in enumerate(numbers)}
        self._newest: tuple[int, list[Radiograph]] | None = None

    @property
    def times(self) -> Sequence[int]:
        """The frames' own numbers."""
        return self._numbers

    @property
    def views(self) -> int:
        """How many views each frame has."""
        return self._job.views

    def place_of(self, time: int) -> int:
        """The place of a frame among those of the job, from 0."""
        return self._places[time]

    def names_of(self, radiographs: Sequence[Radiograph]) -> list[str]:
        """What messages call these radiographs of the newest frame."""
        assert self._newest is not None
        time, newest = self._newest
        views = [next(view for view, one in enumerate(newest) if one is radiograph) for radiograph in radiographs]
        return [f"{self._job.name_of(view)}, frame {time}" for view in views]

    def radiographs(self, time: int) -> list[Radiograph]:
        """What all views show, also those that cannot be used."""
        if self._newest is None or self._newest[0] != time:
            first = self.place_of(time) * self.views
            self._newest = time, [read_radiograph(self._job.folder, first + view) for view in range(self.views)]
        return self._newest[1]

    def frame(self, time: int) -> Frame:
        """The views that can be used, None for others. InputError where none can, and for cameras of two worlds."""
        radiographs = self.radiographs(time)
        check_shared_world(radiographs)
        problem: InputError | None = None
        found: list[Radiograph | None] = []
        for radiograph, name in zip(radiographs, self.names_of(radiographs), strict=True):
            try:
                check_usable([radiograph], [name])
            except InputError as error:
                problem = problem or error
                found.append(None)
            else:
                found.append(radiograph)
        if problem is not None and not any(found):
            raise problem
        return tuple(found)


class _Starts:
    """Where the CT is searched for in a key frame. InputError where the X-rays do not see it there."""

    def __init__(self, given: GivenStart, projector: Projector, source: _JobFrames) -> None:
        self._given, self._projector, self._source = given, projector, source

    def __call__(
        self, _body: int, radiographs: Sequence[Radiograph], _found: Mapping[int, Float64[np.ndarray, "4 4"]]
    ) -> Start:
        start = self._given.start(self._projector.ct, radiographs)
        check_in_view(radiographs, self._source.names_of(radiographs), self._projector, start)
        return start


class _Audience:
    """Tells how a tracking goes: `order` are the frames that are done, as they came."""

    def __init__(self, job: TrackJob, projector: Projector, source: _JobFrames, tell: Tell) -> None:
        self.order: list[int] = []
        self._job, self._source, self._tell = job, source, tell
        self._frames = LiveFrames(job.folder, job.id, projector, [], tell, longest_side=job.live_side)
        self._verdicts: dict[int, Verdict] = {}
        self._total = len(source.times)
        self._of: tuple[int, Watching] | None = None
        self._began = clock.perf_counter()

    def step(
        self, time: int, _body: int, stage: str, iteration: Iteration | None, pose: Float64[np.ndarray, "4 4"]
    ) -> None:
        """A step of the solver in a frame."""
        if self._of is None or self._of[0] != time:
            place = self._source.place_of(time)
            if self._job.live:
                self._frames.look_through([one.camera for one in self._source.radiographs(time)], place)
            # A frame that is done once more takes the bar no further.
            part = (len(self._verdicts) + np.array([0, time not in self._verdicts])) / self._total
            frames, words = self._frames if self._job.live else None, f"Frame {time}: "
            watching = Watching(self._job.id, self._tell, frames, first=part[0], last=part[1], words=words)
            self._of = time, watching
            self._tell(Progress(self._job.id, part[0], None, f"{words}searching…", self._numbers(time)))
        self._of[1](stage, iteration, pose)

    def frame_done(self, progress: TrackProgress) -> None:
        """A frame is done, perhaps once more."""
        (found,) = progress.found.values()
        self.order += [progress.time] if progress.time not in self._verdicts else []
        self._verdicts[progress.time] = found.verdict
        was_watched = self._of is not None and self._of[0] == progress.time
        if self._job.live and found.pose is not None and was_watched:
            self._frames.show(found.pose, at_once=True)
        done = len(self._verdicts)
        spent = clock.perf_counter() - self._began
        numbers = self._numbers(progress.time)
        if found.pose is not None and not was_watched:
            # Another process found it: what is shown goes on with the frames of this one.
            del numbers["frame"]
        if found.similarity is not None:
            numbers["similarity"] = found.similarity
        self._tell(
            Progress(
                self._job.id,
                done / self._total,
                spent / done * (self._total - done),
                f"{progress.words}, {done} of {self._total} done",
                numbers,
            )
        )

    def _numbers(self, time: int) -> dict[str, float]:
        """The frame's place, how many are done, and how many of those have which verdict."""
        counts = {verdict.value: float(count) for verdict, count in Counter(self._verdicts.values()).items()}
        place = self._source.place_of(time)
        return {"frame": place, "done": len(self._verdicts), "total": self._total, **counts}


def _content(track: Track, order: Sequence[int]) -> dict[str, Any]:
    """What is known of the frames that were reached, `order` tells in which order."""
    (body,) = track.bodies
    reached = [place for place, time in enumerate(track.times) if time in set(order)]
    frames = [body.frames[place] for place in reached]
    return to_json(
        {
            "times": reached,
            "poses": _filled(body, reached),
            "verdicts": [frame.verdict.value for frame in frames],
            "reasons": [frame.reason for frame in frames],
            "similarities": [frame.similarity for frame in frames],
            "std": [None if frame.covariance is None else np.sqrt(np.diag(frame.covariance)) for frame in frames],
            "covariances": [frame.covariance for frame in frames],
            "views": [frame.views for frame in frames],
            "starts": [frame.start for frame in frames],
            "seconds": [frame.seconds for frame in frames],
            "smoothed": [None if np.isnan(pose).any() else pose for pose in body.smoothed[reached]],
            "key_frame": track.times.index(order[0]),
            "frames": len(reached),
            "stopped": track.stopped,
        }
    )


def _filled(body: BodyTrack, places: Sequence[int]) -> list[Float64[np.ndarray, "4 4"]]:
    """Poses of the frames at these places, also of those that say nothing."""
    known = [place for place in places if body.frames[place].pose is not None]
    filled = []
    for place in places:
        pose = body.frames[place].pose
        if pose is None and not np.isnan(body.smoothed[place]).any():
            pose = body.smoothed[place]
        if pose is None:
            pose = body.frames[min(known, key=lambda other: abs(other - place))].pose
        assert pose is not None
        filled.append(pose)
    return filled
