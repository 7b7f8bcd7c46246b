"""The loop of every training: steps until the time is over or someone says stop, saved and judged on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from torch import nn

from .training_state import Milestone, TrainingState
from .workers import Workers

V = TypeVar("V")

_SAVE_SECONDS, _TELL_SECONDS, _VALIDATE_SECONDS = 12.0, 1.0, 20.0
_LAST_RATE = 0.01


@dataclass(frozen=True)
class Budget:
    """How long to train: `seconds` of training, or a number of `steps`."""

    seconds: float | None = None
    steps: int | None = None

    def part(self, seconds: float, step: int) -> float:
        """What of it is used up, 0 … 1."""
        if self.steps is not None:
            return min(step / self.steps, 1.0)
        assert self.seconds is not None
        return min(seconds / self.seconds, 1.0)


@dataclass(frozen=True)
class Progress(Generic[V]):
    """Where a training is; `validation` is the last one there was."""

    step: int
    seconds: float
    part: float
    loss: float
    images_per_second: float
    validation: V | None

    @property
    def seconds_left(self) -> float:
        """As far as can be told."""
        return self.seconds * (1 - self.part) / self.part if self.part > 0 else math.inf


class Learner(Protocol[V]):
    """What is trained: its `state` is where it stands, of `batch` images a step in all processes together."""

    state: TrainingState[V]
    workers: Workers

    @property
    def networks(self) -> nn.Module:
        """What learns."""
        ...

    @property
    def batch(self) -> int:
        """Images of a step."""
        ...

    def step(self, networks: nn.Module, part: float) -> float:
        """One step through `networks`, which every process has, at this part of the budget; its loss."""
        ...

    def validated(self) -> V:
        """How good what would be kept is."""
        ...

    def kept(self) -> TrainingState[V]:
        """The state to go on from."""
        ...


def train_within(
    learner: Learner[V],
    budget: Budget,
    *,
    save: Callable[[TrainingState[V]], None] = lambda _: None,
    tell: Callable[[Progress[V]], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Progress[V]:
    """Train until `budget` is used up or `stopped`.

    `save` and `tell` are called every few seconds and at the end, in the first process only; `save` gets the state to
    go on from.
    """
    state, workers = learner.state, learner.workers
    began, before, first_step = time.perf_counter(), state.seconds, state.step
    saved = told = judged = began
    average: float | None = None
    learner.networks.train()
    networks = workers.together(learner.networks)

    def progress() -> Progress[V]:
        rate = (state.step - first_step) * learner.batch / max(time.perf_counter() - began, 1e-6)
        validation = state.milestones[-1].validation if state.milestones else None
        loss = math.nan if average is None else average
        return Progress(state.step, state.seconds, budget.part(state.seconds, state.step), loss, rate, validation)

    def judge(loss: float) -> None:
        state.milestones.append(Milestone(state.step, state.seconds, loss, learner.validated()))

    while True:
        now = time.perf_counter()
        state.seconds, stop = workers.agreed([before + now - began, float(stopped())])
        part = budget.part(state.seconds, state.step)
        if part >= 1 or stop:
            break
        loss = learner.step(networks, part)
        average = loss if average is None else 0.95 * average + 0.05 * loss
        if not workers.is_first:
            continue
        now = time.perf_counter()
        if now - judged > _VALIDATE_SECONDS:
            judge(average)
            judged = time.perf_counter()
        if now - told > _TELL_SECONDS:
            tell(progress())
            told = now
        if now - saved > _SAVE_SECONDS:
            save(learner.kept())
            saved = time.perf_counter()
    end = progress()
    if workers.is_first:
        if average is not None:
            judge(average)
            end = replace(end, validation=state.milestones[-1].validation)
        tell(end)
        save(learner.kept())
    return end


def pace(part: float, warm_up: float) -> float:
    """Factor of the learning rate: a linear rise, then a cosine."""
    if part < warm_up:
        return max(part / warm_up, 0.02)
    return _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * (part - warm_up) / (1 - warm_up)))
