"""Boxes within boxes, so that a ray asks only the parts near it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float64, Int32

from .parts import Parts


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """A binary tree of bounding boxes (RAS mm) in the order of a walk through it.

    A walk that meets a node's box goes on with the next node, else with node `skip`. `part` is the part that a node
    holds, or −1 for nodes that hold others. Source: Smits, "Efficiency issues for ray tracing", 1998.
    """

    lower: Float64[np.ndarray, "nodes 3"]
    upper: Float64[np.ndarray, "nodes 3"]
    skip: Int32[np.ndarray, "nodes"]
    part: Int32[np.ndarray, "nodes"]

    @classmethod
    def of(cls, parts: Parts) -> Self:
        """Halves the parts at the median along the longest side of their box, again and again."""
        count = max(2 * len(parts) - 1, 0)
        lower, upper = np.empty((count, 3)), np.empty((count, 3))
        skip, part = np.empty(count, dtype=np.int32), np.full(count, -1, dtype=np.int32)
        middle = parts.lower + parts.upper
        node = 0
        waiting = [np.arange(len(parts))] if len(parts) else []
        while waiting:
            members = waiting.pop()
            lower[node] = parts.lower[members].min(axis=0)
            upper[node] = parts.upper[members].max(axis=0)
            # A tree over m parts takes 2m − 1 nodes.
            skip[node] = node + 2 * len(members) - 1
            if len(members) == 1:
                part[node] = members[0]
            else:
                axis = np.argmax(np.ptp(middle[members], axis=0))
                half = len(members) // 2
                order = np.argpartition(middle[members, axis], half)
                waiting += [members[order[half:]], members[order[:half]]]
            node += 1
        return cls(lower, upper, skip, part)
