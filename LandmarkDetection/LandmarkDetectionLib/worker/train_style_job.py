"""The job that learns to translate X-rays to the look of DRRs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from DiffRegistrationLib.pose_network.torch_needed import torch_needed
from DiffRegistrationLib.worker.job_files import ct_path, read_ct
from DiffRegistrationLib.worker.json_fields import to_json
from DiffRegistrationLib.worker.messages import Tell
from DiffRegistrationLib.worker.readiness import ready_with_torch
from DiffRegistrationLib.worker.training_talk import TrainingTalk

from .job import StyleTrainJob

if TYPE_CHECKING:
    from ..style.validation import StyleValidation


def run(job: StyleTrainJob, tell: Tell) -> dict[str, Any]:
    """Learn until the time is over or the job is asked to stop, but one step at least.

    The content: model and preview (paths of the translation and of the picture of what it does), stopped (before its
    time), and where it ended: step, seconds, part, loss, images_per_second, validation (as in StyleValidation, or
    None). InputError as `style.workflow.train_style` and `style.xray_folder.xray_looks`, and for names that are not
    known.
    """
    with torch_needed():
        from DiffRegistrationLib.training.training_device import training_device
        from DiffRegistrationLib.training.training_loop import Budget
        from DiffRegistrationLib.training.workflow import check_model_path, check_time

        from ..population.view_ranges import view_ranges
        from ..style.trainer import StyleRecipe
        from ..style.workflow import train_style
        from ..style.xray_folder import xray_looks
        from ..training.training_files import template_cts

    # All that a person may have mistyped comes before what takes its time.
    budget = Budget(seconds=60 * job.minutes)
    check_time(budget)
    check_model_path(job.out)
    views = view_ranges(job.views)
    tell(ready_with_torch(str(training_device(job.device))))
    talk: TrainingTalk[StyleValidation] = TrainingTalk(job, tell, lambda error: error.words, "Reading the X-rays…")
    xrays = xray_looks(job.xrays, talk.said)
    usual = StyleRecipe()
    result = train_style(
        xrays,
        [read_ct(job.where_the_ct_is)] if _has_ct(job) else template_cts(talk.said),
        job.out,
        views=views,
        budget=budget,
        recipe=StyleRecipe(method=job.method, size=job.size, batch=job.batch or usual.batch),
        seed=job.seed,
        device=job.device,
        tell=talk.told,
        say=talk.said,
        stopped=talk.stopped,
    )
    return {
        "model": str(result.model),
        "preview": str(result.preview),
        "stopped": result.stopped,
        **to_json(result.progress),
    }


def _has_ct(job: StyleTrainJob) -> bool:
    """Whether a CT lies in the job's own folder, or is said to lie in another."""
    return job.ct_folder is not None or ct_path(job.folder).exists()
