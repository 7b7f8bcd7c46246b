"""The job that finds landmarks in the X-rays of a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from DiffRegistrationLib.pose_network.torch_needed import torch_needed
from DiffRegistrationLib.registration.inputs import check_pixels
from DiffRegistrationLib.worker.alignment_inputs import projector_of
from DiffRegistrationLib.worker.frame_numbers import frame_numbers
from DiffRegistrationLib.worker.job_files import read_radiograph
from DiffRegistrationLib.worker.messages import Progress, Tell
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..atlas.definitions import skull_landmarks
from ..atlas.landmark_files import read_landmarks
from ..detection.landmark_detections import LandmarkDetections
from ..detection.landmark_run import LandmarkRun, run_to_text
from .carrying import carried_over
from .job import DetectJob

if TYPE_CHECKING:
    from ..detection.refinement import KnownHead
    from ..network.model_file import TrainedDetector


def run(job: DetectJob, tell: Tell) -> dict[str, Any]:
    """Find them frame by frame, one frame at least, until asked to stop; an X-ray that cannot be used is left out.

    The content: run (path of the file for `landmark_run.run_from_text`, with the frames that were reached), frames
    (how many those are), stopped (before the last one), and problems (frame, view and words for each X-ray that could
    not be used). InputError for a network, translation or landmarks that cannot be used, for numbers of X-rays and
    frames that do not fit, for a network of another patient than the CT's, and where no X-ray can be used.
    """
    with torch_needed():
        from ..network.model_file import read_detector
        from ..style.translation_file import read_translation

    numbers = frame_numbers(job.folder, job.views, job.numbers)
    planar = job.planar or (False,) * job.views
    if len(planar) != job.views:
        raise InputError("geometry", f"told of {len(planar)} views, there are {job.views}", "Tell it of each view.")
    tell(Progress(job.id, 0.0, words="Reading the network…"))
    trained = read_detector(job.model)
    finder = _Finder(job, trained, None if job.style is None else read_translation(job.style), tell)
    rows: list[tuple[LandmarkDetections | None, ...]] = []
    problems: list[tuple[dict[str, Any], InputError]] = []
    began, done, total = time.perf_counter(), 0, len(numbers) * job.views
    for place, number in enumerate(numbers):
        if rows and job.is_asked_to_stop():
            break
        row: list[LandmarkDetections | None] = []
        for view in range(job.views):
            name = f"{job.name_of(view)}, frame {number}"
            radiograph = read_radiograph(job.folder, place * job.views + view)
            try:
                check_pixels(radiograph, name)
                found = finder.found(radiograph, is_planar=planar[view])
                shown = int(found.is_shown.sum())
                words, seen = f"{shown} landmarks in the image", float(shown)
                words += "" if found.is_sure else f", doubtful: {found.words}"
                row.append(found)
            except InputError as error:
                words, seen = f"cannot be used: {error.problem}", 0.0
                problems.append(({"frame": number, "view": view, "words": str(error)}, error))
                row.append(None)
            done += 1
            left = (time.perf_counter() - began) / done * (total - done)
            said = {"frame": float(number), "view": float(view), "in_image": seen, "done": done, "total": total}
            tell(Progress(job.id, done / total, left, f"Frame {number}, {job.name_of(view)}: {words}", said))
        rows.append(tuple(row))
    if problems and not any(found is not None for row in rows for found in row):
        raise problems[0][1]
    path = job.folder / "run.json"
    reached = LandmarkRun(
        job.views, numbers[: len(rows)], tuple(rows), planar, skull_landmarks().fingerprint, trained.words
    )
    with atomic_write(path) as temporary:
        temporary.write_text(run_to_text(reached), encoding="utf-8")
    return {
        "run": str(path),
        "frames": len(rows),
        "stopped": len(rows) < len(numbers),
        "problems": [about for about, _ in problems],
    }


class _Finder:
    """Finds landmarks as a job wants them."""

    def __init__(self, job: DetectJob, trained: TrainedDetector, translation: Any, tell: Tell) -> None:
        self._trained, self._translation = trained, translation
        self._known = _known_head(job, trained, tell) if job.refine else None
        self._with_template, self._depth_mm = job.template, job.depth_mm
        if job.template and trained.is_of_patient:
            problem = "knows one patient's head, for which a template cannot stand"
            raise InputError(job.model.name, problem, "Choose that patient's CT, or do without sharpening.")

    def found(self, radiograph: Radiograph, *, is_planar: bool) -> LandmarkDetections:
        """Those in an X-ray. InputError where too little of it can be used."""
        from ..detection.refinement import refined
        from ..detection.translated_detection import detect_through

        with_template = self._with_template and not is_planar
        # Without a geometry there is no distance.
        depth_mm = None if is_planar else self._depth_mm
        found = detect_through(self._translation, self._trained, radiograph, depth_mm, with_less_likely=with_template)
        if is_planar:
            return found
        if with_template:
            from ..detection.template_refinement import refined_by_template

            return refined_by_template(found, radiograph, depth_mm)
        return found if self._known is None else refined(found, self._known, radiograph)


def _known_head(job: DetectJob, trained: TrainedDetector, tell: Tell) -> KnownHead:
    """The CT with its landmarks. InputError where there is none, and for a network of another patient."""
    from ..detection.refinement import KnownHead

    landmarks = trained.landmarks if job.landmarks is None else read_landmarks(job.landmarks)
    tell(Progress(job.id, 0.0, words="Reading the CT…"))
    projector = projector_of(job.where_the_ct_is)
    trained.check_knows(projector.ct, job.model)
    if landmarks is None:
        carried = carried_over(projector.ct, lambda _, words: tell(Progress(job.id, 0.0, words=words)))
        landmarks = carried.landmarks
    return KnownHead(projector, landmarks)
