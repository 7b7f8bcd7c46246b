"""Bodies of one material in the CT's frame, and what a beam meets of them: exact chords, no voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64

from ..materials import DENSITY_G_PER_CM3, Material
from .chords import chord_lengths
from .hierarchy import Hierarchy
from .parts import Parts

_CM_PER_MM = 0.1


@dataclass(frozen=True, eq=False)
class Solids:
    """One body: the union of its parts (the CT's frame, RAS mm), filled evenly with one material.

    Where parts of one body overlap, as at joints of vessels, they count once; bodies that overlap each other or the
    CT's own tissue add up. `density_factor` multiplies the material's density: foam has less than 1.
    """

    material: Material
    parts: Parts
    density_factor: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.density_factor < np.inf:
            raise ValueError(f"density factor must be more than 0, got {self.density_factor:g}")

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """Bounding boxes over the parts, made on first use."""
        return Hierarchy.of(self.parts)

    def chords(
        self, source: Float64[np.ndarray, "n 3"], target: Float64[np.ndarray, "n 3"]
    ) -> Float64[np.ndarray, "n"]:
        """Millimetres of each ray inside the body, between `source` and `target` (the CT's frame, RAS mm)."""
        boxes, parts = self.hierarchy, self.parts
        chord = np.empty(len(source))
        chord_lengths(
            boxes.lower,
            boxes.upper,
            boxes.skip,
            boxes.part,
            parts.kind,
            np.ascontiguousarray(parts.local_from_ct),
            parts.sizes,
            np.ascontiguousarray(source, dtype=np.float64),
            np.ascontiguousarray(target, dtype=np.float64),
            chord,
        )
        return chord


def areal_densities(
    solids: Sequence[Solids], source: Float64[np.ndarray, "n 3"], target: Float64[np.ndarray, "n 3"]
) -> dict[Material, Float32[np.ndarray, "n"]]:
    """g/cm² of each material that rays meet between `source` and `target` (the CT's frame, RAS mm).

    Rows in ray order; only materials that a body is made of. Bodies that overlap add up.
    """
    densities: dict[Material, Float32[np.ndarray, "n"]] = {}
    for body in solids:
        per_mm = _CM_PER_MM * DENSITY_G_PER_CM3[body.material] * body.density_factor
        density = (body.chords(source, target) * per_mm).astype(np.float32)
        densities[body.material] = densities[body.material] + density if body.material in densities else density
    return densities
