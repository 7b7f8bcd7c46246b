"""Rays: the only thing of a camera that the projector sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, eq=False)
class Rays:
    """N rays p(t) = source + t (target − source), t ∈ [0, 1], in world RAS mm.

    Each ray has its own source, so that a scanning slit is as ordinary as a cone beam. The target is where the ray
    meets the detector; nothing behind it is seen.
    """

    source: Float64[np.ndarray, "n 3"]
    target: Float64[np.ndarray, "n 3"]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, chosen: np.ndarray | slice) -> Rays:
        return Rays(np.ascontiguousarray(self.source[chosen]), np.ascontiguousarray(self.target[chosen]))
