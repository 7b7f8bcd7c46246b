"""What a registration shows of itself while it runs: progress and live frames."""

from __future__ import annotations

import re
import time

import numpy as np
from jaxtyping import Float64

from ..registration.result import Iteration
from .frames import LiveFrames
from .messages import Progress, Tell

# The search takes about this part of a registration, the report so much more.
_SEARCH_PART, _WRITING_PART = 0.3, 0.05
_LEAST_SECONDS = 0.05
# After so long without a better pose those that are tried are shown: five a second at least, so that nobody thinks
# that it stands still.
_UNSEEN_SECONDS = 0.15
# Of the steps of a level, whose number nobody knows, so many are half.
_HALF_OF_A_LEVEL = 60


class Watching:
    """The `watch` of a registration: tells progress from `first` to `last` of the job, and shows the best pose so far.

    Many poses are refined one after another; shown are those that are the best of their level yet, so that the DRR
    comes closer, and others only where no better one comes for a while. `words` come before its own.
    """

    def __init__(
        self,
        job: str,
        tell: Tell,
        frames: LiveFrames | None,
        *,
        first: float = 0.0,
        last: float = 1.0 - _WRITING_PART,
        words: str = "",
    ) -> None:
        self._job, self._tell, self._frames = job, tell, frames
        self._first, self._last, self._words = first, last, words
        self._stage, self._steps, self._best, self._told = "", 0, -np.inf, -np.inf
        self._shown = -np.inf

    def begin(self, words: str) -> None:
        """Say what comes before the first pose."""
        self._say(0.0, words, {})

    def __call__(self, stage: str, iteration: Iteration | None, pose: Float64[np.ndarray, "4 4"]) -> None:
        """Called by the registration for each step."""
        if stage != self._stage:
            self._stage, self._steps, self._best, self._told = stage, 0, -np.inf, -np.inf
        self._steps += 1
        similarity = -np.inf if iteration is None else iteration.similarity
        now = time.perf_counter()
        better = similarity >= self._best
        self._best = max(self._best, similarity)
        unseen = now > self._shown + _UNSEEN_SECONDS
        if self._frames is not None and (better or unseen) and self._frames.show(pose):
            self._shown = now
        if now < self._told + _LEAST_SECONDS:
            return
        self._told = now
        numbers: dict[str, float] = {}
        if iteration is not None:
            numbers = {"similarity": self._best, "iteration": iteration.number, "binning": iteration.binning}
        self._say(_part(stage, self._steps), f"{stage[:1].upper()}{stage[1:]}", numbers)

    def _say(self, part: float, words: str, numbers: dict[str, float]) -> None:
        part = self._first + part * (self._last - self._first)
        self._tell(Progress(self._job, part, None, f"{self._words}{words}", numbers))


def _part(stage: str, steps: int) -> float:
    """About how much of a registration is done after `steps` of a stage ("search", "level 2 of 4")."""
    level = re.fullmatch(r"level (\d+) of (\d+)", stage)
    if level is None:
        return _SEARCH_PART
    levels = int(level[1]) - 1 + steps / (steps + _HALF_OF_A_LEVEL)
    return _SEARCH_PART + (1 - _SEARCH_PART) * levels / int(level[2])
