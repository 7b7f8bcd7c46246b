"""The air cells of mastoid and ethmoid."""

from __future__ import annotations

import numpy as np

from .combined import Union
from .shapes import Ellipsoid, Shape


def air_cells(shape: Shape, spacing: float, wall: float, seed: int) -> Union:
    """Air cells: spheres on a jittered lattice wholly inside a shape, `spacing` mm apart, walls of about `wall` mm."""
    random = np.random.default_rng(seed)
    low, high = shape.box
    axes = [np.arange(a, b, spacing) for a, b in zip(low, high, strict=True)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    # Every second plane shifted: rounder clusters than a cubic lattice.
    lattice[:, :2] += spacing / 2 * (np.rint((lattice[:, 2:] - low[2]) / spacing) % 2)
    lattice += random.uniform(-0.15, 0.15, lattice.shape) * spacing
    radius = (spacing - wall) / 2 * random.uniform(0.75, 1.15, len(lattice))
    kept = shape.at(lattice) < -radius - 0.8
    return Union(
        tuple(Ellipsoid(tuple(c), (r, r, r)) for c, r in zip(lattice[kept], radius[kept].tolist(), strict=True))
    )
