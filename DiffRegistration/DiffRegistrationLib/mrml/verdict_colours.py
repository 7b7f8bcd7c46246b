"""The colours of verdicts in windows and plots."""

from __future__ import annotations

from ..registration.result import Verdict

# Dark enough for white letters; a sign or a shape says the same without colour.
VERDICT_COLOURS = {Verdict.ACCEPTED: "#1b5e20", Verdict.DOUBTFUL: "#8a5a00", Verdict.FAILED: "#b3261e"}


def as_rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue (0 … 1) of a colour such as #1b5e20."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue
