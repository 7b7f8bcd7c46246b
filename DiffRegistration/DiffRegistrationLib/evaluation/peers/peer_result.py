"""What a peer's registration came to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, eq=False)
class PeerResult:
    """`pose` is world_from_ct (RAS mm), the one that the recipe keeps.

    `seconds` covers the preparation of the image and the optimisation, on a CT that is loaded and with imports done.
    `losses` holds the similarity (larger is better) at the start of each of the `iterations` steps.
    """

    pose: Float64[np.ndarray, "4 4"]
    seconds: float
    iterations: int
    losses: tuple[float, ...]
