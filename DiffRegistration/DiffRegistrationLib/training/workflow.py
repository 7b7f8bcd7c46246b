"""A training from a CT to a file: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..pose_network.ct_fingerprint import ct_fingerprint
from ..pose_network.model_file import write_model
from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.atomic import check_file_for_writing
from .kept_training import Saving, state_to_go_on_from, told_of_training
from .preset import Preset
from .recipe import Recipe
from .sampled_views import check_views, sampled_views, write_views
from .trainer import Trainer, identity_of
from .training_device import training_device
from .training_loop import Budget, Progress
from .training_state import TrainingState
from .validation import Validation
from .workers import workers

MODEL_SUFFIX = ".pt"


@dataclass(frozen=True)
class TrainingResult:
    """What came out: the model's file, the picture of the views, and where the training ended."""

    model: Path
    views: Path
    progress: Progress[Validation]
    stopped: bool


def train(
    ct: CT,
    model: Path,
    *,
    preset: Preset,
    recipe: Recipe,
    budget: Budget,
    seed: int = 0,
    device: str = "auto",
    tell: Callable[[Progress[Validation]], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> TrainingResult:
    """Train a network and write it to `model`, with all that is needed to go on beside it, every few seconds.

    A picture of the views comes first, as MODEL.views.png. A file that exists is gone on with if it is of the same
    CT, preset, recipe and seed, else InputError; as for budgets of no time, views that miss the CT, a device that is
    not there and a lack of memory. A full disk leaves the last files that were whole; the training goes on and tries
    again, and only if the last try fails, too, an InputError ends it.
    """
    check_time(budget)
    check_model_path(model)
    picture = model.with_suffix(".views.png")
    fingerprint = ct_fingerprint(ct)
    identity = identity_of(fingerprint, preset, recipe, seed)
    place = training_device(device)
    with memory_errors_explained(recipe.batch, max(recipe.size, recipe.close_up)), workers(place) as together:
        state = state_to_go_on_from(model, identity, Validation, say)
        views = sampled_views(ct, preset)
        if together.is_first:
            write_views(picture, views)
            say(f"Views that are trained on: {picture}")
        check_views(views, preset, picture)
        trainer = Trainer(ct, preset, recipe, state, seed=seed, device=place, workers=together)

        def write(state: TrainingState[Validation]) -> None:
            about = {"ct_fingerprint": fingerprint, "preset": {"name": preset.name, **preset.content}}
            write_model(model, trainer.averaged, about | told_of_training(recipe, seed, state))

        save = Saving(model, write, say)
        progress = trainer.train(budget, save=save, tell=tell, stopped=stopped)
    save.check()
    return TrainingResult(model, picture, progress, progress.part < 1)


def check_time(budget: Budget) -> None:
    """InputError for a budget of no time."""
    if (budget.seconds is not None and not 0 < budget.seconds < np.inf) or (
        budget.steps is not None and budget.steps <= 0
    ):
        raise InputError("time to train", "expected more than none", "Give a positive number of minutes.")


def check_model_path(model: Path) -> None:
    """InputError unless `model` can be the file of a network."""
    if model.suffix != MODEL_SUFFIX:
        raise InputError(model, f"ends in {model.suffix or 'nothing'}", f"Give a name that ends in {MODEL_SUFFIX}.")
    check_file_for_writing(model)


@contextmanager
def memory_errors_explained(batch: int, size: int) -> Iterator[None]:
    """A lack of memory, on whatever device, as an InputError that says what was asked for and what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        lacking = isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in text
        if not lacking:
            raise
        asked = re.search(r"[\d.]+ ?(?:bytes|KiB|MiB|GiB|TiB)", text)
        raise InputError(
            "memory",
            f"{batch} images of {size}² pixels a step need more than there is"
            + (f"; the last piece asked for was {asked[0]}" if asked else ""),
            "Close other programs, lower what a step takes (--batch, --size), or use another device (--device).",
        ) from error
