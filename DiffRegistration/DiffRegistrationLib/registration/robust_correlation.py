"""Normalised cross-correlation as robust least squares, so that Gauss–Newton can climb it.

The X-ray's features T are explained by the DRR's, T ≈ a·I + b. With the best a and b, |T − a·I − b|² is
|T − mean|² (1 − NCC²): least squares on what remains maximises NCC, for any gain and offset of the X-ray. a and b
are eliminated (variable projection, Kaufman's Jacobian), which keeps noise in T from making the steps too short.
Cauchy weights take the pull out of what is no part of the patient: tools, wires, shutters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from .image_features import FeatureJacobian, Features

# 95 % efficiency on Gaussian noise; the median of |r| is 1/1.4826 of its deviation.
CAUCHY = 2.385 * 1.4826
REWEIGHTINGS = 3
# What is as like as this is no farther apart than rounding; and a DRR that is the X-ray's negative explains nothing,
# but a trace of gain keeps a way out.
LEAST_SCALE, LEAST_GAIN = 0.02, 0.05
# Neighbouring residuals are taken for no more alike than this, and worth so many values at least.
MOST_LIKENESS, LEAST_SAMPLES = 0.98, 7.0


@dataclass(frozen=True, eq=False)
class Comparison:
    """Outcome of comparing DRRs with X-rays: lower `cost` is better, higher `score` is better.

    `cost` and its derivatives by the p parameters (ξ, of a rigid CT) are means over the pixels; `samples` is how many
    independent ones they are worth: residual² / samples · hessian⁻¹ is the covariance of the parameters. `agreement`
    (1 = identical, 0 = nothing explained) is a score that no small part of the image can outweigh, by which poses are
    ranked.
    """

    cost: float
    gradient: Float64[np.ndarray, "p"]
    hessian: Float64[np.ndarray, "p p"]
    score: float
    residual: float
    samples: float
    agreement: float


class RobustCorrelation:
    """Compares features of DRRs with those of one X-ray.

    The scale of the Cauchy weights comes from the first DRR and then stays, so that the costs of all steps of a level
    can be compared.
    """

    def __init__(self, xray: Features) -> None:
        self._fixed = (xray - xray.mean()) / (float(xray.std()) or 1.0)
        self._scale: float | None = None
        self._usual = max(float(np.median(np.abs(self._fixed))), LEAST_SCALE)
        self._unexplained = float(np.log1p((self._fixed / self._usual) ** 2).sum()) or 1.0

    def __call__(self, drr: Features, jacobian: FeatureJacobian) -> Comparison:
        fixed = self._fixed
        deviation = float(drr.std()) or 1.0
        moving, J = (drr - drr.mean()) / deviation, jacobian / deviation
        gain, offset, weights = self._fit(moving)
        r = fixed - gain * moving - offset
        total, scale = float(weights.sum()), self._scale or 1.0
        # Orthogonal, in the weighted sense, to what gain and offset already explain.
        centre = float(weights @ moving) / total
        along = moving - centre
        power = float(weights @ along**2) or 1.0
        weighted_J = J * weights
        J = J - (weighted_J.sum(axis=1) / total)[:, None] - np.outer(_times(weighted_J, along) / power, along)
        weighted_J = J * (weights / len(r))
        return Comparison(
            0.5 * scale**2 * float(np.log1p((r / scale) ** 2).mean()),
            -gain * _times(weighted_J, r).astype(np.float64),
            gain**2 * (weighted_J @ J.T).astype(np.float64),
            # Without weights: what they forgive must still count against a pose when poses are told apart.
            float(fixed @ moving) / len(r),
            float(np.sqrt(weights @ r**2 / len(r))),
            _independent_samples(r),
            1 - float(np.log1p((r / self._usual) ** 2).sum()) / self._unexplained,
        )

    def _fit(self, moving: Features) -> tuple[float, float, Features]:
        """Gain, offset and weights of the robust line through (DRR, X-ray)."""
        fixed = self._fixed
        weights = np.ones_like(fixed)
        gain = offset = 0.0
        for _ in range(REWEIGHTINGS):
            total = float(weights.sum())
            mean_m, mean_f = float(weights @ moving) / total, float(weights @ fixed) / total
            along = weights * (moving - mean_m)
            gain = max(float(along @ fixed) / (float(along @ moving) or 1.0), LEAST_GAIN)
            offset = mean_f - gain * mean_m
            r = fixed - gain * moving - offset
            scale = self._scale or max(CAUCHY * float(np.median(np.abs(r))), LEAST_SCALE)
            weights = 1 / (1 + (r / scale) ** 2)
        self._scale = self._scale or scale
        return gain, offset, weights


def _times(J: FeatureJacobian, values: Features) -> Float32[np.ndarray, "p"]:
    """J @ values without BLAS, whose threads would quarrel with the kernel's over the cores."""
    return np.einsum("in,n->i", J, values)


def _independent_samples(residuals: Features) -> float:
    """How many independent values N correlated residuals are worth: neighbours are alike, both ways (AR(1))."""
    power = float(residuals @ residuals)
    likeness = float(residuals[:-1] @ residuals[1:]) / power if power > 0 else 0.0
    likeness = min(max(likeness, 0.0), MOST_LIKENESS)
    return max(len(residuals) * ((1 - likeness) / (1 + likeness)) ** 2, LEAST_SAMPLES)
