"""A figure that was asked for before the run, and whether the run reached it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """`name` is the figure in words, `wanted` what was asked for: at most that, or at least that if `at_least`.

    `unit` is as it is written behind a number, with its space: " mm", " s", " %".
    """

    name: str
    wanted: float
    found: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the run reached it; a figure that is not a number reaches nothing."""
        return self.found >= self.wanted if self.at_least else self.found <= self.wanted

    @property
    def in_words(self) -> str:
        """As in "at most 1 mm"."""
        return f"{'at least' if self.at_least else 'at most'} {self.wanted:g}{self.unit}"

    @property
    def found_in_words(self) -> str:
        """To three digits, as in "0.412 mm"."""
        return f"{self.found:.3g}{self.unit}"
