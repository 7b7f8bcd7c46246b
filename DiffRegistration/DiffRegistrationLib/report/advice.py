"""What a verdict means and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from ..registration.result import Verdict


@dataclass(frozen=True)
class Advice:
    """A verdict's sign (shape, so that colour is never alone), its meaning in a line, and the next steps."""

    sign: str
    headline: str
    meaning: str
    steps: tuple[str, ...]


_LOOK = (
    "Flicker between X-ray and DRR below: bone edges must stand still. "
    "In the overlay, bone that agrees is grey; green and magenta twins beside each other are a misalignment."
)
_GEOMETRY = "Check the geometry table: a value marked “assumed” was read from no file and may be wrong."
_OTHER_START = "Register again from another start: name the view (AP, PA, lateral), or give a pose that lies near."

_ADVICE = {
    Verdict.ACCEPTED: Advice(
        "✓",
        "Accepted",
        "The pose passed every check. It may be used once you have looked at the pictures.",
        (_LOOK,),
    ),
    Verdict.DOUBTFUL: Advice(
        "!",
        "Doubtful",
        "The pose may be right, but a check was not passed. Do not use it unseen.",
        (
            _LOOK,
            "If every bone edge stands still, the pose can be used; depth is what a single view knows least.",
            "If not: " + _OTHER_START[0].lower() + _OTHER_START[1:] + " A second view settles most doubts.",
            _GEOMETRY,
        ),
    ),
    Verdict.FAILED: Advice(
        "✕",
        "Failed",
        "No pose was found that can be trusted. Do not use this one.",
        (
            "Make sure that CT and X-ray show the same bones of the same patient, and that the X-ray is not mirrored.",
            _GEOMETRY,
            _OTHER_START,
        ),
    ),
}


def advice_for(verdict: Verdict) -> Advice:
    """The words for a verdict."""
    return _ADVICE[verdict]
