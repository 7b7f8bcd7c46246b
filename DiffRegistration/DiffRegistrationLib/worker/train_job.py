"""The job that trains a pose network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..pose_network.torch_needed import torch_needed
from .job import TrainJob
from .job_files import read_ct
from .json_fields import to_json
from .messages import Tell
from .readiness import ready_with_torch
from .training_talk import TrainingTalk

if TYPE_CHECKING:
    from ..training.validation import Validation


def run(job: TrainJob, tell: Tell) -> dict[str, Any]:
    """Train until the time is over or the job is asked to stop, but one step at least.

    The content: model and views (paths of the network and of the picture of its views), stopped (before its time),
    and where it ended: step, seconds, part, loss, images_per_second, validation (as in Validation, or
    None). InputError as `training.workflow.train`, and for names that are not known.
    """
    with torch_needed():
        from ..training.preset import preset_named
        from ..training.recipe import recipe_named
        from ..training.training_device import training_device
        from ..training.training_loop import Budget
        from ..training.workflow import check_model_path, train

    # All that a person may have mistyped comes before what takes its time.
    recipe = recipe_named(job.recipe).changed(job.batch, job.size)
    preset = preset_named(job.preset)
    check_model_path(job.out)
    tell(ready_with_torch(str(training_device(job.device))))
    talk = TrainingTalk(job, tell, _in_words, "Preparing the CT…")
    result = train(
        read_ct(job.where_the_ct_is),
        job.out,
        preset=preset,
        recipe=recipe,
        budget=Budget(seconds=60 * job.minutes),
        seed=job.seed,
        device=job.device,
        tell=talk.told,
        say=talk.said,
        stopped=talk.stopped,
    )
    return {
        "model": str(result.model),
        "views": str(result.views),
        "stopped": result.stopped,
        **to_json(result.progress),
    }


def _in_words(error: Validation) -> str:
    return f"{error.distance_mm:.1f} mm, {error.rotation_deg:.1f}°"
