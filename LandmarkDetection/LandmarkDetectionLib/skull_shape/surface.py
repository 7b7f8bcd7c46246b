"""A triangle mesh in the frame of its CT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles over vertices (RAS mm), counter-clockwise when seen from outside.

    ValueError for arrays of other shapes, for vertices that are not finite and for triangles of vertices that there
    are not.
    """

    vertices: Float64[np.ndarray, "n 3"]
    faces: Int64[np.ndarray, "m 3"]

    def __post_init__(self) -> None:
        vertices = np.array(self.vertices, dtype=np.float64)
        faces = np.array(self.faces, dtype=np.int64)
        for name, array in (("vertices", vertices), ("faces", faces)):
            if array.ndim != 2 or array.shape[1] != 3:
                raise ValueError(f"expected {name} of shape (n, 3), got {array.shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not np.isfinite(vertices).all():
            raise ValueError("a vertex is NaN or infinite")
        if faces.size and not (faces.min() >= 0 and faces.max() < len(vertices)):
            raise ValueError(f"a triangle names a vertex that is none of the {len(vertices)}")

    @cached_property
    def _area_vectors(self) -> Float64[np.ndarray, "m 3"]:
        """Outward normals of the triangles, as long as twice their areas in mm²."""
        a, b, c = self.vertices[self.faces].swapaxes(0, 1)
        return np.cross(b - a, c - a)

    @cached_property
    def vertex_normals(self) -> Float64[np.ndarray, "n 3"]:
        """Unit normals outward, means of the triangles around weighted by area; zero where there is none."""
        total = self._gathered(self._area_vectors)
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)

    @cached_property
    def vertex_areas(self) -> Float64[np.ndarray, "n"]:
        """A third of the area (mm²) of the triangles around each vertex; they sum to the area of the surface."""
        return self._gathered(np.linalg.norm(self._area_vectors, axis=1)[:, None] / 6)[:, 0]

    def _gathered(self, of_faces: Float64[np.ndarray, "m k"]) -> Float64[np.ndarray, "n k"]:
        """Sums over the triangles around each vertex."""
        corners = self.faces.ravel()
        columns = [np.bincount(corners, np.repeat(column, 3), minlength=len(self.vertices)) for column in of_faces.T]
        return np.stack(columns, axis=1)

    def carried(self, move: Callable[[Float64[np.ndarray, "n 3"]], ArrayLike]) -> Self:
        """The same triangles over moved vertices: `move` maps points (n, 3) to points."""
        return type(self)(np.asarray(move(self.vertices)), self.faces)

    def part(self, kept: Bool[np.ndarray, "n"]) -> Self:
        """The triangles all of whose vertices are kept, and the vertices that they use."""
        faces = self.faces[kept[self.faces].all(axis=1)]
        used, renumbered = np.unique(faces, return_inverse=True)
        return type(self)(self.vertices[used], renumbered.reshape(-1, 3))
