"""The job that draws the views that a training would see."""

from __future__ import annotations

from typing import Any

from ..pose_network.torch_needed import torch_needed
from ..xray.files.atomic import check_file_for_writing
from .job import PreviewJob
from .job_files import read_ct
from .messages import Progress, Tell


def run(job: PreviewJob, tell: Tell) -> dict[str, Any]:
    """Draw them. The content: views (path of the picture).

    InputError for a preset that is not known, and where the views mostly miss the CT; the picture, which shows it, is
    written then, too.
    """
    with torch_needed():
        from ..training.preset import preset_named
        from ..training.sampled_views import check_views, sampled_views, write_views

    preset = preset_named(job.preset)
    check_file_for_writing(job.out)
    tell(Progress(job.id, 0.0, words="Preparing the CT…"))
    views = sampled_views(read_ct(job.where_the_ct_is), preset)
    write_views(job.out, views)
    check_views(views, preset, job.out)
    return {"views": str(job.out)}
