"""The registrations of a tracking, or what the journal knows of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from ..registration.registration import register
from ..registration.result import Iteration
from ..registration.scene import PlacedBody
from ..registration.sound_views import register_sound_views
from ..registration.starts import Start
from ..xray.radiograph import Radiograph
from .bodies import Body
from .journal import Found, Journal

# Told of every step of the solver: time, body, stage, iteration, pose.
Step = Callable[[int, int, str, Iteration | None, Float64[np.ndarray, "4 4"]], None]


class Registrations:
    """Registers `bodies` by their numbers. `asked` counts how often, by body and frame, which names them in the
    journal: the same ones are asked for in the same order. `weights` are those of the views.
    """

    def __init__(
        self,
        bodies: Sequence[Body],
        journal: Journal,
        similarity: str,
        weights: Sequence[float] | None,
        step: Step | None = None,
    ) -> None:
        self.bodies, self.journal, self.similarity, self.weights = tuple(bodies), journal, similarity, weights
        self.asked: dict[tuple[int, int], int] = {}
        self._step = step

    def knows(self, time: int) -> bool:
        """Whether the journal knows where the bodies are in a frame, so that it costs next to nothing."""
        return all(self.journal.find(_name(time, number, 1)) is not None for number in range(len(self.bodies)))

    def register(
        self,
        number: int,
        time: int,
        views: tuple[int, ...],
        radiographs: Sequence[Radiograph],
        start: Start,
        others: tuple[PlacedBody, ...],
    ) -> Found:
        """Where a body is in a frame, of which `views` are used."""
        turn = self.asked[number, time] = self.asked.get((number, time), 0) + 1
        name = _name(time, number, turn)
        found = self.journal.find(name)
        if found is not None:
            return found
        step = self._step
        # From a prediction it shall be quick; whether all views fit is asked where the body is lost.
        result = (register if start.near else register_sound_views)(
            self.bodies[number].projector,
            radiographs,
            start,
            similarity=self.similarity,
            weights=None if self.weights is None else [self.weights[view] for view in views],
            others=others,
            wants_drrs=False,
            watch=None if step is None else lambda stage, it, pose: step(time, number, stage, it, pose),
        )
        found = Found.of(result)
        self.journal.add(name, found)
        return found


def _name(time: int, number: int, turn: int) -> str:
    return f"frame {time}, body {number}, {turn}"
