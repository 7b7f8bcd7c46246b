"""A DRR brought to the X-ray's grey scale, so that only shape is left to compare."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32

# Enough pixels for two numbers; more only take time.
_PIXELS_FOR_FIT = 40_000
_REWEIGHTINGS = 8
# Residuals of so small a part of the X-ray's own spread are rounding; weights by them would overflow.
_EXACT = 1e-9


def matched_to_xray(
    drr: Float32[np.ndarray, "rows columns"],
    xray: Float32[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"],
) -> Float32[np.ndarray, "rows columns"]:
    """gain · DRR + offset that fits the X-ray over the mask (True = usable).

    The fit is robust (Cauchy weights), so tools and tables that the CT lacks do not pull it. A gain that is not
    positive would show the DRR inverted, as on a failed pose; then mean and standard deviation are matched instead.
    """
    chosen = mask & np.isfinite(drr)
    if not chosen.any():
        return drr
    x, y = drr[chosen].astype(np.float64), xray[chosen].astype(np.float64)
    every = max(1, len(x) // _PIXELS_FOR_FIT)
    x, y = x[::every], y[::every]
    spread = float(x.std())
    if spread == 0:
        return (drr - np.float32(x.mean()) + np.float32(np.median(y))).astype(np.float32)
    weights = np.ones_like(x)
    gain = offset = 0.0
    for _ in range(_REWEIGHTINGS):
        mean_x, mean_y = np.average(x, weights=weights), np.average(y, weights=weights)
        variance = float(np.average((x - mean_x) ** 2, weights=weights))
        if variance < 1e-6 * spread**2:
            gain = 0.0
            break
        gain = float(np.average((x - mean_x) * (y - mean_y), weights=weights)) / variance
        offset = mean_y - gain * mean_x
        residual = y - gain * x - offset
        scale = 1.4826 * float(np.median(np.abs(residual)))
        if scale <= _EXACT * float(y.std()):
            break
        weights = 1 / (1 + (residual / (2.385 * scale)) ** 2)
    if gain <= 0:
        gain = float(y.std()) / spread
        offset = float(y.mean()) - gain * float(x.mean())
    return (gain * drr + offset).astype(np.float32)


def correlation(
    xray: Float32[np.ndarray, "rows columns"],
    drr: Float32[np.ndarray, "rows columns"],
    mask: Bool[np.ndarray, "rows columns"],
) -> float:
    """Pearson's correlation over the mask: 1 = identical but for gain and offset; NaN for a flat image."""
    chosen = mask & np.isfinite(drr)
    x, y = drr[chosen].astype(np.float64), xray[chosen].astype(np.float64)
    if len(x) < 2 or x.std() == 0 or y.std() == 0:
        return float("nan")
    return float(np.mean((x - x.mean()) * (y - y.mean())) / (x.std() * y.std()))
