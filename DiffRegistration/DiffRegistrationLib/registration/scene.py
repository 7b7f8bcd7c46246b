"""What else is in the picture: bodies whose poses are known while another one is registered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from ..xray.geometry import Rays
from ..xray.projector import Projector


@dataclass(frozen=True, eq=False)
class PlacedBody:
    """A body (its projector) where it is (`pose`: world_from_ct, RAS mm)."""

    projector: Projector
    pose: Float64[np.ndarray, "4 4"]


def line_integrals_of(
    others: Sequence[PlacedBody], rays: Rays, footprint_mm: float
) -> Float32[np.ndarray, "rays"] | None:
    """What these bodies add to each ray, rendered as coarsely as pixels of `footprint_mm` allow; None without any."""
    if not others:
        return None
    total = np.zeros(len(rays), dtype=np.float32)
    for other in others:
        binning = other.projector.binning_for(footprint_mm)
        total += other.projector.render(rays, other.pose, binning=binning)[0]
    return total
