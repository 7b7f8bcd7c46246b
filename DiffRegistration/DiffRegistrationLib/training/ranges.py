"""Many values at once from the simulator's named intervals."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from ..xray.simulator.ranges import Intervals


def drawn(intervals: Intervals, count: int, random: np.random.Generator) -> Float64[np.ndarray, "count"]:
    """`count` values, spread evenly over the whole length of `intervals`."""
    lengths = np.array([high - low for low, high in intervals])
    ends = np.cumsum(lengths)
    places = random.uniform(0, ends[-1], count)
    which = np.minimum(np.searchsorted(ends, places, side="right"), len(intervals) - 1)
    return np.array([low for low, _ in intervals])[which] + places - (ends - lengths)[which]
