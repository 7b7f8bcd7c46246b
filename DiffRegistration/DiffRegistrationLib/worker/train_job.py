"""The job that trains a pose network."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..pose_network.torch_needed import torch_needed
from .job import TrainJob
from .job_files import read_ct
from .json_fields import to_json
from .messages import Progress, Tell
from .readiness import ready_with_torch

if TYPE_CHECKING:
    from ..training import trainer


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
    last = Progress(job.id, 0.0, words="Preparing the CT…")
    tell(last)

    def told(progress: trainer.Progress) -> None:
        nonlocal last
        last = Progress(job.id, progress.part, progress.seconds_left, _words(progress), _numbers(progress))
        tell(last)

    def said(words: str) -> None:
        tell(Progress(job.id, last.part, last.seconds_left, words, last.numbers))

    begun = False

    def stopped() -> bool:
        # A network of no steps at all would be none.
        nonlocal begun
        begun, before = True, begun
        return before and job.is_asked_to_stop()

    result = train(
        read_ct(job.where_the_ct_is),
        job.out,
        preset=preset,
        recipe=recipe,
        budget=Budget(seconds=60 * job.minutes),
        seed=job.seed,
        device=job.device,
        tell=told,
        say=said,
        stopped=stopped,
    )
    progress = result.progress
    return {
        "model": str(result.model),
        "views": str(result.views),
        "stopped": result.stopped,
        **to_json(progress),
    }


def _words(progress: trainer.Progress) -> str:
    v = progress.validation
    error = "" if v is None else f", off by {v.distance_mm:.1f} mm, {v.rotation_deg:.1f}°"
    return f"Step {progress.step}, loss {progress.loss:.2f}{error}; {progress.images_per_second:.0f} images/s"


def _numbers(progress: trainer.Progress) -> dict[str, float]:
    numbers = {
        "step": float(progress.step),
        "seconds": progress.seconds,
        "loss": progress.loss,
        "images_per_second": progress.images_per_second,
    }
    return numbers | (asdict(progress.validation) if progress.validation is not None else {})
