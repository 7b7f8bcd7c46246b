"""The job that carries the template's landmarks to a CT."""

from __future__ import annotations

from typing import Any

from DiffRegistrationLib.worker.job_files import read_ct
from DiffRegistrationLib.worker.messages import Progress, Tell

from ..atlas.landmark_files import read_landmarks, write_landmarks
from .carrying import carried_over
from .job import TransferJob


def run(job: TransferJob, tell: Tell) -> dict[str, Any]:
    """Carry them. The content: landmarks (path of the .mrk.json), words (what a person should know, each a sentence),
    doubtful, and agreement, bone_overlap and surface_mm as in `atlas.transfer.Transfer`.

    InputError as `atlas.transfer.transferred`, and for a file of kept landmarks that cannot be used.
    """
    kept = None if job.kept is None else read_landmarks(job.kept)
    result = carried_over(
        read_ct(job.where_the_ct_is), lambda part, words: tell(Progress(job.id, part, words=words)), kept
    )
    path = job.folder / "landmarks.mrk.json"
    write_landmarks(path, result.landmarks)
    return {
        "landmarks": str(path),
        "words": list(result.words),
        "doubtful": result.is_doubtful,
        "agreement": result.agreement,
        "bone_overlap": result.bone_overlap,
        "surface_mm": result.surface_mm,
    }
