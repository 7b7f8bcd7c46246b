"""The job that registers the CT to its X-rays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..registration.similarity import check_similarity
from ..registration.sound_views import register_sound_views
from ..registration.workflow import result_as_dict, write_result
from ..xray.files.atomic import atomic_write, check_folder_for_writing
from .alignment_inputs import GivenStart, check_in_view, check_usable, projector_of
from .frames import LiveFrames
from .job import RegisterJob
from .job_files import read_radiographs
from .json_fields import to_json
from .messages import Progress, Tell
from .watching import Watching


def run(job: RegisterJob, tell: Tell) -> dict[str, Any]:
    """Register as `registration.workflow.register_files` does, from the job's files.

    The content: what `registration.workflow.result_as_dict` says, drrs (files of one whole DRR per X-ray, for
    `frames.read_frame`), and out and report (paths, None without an output folder). InputError as `register_files`.
    """
    check_similarity(job.similarity)
    given = GivenStart.of(job)
    if job.out is not None:
        check_folder_for_writing(job.out)
    tell(Progress(job.id, 0.0, words="Reading the CT and the X-rays…"))
    radiographs = read_radiographs(job.folder)
    names = [job.name_of(view) for view in range(len(radiographs))]
    projector = projector_of(job.where_the_ct_is)
    check_usable(radiographs, names)
    start = given.start(projector.ct, radiographs)
    check_in_view(radiographs, names, projector, start)
    frames = None
    if job.live:
        cameras = [radiograph.camera for radiograph in radiographs]
        frames = LiveFrames(job.folder, job.id, projector, cameras, tell, longest_side=job.live_side)
    watching = Watching(job.id, tell, frames)
    watching.begin("Searching…")
    result = register_sound_views(projector, radiographs, start, similarity=job.similarity, watch=watching)
    if frames is not None:
        frames.show(result.pose, at_once=True)
    drrs = []
    for view, drr in enumerate(result.drrs):
        drrs.append(_write_drr(job.folder / f"drr-{view}.npy", drr))
    if job.out is not None:
        tell(Progress(job.id, 0.95, words="Writing the report…"))
        write_result(job.out, projector.ct, radiographs, result, network=given.network)
    return {
        **to_json(result_as_dict(result)),
        "drrs": drrs,
        "out": to_json(job.out),
        "report": None if job.out is None else str(job.out / "report.html"),
    }


def _write_drr(path: Path, drr: np.ndarray) -> str:
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.save(file, drr.astype(np.float32), allow_pickle=False)
    return str(path)
