"""The field that the collimator left open: straight shutters and the round edge of an image intensifier.

Of the lines and circles along which the image grows lighter, those are a collimator's that look like lead (see
`edge_evidence`) and cut no lit part off. Tones are brought to one scale first: an image may be linear in dose or
logarithmic already, and lead may be as noisy as it is dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

from .edge_candidates import edge_candidates
from .edge_evidence import EdgeEvidence, edge_profile
from .field_edges import Circle, Edge, Line, pixel_centres

# The search needs no finer image than this many pixels along the shorter side, and no smaller one than that.
_WORKING_SIZE, _LEAST_SIZE = 240, 32
# Tones: the darkest is nothing, and noise there, or this part of the whole range, is little.
_DARKEST, _BRIGHTEST, _LITTLE, _NOISES = 0.002, 0.99, (0.003, 0.03), 3.0
_LEAST_LENGTH, _LENGTH_LEFT = 0.08, 0.6
# Lead is about as dark as the darkest of the field; a field is no smaller than this part of the image.
_DARK_QUANTILE, _DARK_SLACK, _LEAST_FIELD = 0.15, 0.15, 0.03
_LIGHTEST_QUANTILE = 0.95
_BESIDE_PX = 4.0
_SAME_DEG, _SAME_PX = 8.0, 8.0
_MARGIN = 0.003
# Penumbra is crossed within this part of the image.
_PENUMBRA = 0.03


@dataclass(frozen=True)
class _Demand:
    """Parts of an edge: where light ends, at least; where it must not, at most; and where it is seen on its curve."""

    lit: float
    against: float
    on_curve: float


# While edges are collected, of which the others may not be known yet; and of all that stay.
_COLLECTED, _KEPT = _Demand(0.35, 0.1, 0.5), _Demand(0.6, 0.08, 0.8)


def find_collimation(intensity: Float32[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """Mask of the field: True inside every shutter and the round edge, less a margin of 0.3 % of the image (≥ 2 px).

    `intensity` grows with dose, linearly or not, and is darkest behind the shutters. Shutters may be turned. An image
    without collimation gives True everywhere; half-transparent filters and shutters that cover no border are left in.
    """
    whole = np.ones(intensity.shape, dtype=bool)
    factor = max(1, round(min(intensity.shape) / _WORKING_SIZE))
    image = _binned(intensity, factor)
    if min(image.shape) < _LEAST_SIZE:
        return whole
    choice = _Choice(image)
    edges = choice.edges()
    if not edges:
        return whole
    deepest = _PENUMBRA * min(image.shape)
    found = [choice.evidence(edge, _without(edges, edge), _KEPT) for edge in edges]
    ends = [evidence.field_edge(image, deepest) for evidence in found if evidence is not None]
    if not ends:
        return whole
    # Binned pixel p covers the full pixels whose mean position is factor·p + (factor − 1)/2.
    points = (pixel_centres(intensity.shape) - (factor - 1) / 2) / factor
    margin = max(2.0, _MARGIN * min(intensity.shape)) / factor
    return np.asarray(np.min([end.distance_inside(points) for end in ends], axis=0) > margin)


def _binned(intensity: Float32[np.ndarray, "rows columns"], factor: int) -> Float32[np.ndarray, "r c"]:
    finite = np.where(np.isfinite(intensity), intensity, intensity[np.isfinite(intensity)].min()).astype(np.float32)
    rows, columns = (n // factor for n in intensity.shape)
    blocks = finite[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return blocks.mean(axis=(1, 3))


def _tone(image: Float32[np.ndarray, "r c"], little: float) -> Float32[np.ndarray, "r c"]:
    """The logarithm of what is above the darkest, flat where that is noise or this `little` part of the range."""
    smooth = ndimage.gaussian_filter(image, 1.0)
    darkest, dark, brightest = np.quantile(smooth, [_DARKEST, 0.1, _BRIGHTEST])
    rest = (image - smooth)[smooth <= dark]
    noise = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    scale = max(_NOISES * noise, little * float(brightest - darkest), float(np.finfo(np.float32).tiny))
    return np.log1p(np.maximum(smooth - darkest, 0) / np.float32(scale))


class _Choice:
    """The edges around the field of `image`, of the candidates that its tones have."""

    def __init__(self, image: Float32[np.ndarray, "r c"]) -> None:
        tones = [_tone(image, little) for little in _LITTLE]
        self._candidates = list(dict.fromkeys(edge for tone in tones for edge in edge_candidates(tone)))
        self._profiles = {edge: [edge_profile(tone, edge) for tone in tones] for edge in self._candidates}
        self._tone = tones[0]
        self._points = pixel_centres(image.shape)
        self._least = _LEAST_LENGTH * min(image.shape)

    def edges(self) -> list[Edge]:
        """The strongest ones first, until none is left that fits those that are there.

        One that turns out to cut a lit part off, or to be of little length once all others are there, goes again.
        """
        chosen: list[Edge] = []
        rest = self._candidates
        # Each turn takes an edge out of the rest or, for good, out of those chosen: it ends.
        while True:
            best = self._strongest(chosen, rest)
            if best is None:
                weakest = self._weakest(chosen)
                if weakest is None:
                    return chosen
                chosen, rest = _without(chosen, weakest), _without(rest, weakest)
                continue
            rest = _without(rest, best)
            if not any(self._goes_on(edge, best, chosen) for edge in chosen):
                chosen = [edge for edge in chosen if not self._goes_on(best, edge, chosen)] + [best]

    def evidence(self, edge: Edge, others: Sequence[Edge], demand: _Demand) -> EdgeEvidence | None:
        """What that tone shows which shows most, of those that show enough; None if none does."""
        least = self._least * (_LENGTH_LEFT if demand is _KEPT else 1.0)
        found = [profile.inside(others) for profile in self._profiles[edge]]
        enough = [one for one in found if one is not None and _is_enough(one, least, demand)]
        return max(enough, key=lambda one: one.strength) if enough else None

    def _strongest(self, chosen: Sequence[Edge], rest: Sequence[Edge]) -> Edge | None:
        """The edge that shows most beside those `chosen`, if that may be enough."""
        new = [edge for edge in rest if not any(_is_same(edge, other) for other in chosen)]
        found = [(edge, self.evidence(edge, chosen, _COLLECTED)) for edge in new]
        shown = [(one.strength * one.on_curve_part**2, edge) for edge, one in found if one is not None]
        return max(shown, key=lambda one: one[0])[1] if shown else None

    def _weakest(self, chosen: Sequence[Edge]) -> Edge | None:
        """Of the edges that do not show enough beside all others the one without which the others show most."""
        weak = [edge for edge in chosen if self._shown(edge, chosen) == 0]
        if len(weak) < 2:
            return weak[0] if weak else None
        rests = [_without(chosen, edge) for edge in weak]
        shown = [sum(self._shown(edge, rest) for edge in rest) for rest in rests]
        return weak[int(np.argmax(shown))]

    def _shown(self, edge: Edge, chosen: Sequence[Edge]) -> float:
        """How much an edge shows beside all others that are chosen; 0 if that is not enough."""
        evidence = self.evidence(edge, _without(chosen, edge), _KEPT)
        return 0.0 if evidence is None or not self._is_dark_beyond(edge, chosen) else evidence.strength

    def _goes_on(self, edge: Edge, other: Edge, chosen: Sequence[Edge]) -> bool:
        rest = _without(_without(chosen, edge), other)
        found = [profile.inside(rest) for profile in self._profiles[edge]]
        return any(evidence is not None and evidence.goes_on_beyond(other) for evidence in found)

    def _is_dark_beyond(self, edge: Edge, chosen: Sequence[Edge]) -> bool:
        """Whether what lies beyond the edge is about as dark as the darkest of the field."""
        inside = np.min([one.distance_inside(self._points) for one in chosen], axis=0) > _BESIDE_PX
        beyond = edge.distance_inside(self._points) < -_BESIDE_PX
        if inside.mean() < _LEAST_FIELD or not beyond.any():
            return False
        low, dark, high = np.quantile(self._tone[inside], [0.05, _DARK_QUANTILE, 0.95])
        middle, lightest = np.quantile(self._tone[beyond], [0.5, _LIGHTEST_QUANTILE])
        # Behind a body's straight side there is air again.
        return bool(middle <= dark + _DARK_SLACK * (high - low) and lightest <= 0.5 * (high + min(low, middle)))


def _is_enough(evidence: EdgeEvidence, least: float, demand: _Demand) -> bool:
    is_there = evidence.lit_points >= least and evidence.lit_part >= demand.lit
    is_whole = evidence.against_part <= demand.against and evidence.on_curve_part >= demand.on_curve
    return is_there and is_whole and evidence.looks_like_lead


def _is_same(one: Edge, other: Edge) -> bool:
    if isinstance(one, Line) and isinstance(other, Line):
        is_parallel = np.dot(one.normal, other.normal) > np.cos(np.radians(_SAME_DEG))
        return bool(is_parallel and abs(one.offset - other.offset) < _SAME_PX)
    if isinstance(one, Circle) and isinstance(other, Circle):
        apart = np.linalg.norm(np.subtract(one.centre, other.centre))
        return bool(apart < _SAME_PX and abs(one.radius - other.radius) < _SAME_PX)
    return False


def _without(edges: Sequence[Edge], edge: Edge) -> list[Edge]:
    return [other for other in edges if other is not edge]
