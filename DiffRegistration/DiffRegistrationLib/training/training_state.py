"""All that a training needs to go on after a kill, in a file beside its model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from ..pose_network.model_file import read_tensors, write_tensors
from ..xray.errors import InputError

V = TypeVar("V")

FORMAT = "fluororeg training 2"


@dataclass(frozen=True)
class Milestone(Generic[V]):
    """A validation on the way."""

    step: int
    seconds: float
    loss: float
    validation: V


@dataclass
class TrainingState(Generic[V]):
    """Where a training is: steps done, seconds spent on them, validations so far, and all numbers that change.

    `identity` says what is trained (CT, preset, recipe, seed): a training goes on with the same one only.
    """

    identity: Mapping[str, Any]
    step: int = 0
    seconds: float = 0.0
    milestones: list[Milestone[V]] = field(default_factory=list)
    weights: Mapping[str, torch.Tensor] = field(default_factory=dict)
    averaged: Mapping[str, torch.Tensor] = field(default_factory=dict)
    optimisers: Mapping[str, Any] = field(default_factory=dict)


def state_path(model: Path) -> Path:
    """The file beside `model`."""
    return model.with_name(f"{model.stem}.training{model.suffix}")


def write_state(path: Path, state: TrainingState[V]) -> None:
    """Write it, whole or not at all."""
    words = {
        "format": FORMAT,
        "identity": dict(state.identity),
        "step": state.step,
        "seconds": state.seconds,
        "milestones": [asdict(m) for m in state.milestones],
    }
    write_tensors(
        path,
        {
            "words": json.dumps(words),
            "weights": dict(state.weights),
            "averaged": dict(state.averaged),
            "optimisers": dict(state.optimisers),
        },
    )


def read_state(path: Path, identity: Mapping[str, Any], validation: Callable[..., V]) -> TrainingState[V]:
    """The training in `path`, whose validations `validation` makes of their fields.

    InputError if it is damaged, or of another CT, preset, recipe or seed.
    """
    content = read_tensors(path)
    again = "Give another --out, or delete both files to train anew."
    try:
        words = json.loads(content["words"])
        if words["format"] != FORMAT:
            raise InputError(path, f"is of another format: {words['format']}", again)
        for key, value in identity.items():
            # Compared as JSON keeps them.
            begun, now = words["identity"].get(key), json.loads(json.dumps(value))
            if begun != now:
                raise InputError(path, f"was begun with another {key}: {_first_difference(begun, now)}", again)
        return TrainingState(
            identity,
            int(words["step"]),
            float(words["seconds"]),
            [Milestone(**{**m, "validation": validation(**m["validation"])}) for m in words["milestones"]],
            content["weights"],
            content["averaged"],
            content["optimisers"],
        )
    except InputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, "lacks a part of a training", again) from error


def _first_difference(begun: Any, now: Any) -> str:
    """In words; of two tables only the first entry that is not the same."""
    if isinstance(begun, dict) and isinstance(now, dict):
        key = next(key for key in (*begun, *now) if begun.get(key) != now.get(key))
        return f"{key} was {begun.get(key)}, now {now.get(key)}"
    return f"{begun}, now {now}"
