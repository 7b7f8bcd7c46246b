"""A tree of vessels: where it runs, what feeds what, and how wide each piece is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from .parts import Parts, round_cones


@dataclass(frozen=True, eq=False)
class VesselTree:
    """Nodes (the CT's frame, RAS mm), each fed by `parent`, which comes before it (−1: the inlet).

    Node n ends a round piece of vessel of `radius` n (mm) that starts at its parent. `carotid` marks the nodes of the
    carotid below the brain, which lie in the neck and in the bone of the skull base.
    """

    position: Float64[np.ndarray, "n 3"]
    parent: Int64[np.ndarray, "n"]
    radius: Float64[np.ndarray, "n"]
    carotid: Bool[np.ndarray, "n"]

    @property
    def parts(self) -> Parts:
        """The pieces as round-ended cylinders, which close the joints; a body counts their overlaps once."""
        fed = self.parent >= 0
        radius = self.radius[fed]
        return round_cones(self.position[self.parent[fed]], self.position[fed], radius, radius)

    @property
    def volume_mm3(self) -> float:
        """Sum of the pieces as plain cylinders."""
        fed = self.parent >= 0
        length = np.linalg.norm(self.position[fed] - self.position[self.parent[fed]], axis=1)
        return float(np.sum(np.pi * self.radius[fed] ** 2 * length))


def murray_radii(
    parent: Int64[np.ndarray, "n"], demand: Float64[np.ndarray, "n"], inlet_radius_mm: float
) -> Float64[np.ndarray, "n"]:
    """Radii (mm) with r³ = Σ r³ over a node's children, as if each end took blood in proportion to its `demand`.

    Parents come before children. Source: Murray, "The physiological principle of minimum work", PNAS 12, 1926.
    """
    has_child = np.zeros(len(parent), dtype=bool)
    has_child[parent[parent >= 0]] = True
    flow = np.where(has_child, 0.0, demand)
    for node in range(len(parent) - 1, 0, -1):
        if parent[node] >= 0:
            flow[parent[node]] += flow[node]
    return inlet_radius_mm * np.cbrt(flow / flow[0])
