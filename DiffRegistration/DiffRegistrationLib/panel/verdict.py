"""A result in words and colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from slicer.i18n import tr as _

from ..mrml.verdict_colours import VERDICT_COLOURS
from ..registration.result import Verdict as Kind
from ..report.advice import advice_for
from ..report.pose_in_words import angles_deg, measured

if TYPE_CHECKING:
    from ..mrml.registration_summary import RegistrationSummary

_COLOUR_OF_THE_PAST = "#5f6368"
# The first step with a pose that may be used is to look at the pictures, which stand beside the window here.
_STEPS_AHEAD = {Kind.ACCEPTED: 1, Kind.DOUBTFUL: 1, Kind.FAILED: 0}


@dataclass(frozen=True)
class Verdict:
    """What was found, what it means, what to do next, and the pose with its standard deviations; the label's style."""

    headline: str
    steps: str
    pose_in_words: str
    style: str

    @classmethod
    def of(cls, summary: RegistrationSummary, moved: bool = False) -> Self:
        """The words for a result; it is past if the CT has `moved` since."""
        kind = Kind(summary.verdict)
        advice = advice_for(kind)
        if moved:
            words = _(
                "↷ Moved since: the CT does not lie any more where it was registered ({headline}). Press Undo until "
                "it does, or register again."
            )
            return cls(words.format(headline=advice.headline.lower()), "", "", _style(_COLOUR_OF_THE_PAST))
        headline = f"{advice.sign} {advice.headline}: {summary.reason.rstrip('.')}. {advice.meaning}"
        steps = "\n".join(advice.steps[_STEPS_AHEAD[kind] :])
        return cls(headline, steps, _pose(summary), _style(VERDICT_COLOURS[kind]))


def _pose(summary: RegistrationSummary) -> str:
    angles, std = angles_deg(np.array(summary.pose)), np.array(summary.std)
    turned = ", ".join(
        _unbroken(f"{axis} {angle:+.2f}° ± {measured(float(np.degrees(s)), '°')}")
        for axis, angle, s in zip("RAS", angles, std[:3], strict=True)
    )
    placed = ", ".join(
        _unbroken(f"{axis} {x:+.1f} mm ± {measured(float(s), ' mm')}")
        for axis, x, s in zip("RAS", summary.centre, std[3:], strict=True)
    )
    return _("Turned about {turned}.\nCT's centre at {placed}.").format(turned=turned, placed=placed)


def _unbroken(value: str) -> str:
    """A value that stays on one line, with a true minus sign."""
    return value.replace(" ", "\u00a0").replace("-", "−")


def _style(colour: str) -> str:
    return f"color: white; background-color: {colour}; padding: 6px; border-radius: 4px"
