"""Networks, losses and their pace: error against training time, each alone for equally many minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from ..evaluation.subjects import subject_named
from ..training.losses import LOSSES
from ..training.preset import preset_named
from ..training.recipe import DEFAULT_RECIPE, RECIPES, Recipe, recipe_named
from ..training.trainer import Trainer
from ..training.training_device import training_device
from ..training.training_loop import Budget, Progress
from ..training.training_state import Milestone, TrainingState
from ..training.validation import Validation
from ..xray.errors import InputError
from .machine import machine

# What the default would be without a close-up.
_ONE_LOOK = ("one-look", replace(RECIPES[DEFAULT_RECIPE], size=96, close_up=0))
COMPARED_RECIPES = (*RECIPES, _ONE_LOOK[0])


def compared(recipes: Sequence[str], losses: Sequence[str]) -> dict[str, Recipe]:
    """The recipes of these names, and the default recipe with each of these losses. InputError for other names."""
    chosen = {name: recipe_named(name) if name != _ONE_LOOK[0] else _ONE_LOOK[1] for name in recipes}
    for loss in losses:
        if loss not in LOSSES:
            raise InputError(f"loss {loss!r}", "is not known", f"Use of {', '.join(LOSSES)}.")
        chosen[f"loss {loss}"] = replace(recipe_named(DEFAULT_RECIPE), loss=loss)
    return chosen


def run(
    recipes: dict[str, Recipe],
    minutes: float,
    *,
    subject: str,
    preset: str,
    device: str = "cpu",
    reach_mm: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train each recipe for `minutes` on the suite's CT of `subject`; validation on the same poses and looks for all.

    Images of a recipe have its own size, so they are the same views in its own detail. `reach_mm` is an error that
    another training ended with: `minutes_to_reach` says when it was reached. InputError for a device that is absent.
    """
    ct, place = subject_named(subject).registered, training_device(device)
    found: dict[str, Any] = {}
    for name, recipe in recipes.items():

        def told(progress: Progress, name: str = name) -> None:
            v = progress.validation
            tell(f"{name}: {progress.seconds_left:.0f} s left" + ("" if v is None else f", {v.distance_mm:.1f} mm"))

        trainer = Trainer(ct, preset_named(preset), recipe, TrainingState({}), device=place)
        end = trainer.train(Budget(seconds=60 * minutes), tell=told)
        found[name] = {
            "recipe": asdict(recipe),
            "weights": sum(p.numel() for p in trainer.networks.parameters()),
            "steps": end.step,
            "images_per_second": end.images_per_second,
            "milestones": [asdict(m) for m in trainer.state.milestones],
        }
        if reach_mm is not None:
            found[name]["minutes_to_reach"] = minutes_to(reach_mm, trainer.state.milestones)
    return {
        "minutes": minutes,
        "subject": subject,
        "preset": preset,
        "device": str(place),
        "reach_mm": reach_mm,
        "trainings": found,
        "machine": machine("fluororegistration", "torch", "numba"),
    }


def minutes_to(reach_mm: float, milestones: Sequence[Milestone[Validation]]) -> float | None:
    """When a validation's error was first no larger; None where it never was."""
    return next((m.seconds / 60 for m in milestones if m.validation.distance_mm <= reach_mm), None)
