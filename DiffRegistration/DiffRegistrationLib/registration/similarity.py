"""How alike an X-ray and a DRR are, and which way the pose must move to make them more so.

Every similarity is offered by name (`SIMILARITIES`) and gives the solver the same things: a cost, its gradient and
Gauss–Newton Hessian by the pose increment ξ, and a score that a person can read (1 = identical).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float32

from ..xray.ct import CT
from ..xray.errors import InputError
from .image_features import (
    Extract,
    Extraction,
    Features,
    Grid,
    GridJacobian,
    brightness,
    edges,
    local_contrast,
)
from .mutual_information import mutual_information
from .robust_correlation import Comparison, RobustCorrelation
from .surroundings import lacks_surroundings
from .tone import Tone, best_tone

__all__ = [
    "AUTO",
    "CORRELATED_FEATURES",
    "SIMILARITIES",
    "SIMILARITY_NAMES",
    "Comparison",
    "Similarity",
    "check_similarity",
    "chosen",
]


# Enough values to find one number by.
_TONE_SAMPLES = 20_000


class Similarity(Protocol):
    """Compares DRRs of one view at one level with its X-ray; made once per level, asked at every step."""

    def __call__(
        self, drr: Float32[np.ndarray, "rows columns"], jacobian: Float32[np.ndarray, "p rows columns"]
    ) -> Comparison: ...


Prepare = Callable[[Grid, Bool[np.ndarray, "rows columns"]], Similarity]


def correlation_of(features: Callable[[Grid, Bool[np.ndarray, "rows columns"]], Extraction]) -> Prepare:
    """Robust normalised cross-correlation of one kind of feature."""

    def prepare(xray: Grid, mask: Bool[np.ndarray, "rows columns"]) -> Similarity:
        fixed, extract = features(xray, mask)
        correlate = RobustCorrelation(fixed)
        tone: Tone | None = None

        def similarity(drr: Grid, jacobian: GridJacobian) -> Comparison:
            # As the scale of the robust weights, the tone comes from the first DRR and then stays.
            nonlocal tone
            tone = tone or _tone_between(fixed, extract, drr)
            return correlate(*extract(*tone.applied(drr, jacobian)))

        return similarity

    return prepare


def _tone_between(fixed: Features, extract: Extract, drr: Grid) -> Tone:
    """The tone in which the features of `drr` come nearest to the X-ray's."""
    sample = slice(None, None, max(1, len(fixed) // _TONE_SAMPLES))
    correlate = RobustCorrelation(fixed[sample])
    no_motion = np.zeros((0, *drr.shape), dtype=np.float32)

    def cost(tone: Tone) -> float:
        moving, jacobian = extract(*tone.applied(drr, no_motion))
        return correlate(moving[sample], jacobian[:, sample]).cost

    return best_tone(cost)


# What is correlated by the similarities that correlate something.
CORRELATED_FEATURES = {"local-ncc": local_contrast, "global-ncc": brightness, "gradient-ncc": edges}
SIMILARITIES: dict[str, Prepare] = {
    **{name: correlation_of(features) for name, features in CORRELATED_FEATURES.items()},
    "mutual-information": mutual_information,
}

# Edges where CT and X-ray show the same; fine structure where the CT is a bone without what surrounds it.
AUTO = "auto"
_WHOLE, _CUT_OUT = "gradient-ncc", "local-ncc"
SIMILARITY_NAMES = (AUTO, *SIMILARITIES)


def check_similarity(name: str) -> None:
    """InputError unless there is a similarity of this name."""
    if name not in SIMILARITY_NAMES:
        raise InputError(f"similarity {name!r}", "is not known", f"Use one of {', '.join(SIMILARITY_NAMES)}.")


def chosen(name: str, ct: CT) -> str:
    """The name of `SIMILARITIES` that `name` means for this CT."""
    if name != AUTO:
        return name
    return _CUT_OUT if lacks_surroundings(ct) else _WHOLE
