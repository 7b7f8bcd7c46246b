"""What single disturbances of the image do to the figures."""

from __future__ import annotations

from dataclasses import dataclass

from .summary import Summary


@dataclass(frozen=True)
class RobustnessRow:
    """The cases under one disturbance: its name, what it does to the image in words, and what came of it."""

    disturbance: str
    words: str
    summary: Summary
