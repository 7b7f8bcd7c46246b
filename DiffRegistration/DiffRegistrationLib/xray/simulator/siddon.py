"""Exact paths through the voxels of a CT.

A voxel is a box of one composition, and a ray's way through it is the exact length between its faces (R. L. Siddon,
Medical Physics 12, 252, 1985), found voxel by voxel in the order of passage (J. Amanatides and A. Woo, Eurographics
1987). The solver's renderer samples between voxel centres instead, so that neither repeats the other's errors.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float32, Float64
from numba import prange

from ..geometry import Rays
from ..projector.compile_cache import compiled
from .composition import Composition
from .materials import Material

# Stands for "never" where infinity would not survive fast arithmetic.
_NEVER = 1e300
# A ray that moves less than this many voxels along an axis on all of its way runs parallel to its faces.
_PARALLEL = 1e-12


@compiled()
def _between_faces(origin, way, lower, upper, begin, end):  # type: ignore[no-untyped-def]
    """Part of [begin, end] in which origin + t · way lies between two faces; begin > end if none does."""
    if abs(way) < _PARALLEL:
        return (begin, end) if lower <= origin < upper else (1.0, 0.0)
    first, second = (lower - origin) / way, (upper - origin) / way
    return max(begin, min(first, second)), min(end, max(first, second))


@compiled()
def _start_along(origin, way, begin, lower, upper):  # type: ignore[no-untyped-def]
    """Index of the voxel at t = begin, the t of its far face, the t from face to face, and the index's step."""
    # Rounding may put a point on the box's face just outside of it.
    index = min(max(math.floor(origin + begin * way), lower), upper - 1)
    if abs(way) < _PARALLEL:
        return index, _NEVER, 0.0, 0
    if way > 0:
        return index, (index + 1 - origin) / way, 1 / way, 1
    return index, (index - origin) / way, -1 / way, -1


@compiled(parallel=True)
def _accumulate(counts, lower, upper, box_from_world, source, target, total):  # type: ignore[no-untyped-def]
    """Fill `total` (2, N) with Σ counts · length (mm) of both materials; voxel i spans [i, i + 1] in the box frame."""
    M = box_from_world
    for ray in prange(source.shape[0]):
        sx, sy, sz = source[ray, 0], source[ray, 1], source[ray, 2]
        ex, ey, ez = target[ray, 0] - sx, target[ray, 1] - sy, target[ray, 2] - sz
        ox = M[0, 0] * sx + M[0, 1] * sy + M[0, 2] * sz + M[0, 3]
        oy = M[1, 0] * sx + M[1, 1] * sy + M[1, 2] * sz + M[1, 3]
        oz = M[2, 0] * sx + M[2, 1] * sy + M[2, 2] * sz + M[2, 3]
        dx = M[0, 0] * ex + M[0, 1] * ey + M[0, 2] * ez
        dy = M[1, 0] * ex + M[1, 1] * ey + M[1, 2] * ez
        dz = M[2, 0] * ex + M[2, 1] * ey + M[2, 2] * ez
        begin, end = _between_faces(ox, dx, lower[0], upper[0], 0.0, 1.0)
        begin, end = _between_faces(oy, dy, lower[1], upper[1], begin, end)
        begin, end = _between_faces(oz, dz, lower[2], upper[2], begin, end)
        first, second = 0.0, 0.0
        if begin < end:
            i, tx, step_x, move_x = _start_along(ox, dx, begin, lower[0], upper[0])
            j, ty, step_y, move_y = _start_along(oy, dy, begin, lower[1], upper[1])
            k, tz, step_z, move_z = _start_along(oz, dz, begin, lower[2], upper[2])
            here = begin
            while here < end and lower[0] <= i < upper[0] and lower[1] <= j < upper[1] and lower[2] <= k < upper[2]:
                water, bone = counts[k, j, i, 0], counts[k, j, i, 1]
                there = min(min(tx, ty), min(tz, end))
                length = max(there - here, 0.0)
                if tx <= ty and tx <= tz:
                    i += move_x
                    tx += step_x
                elif ty <= tz:
                    j += move_y
                    ty += step_y
                else:
                    k += move_z
                    tz += step_z
                first += length * water
                second += length * bone
                here = max(there, here)
        length = math.sqrt(ex * ex + ey * ey + ez * ez)
        total[0, ray] = first * length
        total[1, ray] = second * length


def areal_densities(
    composition: Composition, rays: Rays, pose: Float64[np.ndarray, "4 4"]
) -> dict[Material, Float32[np.ndarray, "n"]]:
    """Areal density in g/cm² of each material of the CT along every ray, under the pose world_from_ct (RAS mm).

    A ray ends at its target and may start anywhere; one that runs within a face belongs to the voxel of higher index.
    """
    box_from_world = composition.voxel_from_ct @ np.linalg.inv(np.asarray(pose, dtype=np.float64))
    # Voxel centres are integers, faces half integers.
    box_from_world[:3, 3] += 0.5
    total = np.empty((len(composition.MATERIALS), len(rays)))
    _accumulate(
        composition.counts,
        np.ascontiguousarray(composition.lower),
        np.ascontiguousarray(composition.upper),
        np.ascontiguousarray(box_from_world[:3]),
        rays.source,
        rays.target,
        total,
    )
    # 10 mm a cm.
    total *= composition.units[:, None] / 10
    return dict(zip(composition.MATERIALS, total.astype(np.float32), strict=True))
