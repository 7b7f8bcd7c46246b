"""A training of landmark networks from heads to a file: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.pose_network.ct_fingerprint import ct_fingerprint
from DiffRegistrationLib.training.kept_training import Saving, state_to_go_on_from, told_of_training
from DiffRegistrationLib.training.training_device import training_device
from DiffRegistrationLib.training.training_loop import Budget, Progress
from DiffRegistrationLib.training.training_state import TrainingState, state_path
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
    not be learnt again. A training that goes on need not be given it.
    Written are `model`, a picture of the views as MODEL.views.png, and beside the model what is needed to go on. A
    file that exists is gone on with if it is of the same heads, views, recipe, seed and beginning; else InputError, as
    for a budget of no time, heads with too few landmarks, a network to begin with of another size, and a lack of
    memory.
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
    beginning = None if begin_with is None else _network_to_begin_with(begin_with, recipe)
    begun_with = _told_of_beginning(beginning, model)
    identity = _identity(heads, is_population, views, recipe, seed, begun_with)
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
            begun_with=beginning,
            is_begun=begun_with is not None,
            seed=seed,
            device=place,
            workers=together,
        )

        def write(state: TrainingState[LandmarkValidation]) -> None:
            about: dict[str, Any] = {"ct_fingerprint": fingerprint, "views": {"name": views.name, **views.content}}
            if begun_with is not None:
                about |= {"begun_with": begun_with}
            write_detector(model, trainer.averaged, shape, known, about | told_of_training(recipe, seed, state))

        save = Saving(model, write, say)
        progress = trainer.train(budget, save=save, tell=tell, stopped=stopped)
    save.check()
    return LandmarkTrainingResult(model, picture, progress, progress.part < 1)


def recipe_of(
    begin_with: Path | None,
    model: Path,
    *,
    size: int | None = None,
    batch: int | None = None,
    plain: bool = False,
) -> Recipe:
    """The recipe of these choices for the network in `model`; None is what is usual, and for `size` (px) what a
    network to begin with knows. InputError where that network cannot be begun with.
    """
    usual = Recipe(plain=plain)
    if begin_with is None:
        overview, close_up = usual.overview, usual.size
    else:
        if begin_with.absolute() == model.absolute():
            raise InputError(
                begin_with,
                "is the network that is to be written as well",
                "Give the new one another name; to train it on, leave out what to begin with.",
            )
        overview, close_up = (form.size for form in read_detector(begin_with).networks.forms)
    return replace(usual, overview=overview, size=size or close_up, batch=batch or usual.batch)


def _network_to_begin_with(path: Path, recipe: Recipe) -> TrainedDetector:
    """The one in `path`. InputError where its networks are not those of the recipe."""
    trained = read_detector(path)
    expected = forms_of(recipe, len(skull_landmarks().names))
    if trained.networks.forms != expected:
        sizes = [" and ".join(str(form.size) for form in forms) for forms in (trained.networks.forms, expected)]
        unlike = f"looks at images of {sizes[0]} pixels, expected {sizes[1]}"
        raise InputError(
            path,
            unlike if sizes[0] != sizes[1] else "is built otherwise than networks are now",
            "Begin with another network, or train it with the same --size.",
        )
    return trained


def _told_of_beginning(beginning: TrainedDetector | None, model: Path) -> Mapping[str, str] | None:
    """What the model's file says of the network that it began with; a training that goes on need not be given it."""
    if beginning is not None:
        return {"words": beginning.words, "weights": beginning.fingerprint}
    return read_detector(model).metadata.get("begun_with") if state_path(model).exists() and model.exists() else None


def _identity(
    heads: Sequence[Head],
    is_population: bool,
    views: ViewRanges,
    recipe: Recipe,
    seed: int,
    begun_with: Mapping[str, str] | None,
) -> Mapping[str, Any]:
    """What makes two trainings the same."""
    return {
        "heads": [[ct_fingerprint(head.ct), np.nan_to_num(head.landmarks.points).round(3).tolist()] for head in heads],
        "population": is_population,
        "definitions": skull_landmarks().fingerprint,
        "views": dict(views.content),
        "recipe": asdict(recipe),
        "seed": seed,
        "network to begin with": None if begun_with is None else dict(begun_with),
    }
