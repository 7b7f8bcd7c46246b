"""Straight and round edges of the field that a collimator leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float64


class Edge(Protocol):
    """A curve with the field on one side. Points are (column, row) in px."""

    def distance_inside(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Distance in px from the curve, positive toward the field."""
        ...

    def inward(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Unit directions toward the field."""
        ...

    def position(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """How far along the curve points lie, in px."""
        ...

    def traced(self, shape: tuple[int, int]) -> Float64[np.ndarray, "n 2"]:
        """Points of the curve 1 px apart, all that lie in an image of `shape` (rows, columns) and others."""
        ...


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

    def position(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Place along the line, in px from where it passes the first pixel."""
        return points @ self._along

    def traced(self, shape: tuple[int, int]) -> Float64[np.ndarray, "n 2"]:
        """Points 1 px apart, along twice the image's diagonal about its middle."""
        far = np.ceil(np.hypot(*shape))
        middle = np.array(shape[::-1]) / 2 @ self._along
        return self.offset * np.asarray(self.normal) + (middle + np.arange(-far, far))[:, None] * self._along

    @property
    def _along(self) -> Float64[np.ndarray, "2"]:
        return np.array([-self.normal[1], self.normal[0]])


@dataclass(frozen=True)
class Circle:
    """An iris, or the round edge of an image intensifier, field inside."""

    centre: tuple[float, float]
    radius: float

    def distance_inside(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Distance in px from the circle, positive within."""
        return self.radius - np.linalg.norm(points - self.centre, axis=-1)

    def inward(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Unit directions toward the centre."""
        toward = np.asarray(self.centre) - points
        return toward / np.maximum(np.linalg.norm(toward, axis=-1, keepdims=True), 1e-9)

    def position(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Length of the arc from the right."""
        x, y = np.moveaxis(points - np.asarray(self.centre), -1, 0)
        return self.radius * np.mod(np.arctan2(y, x), 2 * np.pi)

    def traced(self, shape: tuple[int, int]) -> Float64[np.ndarray, "n 2"]:
        """Points some 1 px apart, all around."""
        angle = np.linspace(0, 2 * np.pi, max(round(2 * np.pi * self.radius), 16), endpoint=False)
        return np.asarray(self.centre) + self.radius * np.column_stack([np.cos(angle), np.sin(angle)])


@dataclass(frozen=True, eq=False)
class BentEdge:
    """An edge that lies `inward_by` px further in at each of `positions` along it, which grow.

    Distortion bends edges; and where an edge was seen best need not be where the field begins.
    """

    edge: Edge
    positions: Float64[np.ndarray, "n"]
    inward_by: Float64[np.ndarray, "n"]

    def distance_inside(self, points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """Distance in px, positive toward the field."""
        moved = np.interp(self.edge.position(points), self.positions, self.inward_by)
        return self.edge.distance_inside(points) - moved


def pixel_centres(shape: tuple[int, ...]) -> Float64[np.ndarray, "rows columns 2"]:
    """(column, row) of every pixel."""
    row, column = np.indices(shape[:2])
    return np.stack([column, row], axis=-1).astype(np.float64)
