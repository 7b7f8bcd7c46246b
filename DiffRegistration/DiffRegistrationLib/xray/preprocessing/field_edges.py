"""Circles and lines fitted to points of which many lie elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from jaxtyping import Float64

_TRIALS = 1500


class Edge(Protocol):
    """A curve with the field on one side. Points are (column, row) in px."""

    def distance_inside(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Distance in px from the curve, positive toward the field."""
        ...

    def inward(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Unit directions toward the field."""
        ...

    def moved_inward(self, distance: float) -> Self:
        """The same curve `distance` px further into the field."""
        ...


@dataclass(frozen=True)
class Circle:
    """The round edge of an image intensifier, field inside."""

    centre: tuple[float, float]
    radius: float

    def distance_inside(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Distance in px from the circle, positive within."""
        return self.radius - np.linalg.norm(points - self.centre, axis=-1)

    def inward(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Unit directions toward the centre."""
        toward = np.asarray(self.centre) - points
        return toward / np.maximum(np.linalg.norm(toward, axis=-1, keepdims=True), 1e-9)

    def moved_inward(self, distance: float) -> Self:
        """A circle smaller by `distance` px."""
        return replace(self, radius=self.radius - distance)


@dataclass(frozen=True)
class Line:
    """A shutter's edge: field where normal · point > offset."""

    normal: tuple[float, float]
    offset: float

    def distance_inside(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Distance in px from the line, positive on the field's side."""
        return points @ np.asarray(self.normal) - self.offset

    def inward(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """The line's unit normal."""
        return np.broadcast_to(np.asarray(self.normal), points.shape)

    def moved_inward(self, distance: float) -> Self:
        """The parallel line `distance` px further in."""
        return replace(self, offset=self.offset + distance)


def pixel_centres(shape: tuple[int, ...]) -> Float64[np.ndarray, "rows columns 2"]:
    """(column, row) of every pixel."""
    row, column = np.indices(shape[:2])
    return np.stack([column, row], axis=-1).astype(np.float64)


def best_circle(points: Float64[np.ndarray, "n 2"], tolerance: float, random: np.random.Generator) -> Circle | None:
    """The circle that most points lie on to within `tolerance` px; None without three points or any circle."""
    if len(points) < 3:
        return None
    a, b, c = points[random.integers(0, len(points), size=(3, _TRIALS))]
    # Centres x of the circles through a, b, c: (b − a)·x = (|b|² − |a|²)/2, and the same for c.
    system = np.stack([b - a, c - a], axis=1)
    squares = [np.sum(p**2, axis=1) for p in (a, b, c)]
    right = np.stack([squares[1] - squares[0], squares[2] - squares[0]], axis=1) / 2
    solvable = np.abs(np.linalg.det(system)) > 1e-6 * np.ptp(points) ** 2
    if not solvable.any():
        return None
    centre = np.linalg.solve(system[solvable], right[solvable][..., None])[..., 0]
    radius = np.linalg.norm(a[solvable] - centre, axis=1)
    # Blades are no circles of huge radius.
    plausible = radius < np.linalg.norm(np.ptp(points, axis=0))
    if not plausible.any():
        return None
    centre, radius = centre[plausible], radius[plausible]
    off = np.abs(np.linalg.norm(points - centre[:, None], axis=2) - radius[:, None])
    best = np.argmax(np.count_nonzero(off <= tolerance, axis=1))
    circle = Circle((float(centre[best, 0]), float(centre[best, 1])), float(radius[best]))
    for _ in range(3):
        near = points[np.abs(circle.distance_inside(points)) <= tolerance]
        if len(near) < 3:
            break
        # |p|² = 2 p·x + (r² − |x|²), linear in x and the bracket.
        (x, y, bracket), *_ = np.linalg.lstsq(
            np.column_stack([2 * near, np.ones(len(near))]), np.sum(near**2, axis=1), rcond=None
        )
        circle = Circle((float(x), float(y)), float(np.sqrt(max(bracket + x**2 + y**2, 0))))
    return circle


def best_line(
    points: Float64[np.ndarray, "n 2"],
    light: Float64[np.ndarray, "2"],
    tolerance: float,
    random: np.random.Generator,
) -> Line | None:
    """The line that most points lie on to within `tolerance` px, field on the side of the point `light`."""
    if len(points) < 2:
        return None
    a, b = points[random.integers(0, len(points), size=(2, _TRIALS))]
    along = b - a
    length = np.linalg.norm(along, axis=1)
    if not (length > tolerance).any():
        return None
    a, along, length = a[length > tolerance], along[length > tolerance], length[length > tolerance]
    normal = np.column_stack([-along[:, 1], along[:, 0]]) / length[:, None]
    offset = np.sum(normal * a, axis=1)
    near = np.abs(points @ normal.T - offset) <= tolerance
    best = np.argmax(np.count_nonzero(near, axis=0))
    n, d = normal[best], offset[best]
    for _ in range(3):
        chosen = points[np.abs(points @ n - d) <= tolerance]
        if len(chosen) < 2:
            break
        centre = chosen.mean(axis=0)
        n = np.linalg.svd(chosen - centre, full_matrices=False)[2][-1]
        d = centre @ n
    if light @ n < d:
        n, d = -n, -d
    return Line((float(n[0]), float(n[1])), float(d))
