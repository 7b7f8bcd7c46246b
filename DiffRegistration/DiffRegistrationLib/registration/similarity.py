"""How alike an X-ray and a DRR are, and which way the pose must move to make them more so.

Every similarity is offered by name (`SIMILARITIES`) and gives the solver the same things: a cost, its gradient and
Gauss–Newton Hessian by the pose increment ξ, and a score that a person can read (1 = identical).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float32

from .image_features import Extraction, Grid, brightness, edges, local_contrast
from .mutual_information import mutual_information
from .robust_correlation import Comparison, RobustCorrelation

__all__ = ["SIMILARITIES", "Comparison", "Similarity"]


class Similarity(Protocol):
    """Compares DRRs of one view at one level with its X-ray; made once per level, asked at every step."""

    def __call__(
        self, drr: Float32[np.ndarray, "rows columns"], jacobian: Float32[np.ndarray, "6 rows columns"]
    ) -> Comparison: ...


Prepare = Callable[[Grid, Bool[np.ndarray, "rows columns"]], Similarity]


def correlation_of(features: Callable[[Grid, Bool[np.ndarray, "rows columns"]], Extraction]) -> Prepare:
    """Robust normalised cross-correlation of one kind of feature."""

    def prepare(xray: Grid, mask: Bool[np.ndarray, "rows columns"]) -> Similarity:
        fixed, extract = features(xray, mask)
        correlate = RobustCorrelation(fixed)
        return lambda drr, jacobian: correlate(*extract(drr, jacobian))

    return prepare


SIMILARITIES: dict[str, Prepare] = {
    "local-ncc": correlation_of(local_contrast),
    "global-ncc": correlation_of(brightness),
    "gradient-ncc": correlation_of(edges),
    "mutual-information": mutual_information,
}
