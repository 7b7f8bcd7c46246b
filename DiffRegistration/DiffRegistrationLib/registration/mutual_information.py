"""Mutual information: asks only that equal brightness in one image goes with equal brightness in the other.

Joint histogram with cubic B-spline windows on the DRR's side (Thévenaz & Unser, IEEE TIP 9(12), 2000, eq. 8–20), so
that it can be differentiated. The Hessian is that of least squares on the brightness left unexplained within each
class of X-ray pixels: first derivatives only, hence always positive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Float64

from .robust_correlation import Comparison

if TYPE_CHECKING:
    from .similarity import Similarity

BINS = 32


def _cubic(t: np.ndarray) -> np.ndarray:
    t = np.abs(t)
    return np.where(t < 1, 2 / 3 - t**2 + t**3 / 2, np.where(t < 2, (2 - t) ** 3 / 6, 0))


def _cubic_slope(t: np.ndarray) -> np.ndarray:
    a = np.abs(t)
    return np.where(a < 1, -2 * t + 1.5 * t * a, np.where(a < 2, -0.5 * np.sign(t) * (2 - a) ** 2, 0))


def _bins(values: np.ndarray) -> tuple[np.ndarray, float]:
    """Values as fractional bins with two spare bins at each end, and bins per unit."""
    low, high = np.percentile(values, [0.5, 99.5])
    per_unit = (BINS - 5) / max(float(high - low), 1e-12)
    return np.clip((values - low) * per_unit, 0, BINS - 5) + 2, per_unit


def mutual_information(
    xray: Float32[np.ndarray, "rows columns"], mask: Bool[np.ndarray, "rows columns"]
) -> Similarity:
    """Similarity by mutual information, reported as a part of what it would be if the images determined each other."""
    fixed = np.rint(_bins(xray[mask])[0]).astype(np.int64)
    n = len(fixed)
    marginal = np.bincount(fixed, minlength=BINS) / n
    entropy = -float(np.sum(marginal[marginal > 0] * np.log(marginal[marginal > 0])))

    def similarity(
        drr: Float32[np.ndarray, "rows columns"], jacobian: Float32[np.ndarray, "6 rows columns"]
    ) -> Comparison:
        position, per_unit = _bins(drr[mask].astype(np.float64))
        offsets = np.arange(-1, 3)
        columns = np.floor(position).astype(np.int64)[:, None] + offsets
        distance = columns - position[:, None]
        weight, slope = _cubic(distance), -_cubic_slope(distance)
        cell = fixed[:, None] * BINS + columns
        joint = np.bincount(cell.ravel(), weight.ravel(), BINS * BINS).reshape(BINS, BINS) / n
        moving = joint.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(joint > 0, np.log(joint / np.maximum(moving, 1e-300)), 0.0)
            information = float(np.sum(np.where(joint > 0, joint * (logs - np.log(marginal)[:, None]), 0.0)))
        # ∂MI/∂(DRR pixel): how much better its brightness would fit the X-ray's in the neighbouring bin.
        by_pixel = (slope * logs.ravel()[cell]).sum(axis=1) * per_unit / n
        J = jacobian[:, mask].astype(np.float64)
        gradient: Float64[np.ndarray, "6"] = -J @ by_pixel
        # Brightness that a class of X-ray pixels scatters about its mean is the noise that the step is weighed by.
        first, second = np.bincount(fixed, position, BINS), np.bincount(fixed, position**2, BINS)
        members = np.maximum(np.bincount(fixed, minlength=BINS), 1)
        within = np.sqrt(np.maximum(second / members - (first / members) ** 2, 0.25))[fixed] / per_unit
        centred = J - np.stack([np.bincount(fixed, row, BINS) / members for row in J])[:, fixed]
        scaled = centred / within
        explained = information / max(entropy, 1e-12)
        return Comparison(-information, gradient, scaled @ scaled.T / n, explained, 1.0, n / 9, explained)

    return similarity
