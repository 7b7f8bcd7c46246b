"""Landmarks carried from the template to a job's CT, telling how far that is."""

from __future__ import annotations

from collections.abc import Callable

from DiffRegistrationLib.xray.ct import CT

from ..atlas.head import template_head
from ..atlas.landmark_set import LandmarkSet
from ..atlas.transfer import Transfer, transferred

# About when each stage of `transferred` begins and ends; before the first one the template is read.
_STAGES = {
    "reading the bone": (0.1, 0.25),
    "finding the head": (0.25, 0.5),
    "fitting the bone": (0.5, 0.93),
    "judging the fit": (0.93, 1.0),
}


def carried_over(ct: CT, tell: Callable[[float, str], None], kept: LandmarkSet | None = None) -> Transfer:
    """The template's landmarks on a CT; `tell` hears of the part that is done (0 … 1) and of the stage.

    Those of `kept` that a person placed stay. InputError as `atlas.transfer.transferred`.
    """
    tell(0.0, "Reading the template…")

    def told(stage: str, part: float) -> None:
        first, last = _STAGES[stage]
        tell(first + part * (last - first), f"{stage[:1].upper()}{stage[1:]}…")

    return transferred(template_head(), ct, kept=kept, tell=told)
