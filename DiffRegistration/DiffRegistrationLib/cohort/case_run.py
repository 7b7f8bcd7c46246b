"""One case from its line to its outcome; whatever goes wrong with it stays with it."""

from __future__ import annotations

import re
import shutil
import time
import traceback
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..xray.errors import UNUSABLE, InputError, as_input_error
from ..xray.files.xray_with_geometry import XrayFile
from .case_inputs import CaseInputs, case_inputs
from .cohort_case import TRACK, CaseTask, Problem
from .outcome import OUTCOME_FILE, Outcome, Status, failed, read_outcome, write_outcome
from .relative_words import relative_problem
from .thumbnail import THUMBNAIL, write_thumbnail

if TYPE_CHECKING:
    from ..tracking.track import Track

_REPORT = "report.html"
# What an earlier run with other inputs left; a tracking knows by itself what it can go on from.
_OF_REGISTRATION = ("result.json", _REPORT, "pose.tfm", "pose.h5", "pose.json", "drr-*.nrrd", THUMBNAIL)
_OF_TRACKING = ("track.json", "poses.csv")
# Half-written files and folders of a process that was killed.
_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{8}(\..*)?")
_ENGINE = Path(__file__).parents[1]


def run_case(task: CaseTask) -> Outcome:
    """Register or track a case into its folder, outcome.json last. Bad input and errors become outcomes.

    Where even the outcome cannot be written it is failed, and the case is run again the next time.
    """
    began = time.perf_counter()
    inputs = None
    try:
        task.folder.mkdir(parents=True, exist_ok=True)
        # Readers of DICOM speak to programmers, and quote the patient.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            inputs = case_inputs(task.case, task.source)
            _check_apart(task, inputs)
            _clear(task.folder, task.case.kind)
            run = _track if task.case.kind == TRACK else _register
            outcome = run(task, inputs)
    except UNUSABLE as error:
        problem = Problem.of(as_input_error(error))
        outcome = failed(task.case, Status.FAILED_INPUT, relative_problem(problem, inputs, task.source, task.output))
    except Exception as error:
        problem = _unexpected(error)
        outcome = failed(task.case, Status.FAILED_PROGRAM, relative_problem(problem, inputs, task.source, task.output))
    return _kept(task, outcome, time.perf_counter() - began)


def lost_case(task: CaseTask, cause: InputError, tries: int) -> Outcome:
    """The outcome of a case whose process died as often as it was tried, from `cause` the last time."""
    problem = Problem(cause.subject, f"{cause.problem} ({tries} times)", cause.remedy)
    return _kept(task, failed(task.case, Status.FAILED_PROGRAM, problem))


def _kept(task: CaseTask, outcome: Outcome, seconds: float | None = None) -> Outcome:
    """Write an outcome into the case's folder; gives back what is there now."""
    outcome = replace(outcome, fingerprint=task.fingerprint, program=__version__, seconds=seconds)
    if not outcome.is_done:
        # A cluster may have taken another worker for dead that went on, and did it.
        found = read_outcome(task.folder, task.fingerprint)
        if found is not None and found.is_done:
            return found
    try:
        task.folder.mkdir(parents=True, exist_ok=True)
        write_outcome(task.folder, outcome)
    except (InputError, OSError) as error:
        problem = relative_problem(Problem.of(as_input_error(error)), None, task.source, task.output)
        return failed(task.case, Status.FAILED_PROGRAM, problem)
    return outcome


def _check_apart(task: CaseTask, inputs: CaseInputs) -> None:
    """InputError for inputs among the case's results, which would go, and for results within an input's folder."""
    folder = task.folder.resolve()
    for path in inputs.files:
        if path.resolve().is_relative_to(folder):
            raise InputError(
                path, "lies where the results of this case go, which would replace it", "Move it to another folder."
            )
        if path.is_dir() and folder.is_relative_to(path.resolve()):
            raise InputError(path, "is a folder of inputs that the results lie in", "Choose another output folder.")


def _clear(folder: Path, kind: str) -> None:
    names = () if kind == TRACK else (*_OF_REGISTRATION, *_OF_TRACKING)
    for path in [found for name in (OUTCOME_FILE, *names) for found in folder.glob(name)]:
        path.unlink(missing_ok=True)
    for path in folder.iterdir():
        if _HALF_WRITTEN.fullmatch(path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _register(task: CaseTask, inputs: CaseInputs) -> Outcome:
    from ..registration.workflow import register_files

    result = register_files(
        inputs.ct,
        inputs.views,
        output=task.folder,
        start=inputs.start,
        series=inputs.series,
        similarity=inputs.similarity,
    )
    write_thumbnail(task.folder / THUMBNAIL, inputs.views[0].read(), result.drrs[0])
    return Outcome(
        task.case.name,
        task.case.kind,
        Status.FAILED_POSE if result.verdict == "failed" else Status.DONE,
        verdict=result.verdict.value,
        reason=result.reason,
        similarity=float(result.similarity),
        std=tuple(result.std.tolist()),
        pose=tuple(map(tuple, result.pose.tolist())),
        start=result.start,
        report=_REPORT,
    )


def _track(task: CaseTask, inputs: CaseInputs) -> Outcome:
    from ..tracking.workflow import track_files
    from ..xray.files.xray_sequences import XraySequence

    def sequence(view: XrayFile) -> XraySequence:
        return XraySequence(view.path, view.camera, view.geometry, view.mask, view.bone_is_bright)

    track = track_files(
        inputs.ct,
        [sequence(view) for view in inputs.views],
        output=task.folder,
        start=inputs.start,
        key_frame=inputs.key_frame,
        first=inputs.first,
        last=inputs.last,
        bodies=inputs.bodies,
        labels=inputs.labels,
        joints=inputs.joints,
        frames_per_second=inputs.frames_per_second,
        similarity=inputs.similarity,
        series=inputs.series,
    )
    verdict, reason = verdict_of_track(track)
    return Outcome(
        task.case.name,
        task.case.kind,
        Status.FAILED_POSE if verdict == "failed" else Status.DONE,
        verdict=verdict,
        reason=reason,
        report=_REPORT if (task.folder / _REPORT).is_file() else None,
    )


def verdict_of_track(track: Track) -> tuple[str, str]:
    """One verdict for a sequence, and why: failed if fewer than half of the frames of a body can be trusted."""
    counts = [Counter(frame.verdict.value for frame in body.frames) for body in track.bodies]
    total = sum(counts, Counter[str]())
    words = ", ".join(
        f"{total[verdict]} {verdict}" for verdict in ("accepted", "doubtful", "failed") if total[verdict]
    )
    of_bodies = f" of {len(counts)} bodies" if len(counts) > 1 else ""
    reason = f"{total.total()} frames{of_bodies}: {words or 'none'}"
    if any(2 * (count["accepted"] + count["doubtful"]) < count.total() for count in counts) or not total:
        return "failed", reason
    return ("accepted" if total["accepted"] == total.total() else "doubtful"), reason


def _unexpected(error: Exception) -> Problem:
    """An error of the program: its type and words, and where in the engine it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [Path(frame.filename) for frame in frames]
    ours = [number for number, place in enumerate(places) if place.is_relative_to(_ENGINE)]
    where = ""
    if ours:
        last = ours[-1]
        where = f" ({places[last].relative_to(_ENGINE).as_posix()}, line {frames[last].lineno})"
    return Problem(
        "the program", f"failed: {type(error).__name__}: {error}{where}", "This is an error of the program: report it."
    )
