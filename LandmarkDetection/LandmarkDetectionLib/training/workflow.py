"""A training of landmark networks from heads to a file: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.pose_network.ct_fingerprint import ct_fingerprint
from DiffRegistrationLib.training.kept_training import Saving, state_to_go_on_from, told_of_training
from DiffRegistrationLib.training.training_device import training_device
from DiffRegistrationLib.training.training_loop import Budget, Progress
from DiffRegistrationLib.training.training_state import TrainingState
from DiffRegistrationLib.training.workers import workers
from DiffRegistrationLib.training.workflow import check_model_path, check_time, memory_errors_explained
from DiffRegistrationLib.xray.errors import InputError

from ..atlas.definitions import skull_landmarks
from ..atlas.head import Head
from ..network.model_file import TrainedDetector, read_detector, write_detector
from ..population.view_ranges import ViewRanges
from ..shape_prior.landmark_shape import patient_shape, population_shape
from .trainer import LandmarkTrainer, Recipe, forms_of
from .training_heads import TrainingHeads
from .validation import LandmarkValidation
from .view_sheet import write_view_sheet

# Landmarks that a training asks for at least.
_FEWEST_LANDMARKS = 8
# What a close-up shows of a head; a population's heads have voxels no finer than the second.
_CLOSE_UP_MM, _POPULATION_VOXEL_MM = 245.0, 2.0
# Heads that a population is judged by come from numbers that training never reaches.
_UNSEEN = 900_001


@dataclass(frozen=True)
class LandmarkTrainingResult:
    """What came out: the network's file, the picture of the views, and where the training ended."""

    model: Path
    views: Path
    progress: Progress[LandmarkValidation]
    stopped: bool


def train_landmarks(
    heads: Sequence[Head],
    model: Path,
    *,
    is_population: bool,
    views: ViewRanges,
    budget: Budget,
    recipe: Recipe | None = None,
    begin_with: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    tell: Callable[[Progress[LandmarkValidation]], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> LandmarkTrainingResult:
    """Train a network that finds landmarks, for the one patient in `heads` or for a population made from them.

    `begin_with` is the file of a network that knows other heads or views, as of a population: what it has learnt need
    not be learnt again.
    Written are `model`, a picture of the views as MODEL.views.png, and beside the model what is needed to go on. A
    file that exists is gone on with if it is of the same heads, views, recipe and seed, else InputError; as for a
    budget of no time, heads with too few landmarks, a network to begin with of another size, and a lack of memory.
    """
    recipe = recipe or Recipe()
    check_time(budget)
    check_model_path(model)
    names = skull_landmarks().names
    heads = [Head(head.name, head.ct, head.landmarks.named(names)) for head in heads]
    if not is_population and len(heads) != 1:
        raise InputError("heads", f"{len(heads)} were given for one patient's network", "Give one, or a population.")
    for head in heads:
        count = int((head.landmarks.is_known & head.landmarks.is_in_ct).sum())
        if count < _FEWEST_LANDMARKS:
            raise InputError(
                head.name,
                f"{count} of its landmarks are known, at least {_FEWEST_LANDMARKS} are needed",
                "Carry a template's over with fluororeg landmarks transfer.",
            )
    fingerprint = None if is_population else ct_fingerprint(heads[0].ct)
    beginning = None if begin_with is None else network_to_begin_with(begin_with, recipe)
    identity = _identity(heads, is_population, views, recipe, seed, beginning)
    place = training_device(device)
    with memory_errors_explained(recipe.batch, recipe.size), workers(place) as together:
        state = state_to_go_on_from(model, identity, LandmarkValidation, say)
        say("Learning how landmarks lie together…")
        shape = population_shape(heads, seed) if is_population else patient_shape(heads[0])
        known = None if is_population else heads[0].landmarks
        footprint = _CLOSE_UP_MM / recipe.size
        voxel = max(footprint, _POPULATION_VOXEL_MM) if is_population else footprint
        learnt_from, judged_by = (
            TrainingHeads(heads, is_population, voxel, first, place) for first in (seed, seed + _UNSEEN)
        )
        picture = model.with_suffix(".views.png")
        if together.is_first:
            write_view_sheet(picture, learnt_from, views)
            say(f"Views that are trained on: {picture}")
        trainer = LandmarkTrainer(
            learnt_from,
            judged_by,
            views,
            recipe,
            state,
            begun_with=None if beginning is None else beginning.networks,
            seed=seed,
            device=place,
            workers=together,
        )

        def write(state: TrainingState[LandmarkValidation]) -> None:
            about = {"ct_fingerprint": fingerprint, "views": {"name": views.name, **views.content}}
            if beginning is not None:
                about |= {"begun_with": {"words": beginning.words, "weights": beginning.fingerprint}}
            write_detector(model, trainer.averaged, shape, known, about | told_of_training(recipe, seed, state))

        save = Saving(model, write, say)
        progress = trainer.train(budget, save=save, tell=tell, stopped=stopped)
    save.check()
    return LandmarkTrainingResult(model, picture, progress, progress.part < 1)


def network_to_begin_with(path: Path, recipe: Recipe) -> TrainedDetector:
    """The one in `path`. InputError where it cannot be read, and where it looks at images of another size than the
    recipe's.
    """
    trained = read_detector(path)
    expected = forms_of(recipe, len(skull_landmarks().names))
    if trained.networks.forms != expected:
        sizes = [" and ".join(str(form.size) for form in forms) for forms in (trained.networks.forms, expected)]
        raise InputError(
            path,
            f"looks at images of {sizes[0]} pixels, expected {sizes[1]}",
            f"Train with --size {trained.networks.forms[1].size}, or begin with another network.",
        )
    return trained


def _identity(
    heads: Sequence[Head],
    is_population: bool,
    views: ViewRanges,
    recipe: Recipe,
    seed: int,
    beginning: TrainedDetector | None,
) -> Mapping[str, Any]:
    """What makes two trainings the same."""
    return {
        "heads": [[ct_fingerprint(head.ct), np.nan_to_num(head.landmarks.points).round(3).tolist()] for head in heads],
        "population": is_population,
        "definitions": skull_landmarks().fingerprint,
        "views": dict(views.content),
        "recipe": asdict(recipe),
        "seed": seed,
        "network to learn on from": None if beginning is None else beginning.fingerprint,
    }
