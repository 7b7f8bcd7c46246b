"""Residuals between normalised images: least squares on them maximises normalised cross-correlation.

For images of zero mean and unit variance |Î − T̂|² = 2 (1 − NCC), so Gauss–Newton on r = Î − T̂ climbs NCC with a true
second-order step. Normalised over the whole image, within a sliding window, or after taking the image's gradient.
All work on a grid with a mask; J is the DRR's derivative by the pose increment, one channel a parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

# Half-width of the sliding window, in pixels of the level: wide enough for a skull suture to be a feature of its own.
WINDOW_RADIUS = 6
# Windows flatter than this part of the whole image's deviation are noise and fade out.
FLATNESS = 0.1


@dataclass(frozen=True, eq=False)
class Residuals:
    """N residuals, their derivative by ξ (6, N), how much each counts, and the correlation they amount to."""

    values: Float32[np.ndarray, "n"]
    jacobian: Float32[np.ndarray, "6 n"]
    importance: Float32[np.ndarray, "n"]
    score: float


Grid = Float32[np.ndarray, "rows columns"]
GridJacobian = Float32[np.ndarray, "6 rows columns"]
Compare = Callable[[Grid, GridJacobian], Residuals]


def _standardised(values: np.ndarray, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Zero mean and unit variance, with the Jacobian projected orthogonally to 1 and to the result."""
    deviation = float(values.std()) or 1.0
    unit = (values - values.mean()) / deviation
    centred = jacobian - jacobian.mean(axis=1, keepdims=True)
    along = centred @ unit / len(unit)
    return unit, (centred - along[:, None] * unit) / deviation


def global_correlation(xray: Grid, mask: Bool[np.ndarray, "rows columns"]) -> Compare:
    """Both images normalised as a whole."""
    fixed, _ = _standardised(xray[mask], np.zeros((6, int(mask.sum())), dtype=np.float32))
    importance = np.ones(len(fixed), dtype=np.float32)

    def compare(drr: Grid, jacobian: GridJacobian) -> Residuals:
        moving, J = _standardised(drr[mask], jacobian[:, mask])
        return Residuals(moving - fixed, J, importance, float(moving @ fixed) / len(fixed))

    return compare


def local_correlation(xray: Grid, mask: Bool[np.ndarray, "rows columns"]) -> Compare:
    """Both images normalised within a window around each pixel: blind to scatter, beam hardening and slow shading."""
    weight = mask.astype(np.float32)
    window = 2 * min(WINDOW_RADIUS, max(1, min(mask.shape) // 4)) + 1

    def box(stack: np.ndarray) -> np.ndarray:
        size = (1,) * (stack.ndim - 2) + (window, window)
        return ndimage.uniform_filter(stack, size=size, mode="constant")

    count = np.maximum(box(weight), 0.5 / window**2)
    floor = (FLATNESS * float(xray[mask].std())) ** 2

    def means(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # A constant is taken out first: variances are differences of squares.
        shifted = (image - image[mask].mean()) * weight
        mean = box(shifted) / count
        return shifted, mean

    shifted, mean = means(xray)
    variance = np.maximum(box(shifted**2) / count - mean**2, 0) + floor
    fixed = ((shifted - mean) / np.sqrt(variance))[mask]

    def compare(drr: Grid, jacobian: GridJacobian) -> Residuals:
        moving, mean = means(drr)
        scale = float(drr[mask].std()) or 1.0
        variance = np.maximum(box(moving**2) / count - mean**2, 0) + (FLATNESS * scale) ** 2
        deviation = np.sqrt(variance)
        unit = (moving - mean) / deviation
        J = jacobian * weight
        mean_J = box(J) / count
        slope = box(J * moving) / count - mean * mean_J
        J = (J - mean_J) / deviation - unit * slope / variance
        values = unit[mask]
        score = float(values @ fixed) / float(np.sqrt((values @ values) * (fixed @ fixed)) or 1.0)
        return Residuals(values - fixed, J[:, mask], np.ones_like(fixed), score)

    return compare


def gradient_correlation(xray: Grid, mask: Bool[np.ndarray, "rows columns"]) -> Compare:
    """Horizontal and vertical derivatives, each normalised as a whole: looks at edges and nothing else."""
    # The derivative reaches beyond its pixel; what touches a masked pixel is not measured.
    inner = ndimage.binary_erosion(mask, iterations=2, border_value=0)
    if inner.sum() < 16:
        inner = mask

    def derivatives(stack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        smooth = ndimage.gaussian_filter(stack, sigma=(0,) * (stack.ndim - 2) + (1.0, 1.0))
        gy, gx = np.gradient(smooth, axis=(-2, -1))
        return gx[..., inner], gy[..., inner]

    nothing = np.zeros((6, int(inner.sum())), dtype=np.float32)
    fixed = np.concatenate([_standardised(g, nothing)[0] for g in derivatives(xray * mask)])
    importance = np.ones(len(fixed), dtype=np.float32)

    def compare(drr: Grid, jacobian: GridJacobian) -> Residuals:
        pairs = zip(derivatives(drr), derivatives(jacobian), strict=True)
        parts = [_standardised(g, J) for g, J in pairs]
        moving = np.concatenate([part[0] for part in parts])
        J = np.concatenate([part[1] for part in parts], axis=1)
        return Residuals(moving - fixed, J, importance, float(moving @ fixed) / len(fixed))

    return compare
