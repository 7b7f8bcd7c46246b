"""What is known of one body while it is followed: where it was found, and how well it fits as a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ..registration.result import Verdict
from .track import FramePose

_USUAL_OVER = 15


@dataclass
class History:
    """What was found of one body, by frame; `agreements` of the registrations that did not fail, in their order."""

    found: dict[int, FramePose] = field(default_factory=dict)
    agreements: list[float] = field(default_factory=list)
    lost_for: int = 0

    def is_known(self, time: int) -> bool:
        """Whether the body's place in a frame is trusted."""
        return time in self.found and self.found[time].verdict != Verdict.FAILED

    def before(self, time: int, direction: int) -> list[FramePose]:
        """The last two trusted frames on the way to `time`, the nearer one first."""
        on_the_way = [t for t in self.found if (time - t) * direction > 0 and self.is_known(t)]
        return [self.found[t] for t in sorted(on_the_way, key=lambda t: abs(time - t))[:2]]

    def usual(self) -> float:
        """How well the body usually fits."""
        return float(np.median(self.agreements[-_USUAL_OVER:])) if self.agreements else 0.0

    def copy(self) -> Self:
        """One of its own to go on from."""
        return type(self)(dict(self.found), list(self.agreements), self.lost_for)

    def joined(self, ways: Sequence[Self]) -> Self:
        """This one and what each of the `ways` that went on from it has found."""
        joined, known = self.copy(), len(self.agreements)
        for way in ways:
            joined.found |= way.found
            joined.agreements += way.agreements[known:]
        return joined
