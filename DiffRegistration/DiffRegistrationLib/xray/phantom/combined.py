"""Shapes made of others: joined, cut, thickened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .grid import Grid
from .shapes import Box, Distances, Shape

_FAR = np.float32(1e4)


@dataclass(frozen=True, eq=False)
class Union(Shape):
    """All of several shapes, joined over `blend` mm (0: sharply)."""

    shapes: tuple[Shape, ...]
    blend: float = 0.0

    @cached_property
    def _boxes(self) -> list[Box]:
        return [shape.box for shape in self.shapes]

    @property
    def box(self) -> Box:
        """Corners in mm."""
        low, high = zip(*self._boxes, strict=True)
        return np.min(low, axis=0) - self.blend / 4, np.max(high, axis=0) + self.blend / 4

    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm."""
        total = self.shapes[0].distance(x, y, z)
        for shape in self.shapes[1:]:
            total = _joined(total, shape.distance(x, y, z), self.blend)
        return total

    def on(self, grid: Grid, reach: float) -> Distances:
        """Signed distance on a grid: each piece only near its own box."""
        total = np.full(grid.shape, _FAR, dtype=np.float32)
        for shape, box in zip(self.shapes, self._boxes, strict=True):
            part = grid.within(*box, margin=self.blend + reach)
            if part is not None:
                total[part.place] = _joined(total[part.place], shape.on(part, self.blend + reach), self.blend)
        return total


@dataclass(frozen=True, eq=False)
class Common(Shape):
    """What two shapes have in common."""

    first: Shape
    second: Shape

    @property
    def box(self) -> Box:
        """Corners in mm."""
        (a, b), (c, d) = self.first.box, self.second.box
        return np.maximum(a, c), np.minimum(b, d)

    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm (a lower bound off the edges)."""
        return np.maximum(self.first.distance(x, y, z), self.second.distance(x, y, z))

    def on(self, grid: Grid, reach: float) -> Distances:
        """Signed distance on a grid."""
        return np.maximum(self.first.on(grid, reach), self.second.on(grid, reach))


@dataclass(frozen=True, eq=False)
class Outside(Shape):
    """Everything that a shape is not; for cutting (`Common`)."""

    shape: Shape

    @property
    def box(self) -> Box:
        """All of space."""
        return np.full(3, -np.inf), np.full(3, np.inf)

    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm."""
        return -self.shape.distance(x, y, z)

    def on(self, grid: Grid, reach: float) -> Distances:
        """Signed distance on a grid."""
        return -self.shape.on(grid, reach)


@dataclass(frozen=True, eq=False)
class Grown(Shape):
    """A shape with `thickness` mm added: one number, or a smooth function of x, y, z and the `most` it can be."""

    shape: Shape
    thickness: float | Callable[[Distances, Distances, Distances], Distances]
    most: float | None = None

    @property
    def box(self) -> Box:
        """Corners in mm."""
        low, high = self.shape.box
        return low - self._most, high + self._most

    @property
    def _most(self) -> float:
        if not callable(self.thickness):
            return self.thickness
        if self.most is None:
            raise ValueError("a thickness that varies needs the most that it can be")
        return self.most

    def _added(self, x: Distances, y: Distances, z: Distances) -> Distances:
        return self.thickness(x, y, z) if callable(self.thickness) else np.asarray(self.thickness, np.float32)

    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm, for slowly changing thickness."""
        return self.shape.distance(x, y, z) - self._added(x, y, z)

    def on(self, grid: Grid, reach: float) -> Distances:
        """Signed distance on a grid."""
        return self.shape.on(grid, reach + max(self._most, 0)) - self._added(grid.x, grid.y, grid.z)


def _joined(first: Distances, second: Distances, blend: float) -> Distances:
    """Minimum of two distances, rounded off where they differ by less than `blend`."""
    lowest = np.minimum(first, second)
    if blend:
        near = np.maximum(np.float32(blend) - np.abs(first - second), 0)
        lowest -= near * near * np.float32(0.25 / blend)
    return lowest
