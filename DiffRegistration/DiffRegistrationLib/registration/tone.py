"""The tone of an X-ray: what scatter, beam hardening and display curves do to it, done to the DRR as well.

All of them flatten an X-ray where it is dense. A flattened edge seems to lie further out, so that without this the
patient seems larger and thus nearer to the source: the depth of a single view would be wrong by more than its noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

# Flattenings tried, per unit of line integral: 0 is none, at 0.5 nothing shows behind 10 cm of bone.
TRIED = (0.0, 0.03, 0.06, 0.1, 0.15, 0.22, 0.32, 0.5)


@dataclass(frozen=True)
class Tone:
    """f(L) = (1 − exp(−s L)) / s: L for thin parts, and no more than 1/s however dense they are."""

    flattening: float = 0.0

    def applied(
        self, drr: Float32[np.ndarray, "rows columns"], jacobian: Float32[np.ndarray, "p rows columns"]
    ) -> tuple[Float32[np.ndarray, "rows columns"], Float32[np.ndarray, "p rows columns"]]:
        """A DRR in this tone, and its derivative."""
        if self.flattening == 0:
            return drr, jacobian
        passed = np.exp(-np.float32(self.flattening) * drr)
        return (1 - passed) / np.float32(self.flattening), jacobian * passed


def best_tone(cost: Callable[[Tone], float]) -> Tone:
    """The tone of least `cost`: the best of a few, moved to the bottom of the parabola through its neighbours."""
    costs = [cost(Tone(s)) for s in TRIED]
    best = int(np.argmin(costs))
    if best in (0, len(TRIED) - 1):
        return Tone(TRIED[best])
    return Tone(_bottom(TRIED[best - 1 : best + 2], costs[best - 1 : best + 2]))


def _bottom(x: Sequence[float], y: Sequence[float]) -> float:
    """Where the parabola through three points, the middle one lowest, is lowest."""
    left, right = (y[0] - y[1]) / (x[0] - x[1]), (y[2] - y[1]) / (x[2] - x[1])
    curvature = (right - left) / (x[2] - x[0])
    return x[1] if curvature <= 0 else 0.5 * (x[0] + x[1] - left / curvature)
