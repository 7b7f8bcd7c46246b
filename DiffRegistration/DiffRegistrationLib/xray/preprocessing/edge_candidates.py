"""Lines and circles along which an image grows lighter: what a collimator's edges may be, anatomy's among them.

Gradients vote for the lines and circles that they may stand across (Hough, with the gradient's direction: Ballard,
Pattern Recognition 13(2), 1981), and those with most votes are fitted to the pixels behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage

from .field_edges import Circle, Edge, Line

_LINES, _CIRCLES = 14, 4
# Directions that lines are looked for in, and about the usual ones of which two peaks are one.
_DIRECTIONS, _SAME_DIRECTIONS, _SAME_PX = 120, 6, 8
# Gradients beside the usual one about them: 0.33 is as strong as twice that.
_USUAL_ABOUT_PX, _USUAL_TIMES, _LEAST = 21, 2.0, 0.01
_COUNTS_FOR_LINE, _COUNTS_FOR_CIRCLE = 0.25, 0.35
# A gradient votes for lines that it stands across to within about 26°.
_ACROSS = 0.9
# The fewest votes for a line, in parts of the image's shorter side.
_FEWEST_VOTES = 0.06
# Circles: grid in px, radii in parts of the shorter and the longer side, and how far outside centres may lie.
_CELL, _RADII, _OUTSIDE = 4, (0.12, 0.9), 0.3
_FEWEST_ON_CIRCLE, _FEWEST_ON_LINE = 20, 8


@dataclass(frozen=True, eq=False)
class _Gradients:
    """Pixels (column, row), unit directions toward light, and how strong each is beside those about it (0 to 1)."""

    points: Float64[np.ndarray, "n 2"]
    directions: Float64[np.ndarray, "n 2"]
    strength: Float64[np.ndarray, "n"]

    def stronger_than(self, least: float) -> _Gradients:
        kept = self.strength > least
        return _Gradients(self.points[kept], self.directions[kept], self.strength[kept])


def edge_candidates(tone: Float32[np.ndarray, "rows columns"]) -> list[Edge]:
    """Lines and circles with `tone` growing inward along much of them."""
    shape = (tone.shape[0], tone.shape[1])
    gradients = _gradients(tone)
    lines = _lines(gradients.stronger_than(_COUNTS_FOR_LINE), shape)
    return [*lines, *_circles(gradients.stronger_than(_COUNTS_FOR_CIRCLE), shape)]


def _gradients(tone: Float32[np.ndarray, "rows columns"]) -> _Gradients:
    across, down = (ndimage.gaussian_filter(tone, 1.0, order=order) for order in ((0, 1), (1, 0)))
    length = np.hypot(across, down)
    usual = ndimage.uniform_filter(np.sqrt(length), _USUAL_ABOUT_PX) ** 2
    strength = length / (length + _USUAL_TIMES * usual + _LEAST)
    row, column = np.nonzero(strength > min(_COUNTS_FOR_LINE, _COUNTS_FOR_CIRCLE))
    vectors = np.column_stack([across[row, column], down[row, column]]).astype(np.float64)
    return _Gradients(
        np.column_stack([column, row]).astype(np.float64),
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        strength[row, column].astype(np.float64),
    )


def _lines(gradients: _Gradients, shape: tuple[int, int]) -> list[Line]:
    """The lines with most votes, each of which is the only one of its kind."""
    far = int(np.hypot(*shape)) + 2
    # Directions all around; a line and the same with the field on its other side are opposite ones.
    own = np.rint(np.arctan2(*gradients.directions.T[::-1]) * _DIRECTIONS / np.pi).astype(int)
    votes = np.zeros((2 * _DIRECTIONS, 2 * far + 1))
    reach = int(np.arccos(_ACROSS) * _DIRECTIONS / np.pi)
    for step in range(-reach, reach + 1):
        direction = (own + step) % (2 * _DIRECTIONS)
        angle = np.pi * direction / _DIRECTIONS
        normal = np.column_stack([np.cos(angle), np.sin(angle)])
        offset = np.rint(np.einsum("ni,ni->n", gradients.points, normal)).astype(int)
        weight = np.einsum("ni,ni->n", gradients.directions, normal) * gradients.strength
        index = direction * votes.shape[1] + offset + far
        votes += np.bincount(index, weight, minlength=votes.size).reshape(votes.shape)
    # A gradient against the normal speaks against the line.
    votes = votes - np.roll(votes, _DIRECTIONS, axis=0)[:, ::-1]
    votes = ndimage.gaussian_filter1d(votes, 1.0, axis=1) * np.sqrt(2 * np.pi)
    lines = []
    for _ in range(_LINES):
        direction, place = np.unravel_index(votes.argmax(), votes.shape)
        if votes[direction, place] < _FEWEST_VOTES * min(shape):
            break
        angle = np.pi * direction / _DIRECTIONS
        lines.append(_fitted_line(Line((np.cos(angle), np.sin(angle)), float(place - far)), gradients))
        near = np.arange(direction - _SAME_DIRECTIONS, direction + _SAME_DIRECTIONS + 1) % (2 * _DIRECTIONS)
        votes[near, max(place - _SAME_PX, 0) : place + _SAME_PX + 1] = -np.inf
    return lines


def _fitted_line(line: Line, gradients: _Gradients) -> Line:
    """The line through the pixels near it whose gradients stand across it."""
    for tolerance in (5.0, 3.0, 2.5):
        across = gradients.directions @ np.asarray(line.normal)
        near = (np.abs(line.distance_inside(gradients.points)) < tolerance) & (across > _ACROSS)
        if np.count_nonzero(near) < _FEWEST_ON_LINE:
            break
        points, weights = gradients.points[near], gradients.strength[near]
        centre = weights @ points / weights.sum()
        normal = np.linalg.svd((points - centre) * np.sqrt(weights)[:, None], full_matrices=False)[2][-1]
        normal = normal if normal @ line.normal > 0 else -normal
        if normal @ line.normal < np.cos(np.radians(14)):
            break
        line = Line((float(normal[0]), float(normal[1])), float(centre @ normal))
    return line


def _circles(gradients: _Gradients, shape: tuple[int, int]) -> list[Circle]:
    """The circles with most votes beside their length, each of which is the only one of its kind."""
    radii = np.arange(_RADII[0] * min(shape), _RADII[1] * max(shape), _CELL)
    outside = int(_OUTSIDE * max(shape))
    size = np.array([(n + 2 * outside) // _CELL + 1 for n in shape])
    votes = np.zeros((len(radii), *size), dtype=np.float32)
    for number, radius in enumerate(radii):
        cell = np.rint((gradients.points + radius * gradients.directions + outside) / _CELL).astype(int)[:, ::-1]
        there = ((cell >= 0) & (cell < size)).all(axis=1)
        index = np.ravel_multi_index(tuple(cell[there].T), tuple(size))
        votes[number] = np.bincount(index, gradients.strength[there], minlength=size.prod()).reshape(size)
    votes = ndimage.gaussian_filter(votes, 1.0) / np.sqrt(radii)[:, None, None]
    circles = []
    for _ in range(_CIRCLES):
        number, row, column = np.unravel_index(votes.argmax(), votes.shape)
        if votes[number, row, column] <= 0:
            break
        about = Circle((float(column * _CELL - outside), float(row * _CELL - outside)), float(radii[number]))
        circle = _fitted_circle(about, gradients)
        if circle is not None:
            circles.append(circle)
        votes[tuple(np.s_[max(n - 3, 0) : n + 4] for n in (number, row, column))] = -np.inf
    return circles


def _fitted_circle(circle: Circle, gradients: _Gradients) -> Circle | None:
    """The circle through the pixels near it whose gradients point to its centre; None if these are few."""
    for tolerance in (8.0, 5.0, 3.0):
        across = np.einsum("ni,ni->n", circle.inward(gradients.points), gradients.directions)
        near = (np.abs(circle.distance_inside(gradients.points)) < tolerance) & (across > _ACROSS)
        if np.count_nonzero(near) < _FEWEST_ON_CIRCLE:
            return None
        points = gradients.points[near]
        # |p|² = 2 p·x + (r² − |x|²), linear in x and the bracket.
        (x, y, bracket), *_ = np.linalg.lstsq(
            np.column_stack([2 * points, np.ones(len(points))]), np.sum(points**2, axis=1), rcond=None
        )
        circle = Circle((float(x), float(y)), float(np.sqrt(max(bracket + x**2 + y**2, 0))))
    return circle
