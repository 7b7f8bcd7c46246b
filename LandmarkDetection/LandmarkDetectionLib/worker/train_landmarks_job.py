"""The job that trains a network that finds landmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from DiffRegistrationLib.pose_network.torch_needed import torch_needed
from DiffRegistrationLib.worker.job_files import read_ct
from DiffRegistrationLib.worker.json_fields import to_json
from DiffRegistrationLib.worker.messages import Tell
from DiffRegistrationLib.worker.readiness import ready_with_torch
from DiffRegistrationLib.worker.training_talk import TrainingTalk

from ..atlas.head import Head
from ..atlas.landmark_files import read_landmarks
from .carrying import carried_over
from .job import LandmarkTrainJob

if TYPE_CHECKING:
    from ..training.validation import LandmarkValidation


def run(job: LandmarkTrainJob, tell: Tell) -> dict[str, Any]:
    """Train until the time is over or the job is asked to stop, but one step at least.

    The content: model and views (paths of the network and of the picture of its views), stopped (before its time), and
    where it ended: step, seconds, part, loss, images_per_second, validation (as in LandmarkValidation, or None).
    InputError as `training.workflow.train_landmarks`, and for names that are not known.
    """
    with torch_needed():
        from DiffRegistrationLib.training.training_device import training_device
        from DiffRegistrationLib.training.training_loop import Budget
        from DiffRegistrationLib.training.workflow import check_model_path, check_time

        from ..population.view_ranges import view_ranges
        from ..training.training_files import heads_to_train_on
        from ..training.workflow import recipe_of, train_landmarks

    # All that a person may have mistyped comes before what takes its time.
    budget = Budget(seconds=60 * job.minutes)
    check_time(budget)
    check_model_path(job.out)
    views = view_ranges(job.views)
    recipe = recipe_of(job.begin_with, job.out, size=job.size, batch=job.batch, plain=job.plain)
    tell(ready_with_torch(str(training_device(job.device))))
    talk: TrainingTalk[LandmarkValidation] = TrainingTalk(job, tell, lambda error: error.words, "Preparing heads…")
    if job.population:
        heads = heads_to_train_on(None, None, is_population=True, say=talk.said)
    else:
        heads = [_patient(job, talk)]
    result = train_landmarks(
        heads,
        job.out,
        is_population=job.population,
        views=views,
        budget=budget,
        recipe=recipe,
        begin_with=job.begin_with,
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


def _patient(job: LandmarkTrainJob, talk: TrainingTalk[LandmarkValidation]) -> Head:
    """The head of the CT, with the landmarks that were given or else the template's, carried over."""
    given = None if job.landmarks is None else read_landmarks(job.landmarks)
    ct = read_ct(job.where_the_ct_is)
    if given is None:
        carried = carried_over(ct, lambda part, words: talk.said(f"Carrying landmarks, {part:.0%}: {words}"))
        for words in carried.words:
            talk.said(words)
        given = carried.landmarks
    return Head("patient", ct, given)
