"""How alike an X-ray and a DRR are, and which way the pose must move to make them more so.

Every similarity is offered by name (`SIMILARITIES`) and gives the solver the same things: a cost, its gradient and
Gauss–Newton Hessian by the pose increment ξ, and a score that a person can read (1 = identical).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float32, Float64

from .mutual_information import mutual_information
from .normalised_residuals import (
    Compare,
    global_correlation,
    gradient_correlation,
    local_correlation,
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Outcome of comparing DRRs with X-rays: lower `cost` is better, higher `score` is better.

    `cost` and its derivatives are means over the pixels; `samples` is how many independent ones they are worth, so
    that residual² / samples · hessian⁻¹ is the covariance of ξ.
    """

    cost: float
    gradient: Float64[np.ndarray, "6"]
    hessian: Float64[np.ndarray, "6 6"]
    score: float
    residual: float
    samples: float


class Similarity(Protocol):
    """Compares DRRs of one view at one level with its X-ray; made once per level, asked at every step."""

    def __call__(
        self, drr: Float32[np.ndarray, "rows columns"], jacobian: Float32[np.ndarray, "6 rows columns"]
    ) -> Comparison: ...


def _independent_samples(residuals: Float32[np.ndarray, "n"]) -> float:
    """How many independent values N correlated residuals are worth: neighbours are alike, both ways (AR(1))."""
    power = float(residuals @ residuals)
    likeness = float(residuals[:-1] @ residuals[1:]) / power if power > 0 else 0.0
    likeness = min(max(likeness, 0.0), 0.98)
    return max(len(residuals) * ((1 - likeness) / (1 + likeness)) ** 2, 7.0)


def robust(residuals: Callable[..., Compare]) -> Callable[..., Similarity]:
    """Least squares with Cauchy weights: what does not belong to the patient (tools, wires, shutters) loses its pull.

    The scale is 2.385 times the robust deviation of the first residuals (95 % efficiency on Gaussian noise) and then
    stays, so that the costs of all steps of a level can be compared.
    """

    def prepare(xray: Float32[np.ndarray, "rows columns"], mask: Bool[np.ndarray, "rows columns"]) -> Similarity:
        compare = residuals(xray, mask)
        scale: list[float] = []

        def similarity(
            drr: Float32[np.ndarray, "rows columns"], jacobian: Float32[np.ndarray, "6 rows columns"]
        ) -> Comparison:
            found = compare(drr, jacobian)
            r, J, importance = found.values, found.jacobian, found.importance
            if not scale:
                scale.append(max(2.385 * 1.4826 * float(np.median(np.abs(r))), 0.05))
            squared = (r / scale[0]) ** 2
            total = float(importance.sum())
            cost = 0.5 * scale[0] ** 2 * float(importance @ np.log1p(squared)) / total
            weighted = importance / (1 + squared) / total
            Jw = J * weighted
            return Comparison(
                cost,
                (Jw @ r).astype(np.float64),
                (Jw @ J.T).astype(np.float64),
                found.score,
                float(np.sqrt(importance @ r**2 / total)),
                _independent_samples(r),
            )

        return similarity

    return prepare


SIMILARITIES: dict[str, Callable[..., Similarity]] = {
    "local-ncc": robust(local_correlation),
    "global-ncc": robust(global_correlation),
    "gradient-ncc": robust(gradient_correlation),
    "mutual-information": mutual_information,
}
