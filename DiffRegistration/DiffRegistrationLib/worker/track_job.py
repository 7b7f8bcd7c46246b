"""The job that follows the CT through a sequence of X-rays."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..registration.registration import register
from ..registration.result import RegistrationResult, Verdict
from ..registration.similarity import check_similarity
from ..registration.starts import Start, start_from_pose
from ..registration.workflow import result_as_dict
from ..xray.errors import InputError
from ..xray.files.atomic import check_folder_for_writing, written_together
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .alignment_inputs import GivenStart, check_in_view, check_usable, projector_of
from .frames import LiveFrames
from .job import TrackJob
from .job_files import radiograph_count, read_radiograph
from .json_fields import to_json
from .messages import Progress, Tell
from .watching import Watching

FORMAT = "fluoro registration track"
_VERSION = 1
_PER_FRAME = ("pose", "verdict", "reason", "similarity", "std", "start", "seconds")


def run(job: TrackJob, tell: Tell) -> dict[str, Any]:
    """Register frame after frame, each from the pose of the one before it, until the end or until asked to stop.

    A frame that fails from there is tried again from the job's own start; the better of both counts. A frame that
    cannot be used, such as a dark one, is failed, and lies where the one before it does.

    The content, one entry a frame: poses (world_from_ct, RAS mm), verdicts, reasons, similarities, std (three rad,
    three mm; None for a frame that could not be used), starts, seconds; and frames (how many), stopped (before the
    last one), and out (path of the folder that got track.json, or None). InputError as `register_files`, for numbers
    of X-rays that do not fit, and where no frame at all can be used.
    """
    check_similarity(job.similarity)
    given = GivenStart.of(job)
    if job.out is not None:
        check_folder_for_writing(job.out)
    tell(Progress(job.id, 0.0, words="Reading the CT…"))
    count = _frame_count(job)
    projector = projector_of(job.where_the_ct_is)
    tracker = _Tracker(job, projector, given, tell, count)
    while tracker.time < count and not (tracker.time and job.is_asked_to_stop()):
        tracker.next_frame()
    content = tracker.content()
    if job.out is not None:
        _write(job.out, content)
    return {**content, "out": to_json(job.out)}


def _frame_count(job: TrackJob) -> int:
    radiographs = radiograph_count(job.folder)
    if job.views < 1 or not radiographs or radiographs % job.views:
        raise InputError(
            "X-rays of the sequence",
            f"{radiographs} of them are no whole number of frames of {job.views} views",
            "Give the same views for each frame, one frame at least.",
        )
    return radiographs // job.views


class _Tracker:
    """Where a tracking is: `time` is the frame that comes next."""

    def __init__(self, job: TrackJob, projector: Projector, given: GivenStart, tell: Tell, count: int) -> None:
        self.time = 0
        self._job, self._projector, self._given, self._tell, self._count = job, projector, given, tell, count
        self._frames = LiveFrames(job.folder, job.id, projector, [], tell, longest_side=job.live_side)
        self._found: list[dict[str, Any]] = []
        self._last_good: Float64[np.ndarray, "4 4"] | None = None
        self._in_view = False
        self._first_error: InputError | None = None
        self._began = time.perf_counter()

    def next_frame(self) -> None:
        """Register the next frame."""
        first = self.time * self._job.views
        radiographs = [read_radiograph(self._job.folder, first + view) for view in range(self._job.views)]
        names = [f"{self._job.name_of(view)}, frame {self.time + 1}" for view in range(self._job.views)]
        try:
            check_usable(radiographs, names)
        except InputError as error:
            self._first_error = self._first_error or error
            found: dict[str, Any] = dict.fromkeys(_PER_FRAME)
            found |= {"verdict": Verdict.FAILED.value, "reason": str(error)}
        else:
            found = result_as_dict(self._registered(radiographs, names))
        self._found.append(found)
        self.time += 1
        spent = time.perf_counter() - self._began
        self._tell(
            Progress(
                self._job.id,
                self.time / self._count,
                spent / self.time * (self._count - self.time),
                f"Frame {self.time} of {self._count}: {found['verdict']}",
                {} if found["similarity"] is None else {"similarity": found["similarity"]},
            )
        )

    def _registered(self, radiographs: Sequence[Radiograph], names: Sequence[str]) -> RegistrationResult:
        """From the last pose that did not fail; where that fails or there is none, from the job's own start."""
        if self._job.live:
            self._frames.look_through([radiograph.camera for radiograph in radiographs], self.time)
        result = None
        if self._last_good is not None:
            result = self._from(start_from_pose(self._last_good, "pose of the frame before"), radiographs)
        if result is None or result.verdict == Verdict.FAILED:
            start = self._given.start(self._projector.ct, radiographs)
            if not self._in_view:
                check_in_view(radiographs, names, self._projector, start)
                self._in_view = True
            again = self._from(start, radiographs)
            if result is None or again.verdict != Verdict.FAILED or again.similarity > result.similarity:
                result = again
        if result.verdict != Verdict.FAILED:
            self._last_good = result.pose
        if self._job.live:
            self._frames.show(result.pose, at_once=True)
        return result

    def _from(self, start: Start, radiographs: Sequence[Radiograph]) -> RegistrationResult:
        watching = Watching(
            self._job.id,
            self._tell,
            self._frames if self._job.live else None,
            first=self.time / self._count,
            last=(self.time + 1) / self._count,
            words=f"Frame {self.time + 1} of {self._count}: ",
        )
        return register(self._projector, radiographs, start, similarity=self._job.similarity, watch=watching)

    def content(self) -> dict[str, Any]:
        """What was found so far; the error of the first frame if no frame could be used."""
        poses = [found["pose"] for found in self._found]
        known = next((pose for pose in poses if pose is not None), None)
        if known is None:
            assert self._first_error is not None
            raise self._first_error
        for number, pose in enumerate(poses):
            poses[number] = known = known if pose is None else pose
        columns = {key: [found[key] for found in self._found] for key in _PER_FRAME}
        return to_json(
            {
                "poses": poses,
                "verdicts": columns["verdict"],
                "reasons": columns["reason"],
                "similarities": columns["similarity"],
                "std": columns["std"],
                "starts": columns["start"],
                "seconds": columns["seconds"],
                "frames": self.time,
                "stopped": self.time < self._count,
            }
        )


def _write(folder: Path, content: dict[str, Any]) -> None:
    text = json.dumps({"format": FORMAT, "version": _VERSION, **content}, indent=2, allow_nan=False)
    with written_together(folder) as together:
        (together / "track.json").write_text(text + "\n", encoding="utf-8")
