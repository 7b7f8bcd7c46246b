"""Views so different that no mean lies between them: from the front, either side, or the back."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

ASPECTS = 4


def aspect_of(beam: Float64[np.ndarray, "3"]) -> int:
    """The aspect of a `beam` (head axes): 0 from the front, 1 from the left, 2 from behind, 3 from the right."""
    return int(np.rint(np.arctan2(beam[0], -beam[1]) / (np.pi / 2))) % ASPECTS
