"""Which part of a surface the source sees."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from ..skull_shape.surface import Surface
from ..skull_shape.surface_distance import sampled

# Points spread over the surface that hide what is behind them, for each vertex; and how many of them lie in a cell of
# the depth map where the surface faces the source: hardly any stays empty.
_HIDING_PER_VERTEX, _HIDING_PER_CELL = 2, 6
# Where a surface is seen at a slant, depth changes within a cell by its width times the slope; twice that is allowed,
# and no slope is taken for steeper than this.
_SLOPE_ALLOWED, _STEEPEST = 2.0, 10.0
# Half as many cells as a depth map has along each side: with cells of 4 mm, 1 m to each side of the axis.
_HALF = 256


class LitSurface:
    """A surface prepared for asking again and again which of its vertices a source sees.

    ValueError for a surface without triangles.
    """

    def __init__(self, surface: Surface) -> None:
        self._count = len(surface.vertices)
        spread, _ = sampled(surface, _HIDING_PER_VERTEX * self._count)
        self._cell_mm = float(np.sqrt(_HIDING_PER_CELL * surface.vertex_areas.sum() / len(spread)))
        # Coordinates in rows: a run asks for many frames.
        opaque = np.concatenate([surface.vertices, spread])
        self._opaque = np.ascontiguousarray(opaque.T, dtype=np.float32)
        self._normals = np.ascontiguousarray(surface.vertex_normals.T, dtype=np.float32)

    def seen_from(self, camera_from_ct: Float64[np.ndarray, "4 4"]) -> Bool[np.ndarray, "n"]:
        """Which vertices face the camera's origin with nothing of the surface in between."""
        rotation, shift = camera_from_ct[:3, :3].astype(np.float32), camera_from_ct[:3, 3:].astype(np.float32)
        x, y, z = rotation @ self._opaque + shift
        there = z > 1
        if not there.any():
            return np.zeros(self._count, dtype=bool)
        cell_size = self._cell_mm / float(z[there].mean())
        scale = np.where(there, np.float32(1 / cell_size) / np.where(there, z, 1), np.float32(0))
        # Counted from the axis outward; a ray far off it has no cell of its own, and needs none: nothing is exposed.
        column, row = (np.floor(across * scale).clip(-_HALF, _HALF - 1).astype(np.int32) for across in (x, y))
        cell = (row + _HALF) * (2 * _HALF) + column + _HALF
        distance = np.sqrt(x * x + y * y + z * z)
        nearest = np.full((2 * _HALF) ** 2, np.inf, dtype=np.float32)
        np.minimum.at(nearest, cell, np.where(there, distance, np.float32(np.inf)))

        of_vertices = slice(0, self._count)
        distance, cell, there = distance[of_vertices], cell[of_vertices], there[of_vertices]
        a, b, c = rotation @ self._normals
        cosine = -(x[of_vertices] * a + y[of_vertices] * b + z[of_vertices] * c) / np.maximum(distance, 1e-6)
        slope = np.sqrt(np.maximum(1 - cosine * cosine, 0)) / np.maximum(cosine, np.float32(1 / _STEEPEST))
        hidden = distance - nearest[cell] > cell_size * distance * (1 + _SLOPE_ALLOWED * slope)
        return there & (cosine > 0) & ~hidden
