"""A training that is kept as it goes: begun or gone on with, saved every few seconds, told of in its model's file."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from .. import __version__
from ..xray.errors import InputError
from .training_state import TrainingState, read_state, state_path, write_state

V = TypeVar("V")


def state_to_go_on_from(
    model: Path, identity: Mapping[str, Any], validation: Callable[..., V], say: Callable[[str], None]
) -> TrainingState[V]:
    """Where the training of `model` stands, or its beginning if there is none yet.

    InputError for a state of another `identity`, and for a model without what is needed to go on with it.
    """
    kept = state_path(model)
    if kept.exists():
        state = read_state(kept, identity, validation)
        say(f"Going on after step {state.step}, {state.seconds:.0f} s")
        return state
    if model.exists():
        raise InputError(
            model, "exists, but what is needed to go on with it does not", "Give another --out, or delete it."
        )
    return TrainingState(identity)


class Saving(Generic[V]):
    """Saves the state of `model`'s training, and by `write_model` what it has learnt so far.

    A full disk leaves the last files that were whole; the next call tries again, and `check` tells of the last one.
    """

    def __init__(
        self, model: Path, write_model: Callable[[TrainingState[V]], None], say: Callable[[str], None]
    ) -> None:
        self._kept, self._write_model, self._say = state_path(model), write_model, say
        self._failed: InputError | None = None

    def __call__(self, state: TrainingState[V]) -> None:
        self._failed = None
        try:
            write_state(self._kept, state)
            self._write_model(state)
        except InputError as error:
            self._failed = error
            self._say(f"Not saved, will try again: {error}")

    def check(self) -> None:
        """InputError if the last try failed."""
        if self._failed is not None:
            raise self._failed


def told_of_training(recipe: Any, seed: int, state: TrainingState[Any]) -> dict[str, object]:
    """What a model's file says of how it was learnt."""
    return {
        "recipe": asdict(recipe),
        "seed": seed,
        "steps": state.step,
        "seconds": state.seconds,
        "milestones": [asdict(milestone) for milestone in state.milestones],
        "versions": {
            "fluororegistration": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
