"""Which rays a CT can speak of: those that cross it, and among them those that it holds the whole way of.

A CT ends somewhere in the patient: at the neck, at the shoulders. A ray that enters or leaves through tissue has met
more than the CT knows, and its line integral must not be held against a pose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from numba import prange

from ..attenuation import WATER_ATTENUATION_PER_MM
from ..geometry import Rays
from .compile_cache import compiled
from .volume import ProjectionVolume

# Denser than this part of water is tissue. The mean of some voxels is judged, so that noise is not.
_TISSUE = 0.3
_VOXELS_JUDGED = 3


@dataclass(frozen=True, eq=False)
class Coverage:
    """For each ray whether it crosses the CT's box, and whether it enters and leaves it through air."""

    crosses: Bool[np.ndarray, "n"]
    whole: Bool[np.ndarray, "n"]


def coverage(
    volume: ProjectionVolume, rays: Rays, voxel_from_world: Float64[np.ndarray, "3 4"], least_mm: float
) -> Coverage:
    """Coverage of `rays` (world mm); those that cross less than `least_mm` of the box do not count as crossing."""
    found = np.zeros(len(rays), dtype=np.uint8)
    limit = _TISSUE * WATER_ATTENUATION_PER_MM / volume.unit
    _cover(volume.counts, limit, voxel_from_world, rays.source, rays.target, least_mm, found)
    return Coverage(found > 0, found > 1)


@compiled()
def _is_tissue(counts, limit, x, y, z, dx, dy, dz):  # type: ignore[no-untyped-def]
    """Whether the first voxels from (x, y, z) on, a voxel along (dx, dy, dz) apart, are denser than `limit`."""
    total = 0.0
    for n in range(_VOXELS_JUDGED):
        step = n + 0.5
        i = min(max(int(x + step * dx + 0.5), 1), counts.shape[2] - 2)
        j = min(max(int(y + step * dy + 0.5), 1), counts.shape[1] - 2)
        k = min(max(int(z + step * dz + 0.5), 1), counts.shape[0] - 2)
        total += counts[k, j, i]
    return total > limit * _VOXELS_JUDGED


@compiled(parallel=True)
def _cover(counts, limit, M, source, target, least_mm, found):  # type: ignore[no-untyped-def]
    """Fill `found` (N): 0 beside the box, 1 through it, 2 through it with air at both ends."""
    # Half a voxel of padding and half a voxel to the face: the box of voxel faces.
    sides = (counts.shape[2] - 1.5, counts.shape[1] - 1.5, counts.shape[0] - 1.5)
    for ray in prange(len(source)):
        length = 0.0
        for axis in range(3):
            length += (target[ray, axis] - source[ray, axis]) ** 2
        length = math.sqrt(length)
        t0, t1 = 0.0, 1.0
        ox, oy, oz = 0.0, 0.0, 0.0
        dx, dy, dz = 0.0, 0.0, 0.0
        for axis in range(3):
            o, e = M[axis, 3], M[axis, 3]
            for column in range(3):
                o += M[axis, column] * source[ray, column]
                e += M[axis, column] * target[ray, column]
            d = e - o
            if axis == 0:
                ox, dx = o, d
            elif axis == 1:
                oy, dy = o, d
            else:
                oz, dz = o, d
            if abs(d) < 1e-12:
                if o < 0.5 or o > sides[axis]:
                    t0, t1 = 1.0, 0.0
                continue
            ta, tb = (0.5 - o) / d, (sides[axis] - o) / d
            t0, t1 = max(t0, min(ta, tb)), min(t1, max(ta, tb))
        if t1 <= t0 or (t1 - t0) * length < least_mm:
            continue
        found[ray] = 1
        # Steps of a voxel along the ray.
        s = 1 / max(math.sqrt(dx * dx + dy * dy + dz * dz), 1e-12)
        ux, uy, uz = dx * s, dy * s, dz * s
        enters = _is_tissue(counts, limit, ox + t0 * dx, oy + t0 * dy, oz + t0 * dz, ux, uy, uz)
        leaves = _is_tissue(counts, limit, ox + t1 * dx, oy + t1 * dy, oz + t1 * dz, -ux, -uy, -uz)
        if not enters and not leaves:
            found[ray] = 2
