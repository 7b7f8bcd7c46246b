"""Implicit shapes: each knows its signed distance (mm, negative inside) and a box that holds it.

Shapes live in the phantom's frame, RAS mm. Distances are exact or true to first order near the surface, which is
what soft edges need; far away they only need the right sign.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import ArrayLike

from .grid import Grid

Box = tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]
Distances = Float32[np.ndarray, "*shape"]
Point = tuple[float, float, float]


class Shape(ABC):
    """A solid. Coordinates given to `distance` are arrays in mm that broadcast against each other."""

    @property
    @abstractmethod
    def box(self) -> Box:
        """Lowest and highest corner (mm) of a box around the shape."""

    @abstractmethod
    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm, negative inside."""

    def on(self, grid: Grid, reach: float) -> Distances:
        """Signed distance on the points of a grid, for shapes of many pieces at less cost than everywhere for each.

        Further than `reach` mm outside, it need only be more than `reach`.
        """
        return self.distance(grid.x, grid.y, grid.z)

    def at(self, points: ArrayLike) -> Distances:
        """Signed distance in mm at points (n, 3)."""
        x, y, z = np.asarray(points, dtype=np.float32).reshape(-1, 3).T
        return self.distance(x, y, z)

    def surface_point(self, inside: ArrayLike, direction: ArrayLike) -> Float64[np.ndarray, "3"]:
        """Where the ray from a point inside first leaves the shape."""
        start, along = np.array(inside, dtype=np.float64), np.array(direction, dtype=np.float64)
        along /= np.linalg.norm(along)
        reach = np.arange(0, 300, 0.25)
        outside = self.at(start + reach[:, None] * along) > 0
        if outside[0] or not outside.any():
            raise ValueError("the ray starts outside the shape or never leaves it")
        near = reach[np.argmax(outside)] - 0.25
        fine = near + np.linspace(0, 0.25, 26)
        return start + fine[np.argmax(self.at(start + fine[:, None] * along) > 0)] * along


@dataclass(frozen=True, eq=False)
class Ellipsoid(Shape):
    """Ellipsoid of `radii` about `centre`; the columns of `axes` are its directions.

    `taper` narrows it in x toward +y (an egg): the x radius is that fraction smaller at the front, larger at the back.
    """

    centre: Point
    radii: Point
    axes: Float64[np.ndarray, "3 3"] | None = None
    taper: float = 0.0

    @property
    def box(self) -> Box:
        """Corners in mm."""
        a, b, c = self.radii
        radii = np.array([a * (1 + abs(self.taper)), b, c])
        reach = np.linalg.norm(_axes(self.axes) @ np.diag(radii), axis=1)
        return np.array(self.centre) - reach, np.array(self.centre) + reach

    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm, true to first order at the surface."""
        u, v, w = _local(x, y, z, self.centre, self.axes)
        a, b, c = np.array(self.radii, dtype=np.float32)
        v = v / b
        u, w = u / (a * (1 - np.float32(self.taper) * v)), w / c
        level = np.sqrt(u * u + v * v + w * w)
        slope = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2)
        return level * (level - 1) / np.maximum(slope, np.float32(1e-6))


@dataclass(frozen=True, eq=False)
class RoundedBox(Shape):
    """Box of half edges `half` with edges rounded by `rounding` mm; the columns of `axes` are its directions."""

    centre: Point
    half: Point
    rounding: float
    axes: Float64[np.ndarray, "3 3"] | None = None

    @property
    def box(self) -> Box:
        """Corners in mm."""
        reach = np.abs(_axes(self.axes)) @ np.array(self.half)
        return np.array(self.centre) - reach, np.array(self.centre) + reach

    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm."""
        local = _local(x, y, z, self.centre, self.axes)
        excess = [np.abs(u) - np.float32(h - self.rounding) for u, h in zip(local, self.half, strict=True)]
        u, v, w = (np.maximum(e, 0) for e in excess)
        inner = np.minimum(np.maximum(np.maximum(excess[0], excess[1]), excess[2]), 0)
        return np.sqrt(u * u + v * v + w * w) + inner - np.float32(self.rounding)


@dataclass(frozen=True, eq=False)
class Capsule(Shape):
    """Everything within a radius of a segment; the radius runs linearly from `first` to `last`."""

    start: Point
    end: Point
    first: float
    last: float

    @property
    def box(self) -> Box:
        """Corners in mm."""
        ends = np.array([self.start, self.end])
        radius = max(self.first, self.last)
        return ends.min(axis=0) - radius, ends.max(axis=0) + radius

    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm, for slowly changing radii."""
        x, y, z = (c - np.float32(s) for c, s in zip((x, y, z), self.start, strict=True))
        along = np.array(self.end, dtype=np.float32) - np.array(self.start, dtype=np.float32)
        e = along / np.maximum(along @ along, np.float32(1e-6))
        t = np.clip(x * e[0] + y * e[1] + z * e[2], 0, 1)
        x, y, z = x - t * along[0], y - t * along[1], z - t * along[2]
        return np.sqrt(x * x + y * y + z * z) - (np.float32(self.first) + t * np.float32(self.last - self.first))


@dataclass(frozen=True, eq=False)
class PlatePiece(Shape):
    """One straight piece of a plate: a wall over a segment, `height` (half) along `up` and `thickness` (half) across.

    Both are pairs, at the start and at the end. Edges are rounded by the smaller half thickness.
    """

    start: Point
    end: Point
    height: tuple[float, float]
    thickness: tuple[float, float]
    up: Point

    @property
    def box(self) -> Box:
        """Corners in mm."""
        ends = np.array([self.start, self.end])
        up = np.abs(self.up) / np.linalg.norm(self.up)
        reach = max(self.thickness) + max(self.height) * up
        return ends.min(axis=0) - reach, ends.max(axis=0) + reach

    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm, for slowly changing height and thickness."""
        up = np.array(self.up) / np.linalg.norm(self.up)
        run = np.array(self.end, dtype=np.float64) - np.array(self.start)
        rise = float(run @ up)
        level = run - rise * up
        length = float(np.linalg.norm(level))
        axes = np.column_stack([level / length, np.cross(up, level / length), up])
        along, across, height = _local(x, y, z, self.start, axes)
        t = np.clip(along / np.float32(length), 0, 1)
        beyond = along - t * np.float32(length)
        rounding = np.float32(min(self.thickness))
        q = np.sqrt(across * across + beyond * beyond) - (_between(self.thickness, t) - rounding)
        h = np.abs(height - t * np.float32(rise)) - (_between(self.height, t) - rounding)
        a, b = np.maximum(q, 0), np.maximum(h, 0)
        return np.sqrt(a * a + b * b) + np.minimum(np.maximum(q, h), 0) - rounding


@dataclass(frozen=True, eq=False)
class HalfSpace(Shape):
    """Everything behind a plane through `point` whose `normal` points out."""

    point: Point
    normal: Point

    @property
    def box(self) -> Box:
        """All of space."""
        return np.full(3, -np.inf), np.full(3, np.inf)

    def distance(self, x: Distances, y: Distances, z: Distances) -> Distances:
        """Signed distance in mm."""
        n = (np.array(self.normal) / np.linalg.norm(self.normal)).astype(np.float32)
        return x * n[0] + y * n[1] + z * n[2] - np.float32(np.array(self.point) @ n)


def turned(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Float64[np.ndarray, "3 3"]:
    """Axes turned by degrees about x, then y, then z."""
    a, b, c = np.deg2rad([x, y, z])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _axes(axes: Float64[np.ndarray, "3 3"] | None) -> Float64[np.ndarray, "3 3"]:
    return np.eye(3) if axes is None else axes


def _local(
    x: Distances, y: Distances, z: Distances, centre: Point, axes: Float64[np.ndarray, "3 3"] | None
) -> tuple[Distances, Distances, Distances]:
    x, y, z = (c - np.float32(o) for c, o in zip((x, y, z), centre, strict=True))
    if axes is None:
        return x, y, z
    u, v, w = (x * a[0] + y * a[1] + z * a[2] for a in axes.T.astype(np.float32))
    return u, v, w


def _between(ends: tuple[float, float], t: Distances) -> Distances:
    return np.float32(ends[0]) + t * np.float32(ends[1] - ends[0])
