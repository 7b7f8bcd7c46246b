"""What an image shows along an edge: whether a collimator's lead begins there, or a body does.

Lead ends the light all along, at once, and as straight or round as it was made; beyond it nothing is lit any more.
A body's outline does so here and there, darkens on and on behind it, and is never quite straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import ndimage

from .field_edges import BentEdge, Circle, Edge

# Tone is compared so many px before and behind an edge, over as many px along it; and farther off.
_NEAR_PX, _FAR_PX, _ALONG_PX = 3.0, 11.0, 9
# No nearer than this to another edge: in its corner two of them shade.
_CORNER_PX = 5.0
_FEWEST_POINTS, _FEWEST_LIT = 8, 5
# A step counts from so many standard errors on, to which this tone is added.
_STANDARD_ERRORS, _LEAST_TONE = 2.0, 0.03
# An edge is looked for so far before and behind its line or circle; points within so much of a stiff curve are on it.
_STRAY_PX, _STRAY_STEP_PX, _ON_CURVE_PX = 6.0, 0.5, 1.0
# A circle that is seen nearly all around may be bent to this order; else only moved.
_SEEN_AROUND, _BENT_ORDER = 0.9, 3
# What distortion may bend an edge by: 1 px, and so much of its length.
_MOST_BEND = 0.015
# Light ends with such a step at least, and darkens by so much of it behind at most.
_LEAST_STEP, _MOST_SOFT = 0.25, 0.5
# An edge goes on beyond another one if its step there is so much of the whole one, above its dark by so much, over
# such a part and on so many points.
_GOES_ON, _ABOVE_DARK, _GOES_ON_PART, _GOES_ON_POINTS = 0.2, 0.3, 0.4, 12


@dataclass(frozen=True, eq=False)
class EdgeEvidence:
    """Points along an edge that lie in the image and inside all other edges, and what is seen there.

    `inner` and `outer` are the tones before and behind it, `step_error` is what a difference of them is uncertain by,
    `lit` says where it is beyond that; `stray` is how far inward of the curve the edge is seen at the lit points (px),
    `bend` a stiff curve through that. `behind` is the tone farther out, NaN outside the image.
    """

    edge: Edge
    points: Float64[np.ndarray, "n 2"]
    inner: Float64[np.ndarray, "n"]
    outer: Float64[np.ndarray, "n"]
    behind: Float64[np.ndarray, "n"]
    step_error: float
    lit: Bool[np.ndarray, "n"]
    stray: Float64[np.ndarray, "lit"]
    bend: Float64[np.ndarray, "lit"]

    @property
    def lit_points(self) -> int:
        """At how many points light ends."""
        return int(np.count_nonzero(self.lit))

    @property
    def lit_part(self) -> float:
        """At which part of its points light ends."""
        return float(self.lit.mean())

    @property
    def against_part(self) -> float:
        """At which part of its points it is lighter outside, or no darker there than where light ends."""
        step = self.inner - self.outer
        dark = np.quantile(self.outer[self.lit], 0.9) + _STANDARD_ERRORS * self.step_error
        return float(np.mean((step < -_STANDARD_ERRORS * self.step_error) | (~self.lit & (self.outer > dark))))

    @property
    def strength(self) -> float:
        """Of all steps together, each counted up to some standard errors."""
        return float(np.clip((self.inner - self.outer)[self.lit] / self.step_error, 0, 8).sum())

    @property
    def on_curve_part(self) -> float:
        """At which part of the lit points it is seen on the stiff curve."""
        return float(np.mean(np.abs(self.stray - self.bend) < _ON_CURVE_PX))

    @property
    def looks_like_lead(self) -> bool:
        """Whether light ends with a clear step, at once, and the curve is no more bent than distortion bends it."""
        step = float(np.median((self.inner - self.outer)[self.lit]))
        further = (self.outer - self.behind)[self.lit]
        further = further[np.isfinite(further)]
        soft = float(np.median(further)) / step if further.size else 0.0
        is_stiff = np.ptp(self.bend) < 1 + _MOST_BEND * len(self.points)
        return bool(step > _LEAST_STEP and soft < _MOST_SOFT and is_stiff)

    def goes_on_beyond(self, other: Edge) -> bool:
        """Whether beyond `other`, too, light ends at this edge; then `other` cuts through the field.

        Two sheets of lead darken more than one, too: what ends there must be lighter than one sheet's dark.
        """
        inside = other.distance_inside(self.points)
        there, here = inside < -_CORNER_PX, (inside > _CORNER_PX) & self.lit
        if np.count_nonzero(there) < _GOES_ON_POINTS or np.count_nonzero(here) < _FEWEST_LIT:
            return False
        step = self.inner - self.outer
        whole, dark = float(np.median(step[here])), float(np.median(self.outer[here]))
        goes_on = self.lit & (step > _GOES_ON * whole) & (self.inner > dark + _ABOVE_DARK * whole)
        return bool(goes_on[there].mean() > _GOES_ON_PART)

    def field_edge(self, image: Float32[np.ndarray, "rows columns"], deepest_px: float) -> BentEdge:
        """The edge where it is half light in `image`, in the median over its points, bent as it is seen bent."""
        points, inward = self.points[self.lit], self.edge.inward(self.points[self.lit])
        depths = np.arange(-_NEAR_PX, deepest_px, 0.25)
        on_edge = points + self.bend[:, None] * inward
        light = np.median(_at(image, on_edge + depths[:, None, None] * inward), axis=1)
        half = (light[0] + light.max()) / 2
        first = max(int(np.argmax(light >= half)), 1)
        depth = np.interp(half, light[first - 1 : first + 1], depths[first - 1 : first + 1])
        position = self.edge.position(points)
        order = np.argsort(position)
        return BentEdge(self.edge, position[order], (self.bend + depth)[order])


@dataclass(frozen=True, eq=False)
class EdgeProfile:
    """The whole of an edge in an image: as `EdgeEvidence`, but wherever else the image may end."""

    edge: Edge
    points: Float64[np.ndarray, "n 2"]
    inner: Float64[np.ndarray, "n"]
    outer: Float64[np.ndarray, "n"]
    behind: Float64[np.ndarray, "n"]
    stray: Float64[np.ndarray, "n"]

    def inside(self, others: Sequence[Edge]) -> EdgeEvidence | None:
        """What is seen where the edge lies inside all `others`; None if that is too little."""
        there = np.ones(len(self.points), dtype=bool)
        for other in others:
            there &= other.distance_inside(self.points) > _CORNER_PX
        if np.count_nonzero(there) < _FEWEST_POINTS:
            return None
        inner, outer = self.inner[there], self.outer[there]
        error = 1.5 * max(_noise(inner), _noise(outer)) + _LEAST_TONE
        lit = inner - outer > _STANDARD_ERRORS * error
        if np.count_nonzero(lit) < _FEWEST_LIT:
            return None
        points, stray = self.points[there], self.stray[there][lit]
        bend = _stiff(self.edge, self.edge.position(points)[lit], stray)
        return EdgeEvidence(self.edge, points, inner, outer, self.behind[there], error, lit, stray, bend)


def edge_profile(tone: Float32[np.ndarray, "rows columns"], edge: Edge) -> EdgeProfile:
    """What `tone` shows along `edge`."""
    shape = (tone.shape[0], tone.shape[1])
    points = edge.traced(shape)
    inward = edge.inward(points)
    there = _is_in(points - _NEAR_PX * inward, shape) & _is_in(points + _NEAR_PX * inward, shape)
    points, inward = points[there], inward[there]

    def beside(distance: float) -> Float64[np.ndarray, "n"]:
        across = [_at(tone, points + (distance + step) * inward) for step in (-1, 0, 1)]
        return ndimage.uniform_filter1d(np.mean(across, axis=0), _ALONG_PX, mode="nearest")

    behind = np.where(_is_in(points - _FAR_PX * inward, shape), beside(-_FAR_PX), np.nan)
    stray = _stray(tone, points, inward) if len(points) else np.zeros(0)
    return EdgeProfile(edge, points, beside(_NEAR_PX), beside(-_NEAR_PX), behind, stray)


def _stray(
    tone: Float32[np.ndarray, "rows columns"], points: Float64[np.ndarray, "n 2"], inward: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "n"]:
    """How far inward of each point tone grows fastest."""
    depths = np.arange(-_STRAY_PX, _STRAY_PX + 0.01, _STRAY_STEP_PX)
    profiles = _at(tone, points + depths[:, None, None] * inward)
    profiles = ndimage.gaussian_filter1d(ndimage.uniform_filter1d(profiles, 7, axis=1, mode="nearest"), 1.5, axis=0)
    return depths[np.gradient(profiles, axis=0).argmax(axis=0)]


def _stiff(
    edge: Edge, position: Float64[np.ndarray, "n"], stray: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n"]:
    """A parabola along a line, or few waves around a circle, fitted to how far an edge strays."""
    if isinstance(edge, Circle):
        order = _BENT_ORDER if len(position) > _SEEN_AROUND * 2 * np.pi * edge.radius else 1
        angle = position[:, None] / edge.radius * np.arange(1, order + 1)
        columns = np.hstack([np.ones((len(position), 1)), np.cos(angle), np.sin(angle)])
    else:
        columns = np.vander((position - position.mean()) / max(np.ptp(position), 1.0), 3)
    return np.asarray(columns @ np.linalg.lstsq(columns, stray, rcond=None)[0])


def _is_in(points: Float64[np.ndarray, "n 2"], shape: tuple[int, int]) -> Bool[np.ndarray, "n"]:
    return np.asarray(((points >= 0) & (points <= np.array(shape[::-1]) - 1)).all(axis=-1))


def _at(image: Float32[np.ndarray, "rows columns"], points: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
    return np.asarray(ndimage.map_coordinates(image, np.moveaxis(points, -1, 0)[::-1], order=1, mode="nearest"))


def _noise(values: Float64[np.ndarray, "n"]) -> float:
    return float(1.4826 * np.median(np.abs(np.diff(values))))
