"""The template laid over an X-ray: the pose, shape and mouth that explain its pixels and what a network found there.

Levenberg–Marquardt, coarse to fine, on −log of the posterior. Where too little is explained, or found reliably, many
places about those that landmarks give are tried, and the twin where the landmarks found allow it; the likeliest is
taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from .beginnings import distinct, most_alike, places_about
from .evidence import Evidence, FoundLandmarks, Pixels, Term, usual_heads
from .placed_template import PlacedTemplate
from .twin import twin

# Pixels at the head (mm), distance of samples along rays (mm) and most steps, level by level.
_LEVELS = ((8.0, 4.0, 25), (4.0, 3.0, 20), (2.0, 2.0, 20))
_FINEST = len(_LEVELS) - 1
# An X-ray has so many pixels across at least.
_LEAST_ACROSS = 16
_LANDMARK_STEPS = 12
# A step that gains less than this is the last one.
_SETTLED = 0.05
_DAMPING, _HARDER, _EASIER, _LEAST_DAMPING, _MOST_REFUSALS = 1e-3, 8.0, 5.0, 1e-6, 4
# Of the X-ray's edges: templates that explain so much less than the best one are given up.
_BEHIND = 0.15
# How much less likely (in −log) the landmarks found may make a twin that is tried.
_POSSIBLE = 30.0
# As if an X-ray had so many edges that err independently of each other, and so much of each landmark counted, where
# places are judged; no template leaves less unexplained.
_INDEPENDENT, _JUDGED_BY, _LEAST_UNEXPLAINED = 70.0, 0.5, 1e-3
# What explains less than this, or begins with landmarks that are not reliable, begins again from so many places; so
# many of them go on to each finer level, other places than the likelier ones by so much.
_EXPLAINED = 0.5
_BEGINNINGS, _GONE_ON_WITH, _APART_MM = 50, (8, 3), 4.0
# Rays are chosen by so many of the places.
_ASKED_FOR_RAYS = 30


@dataclass(frozen=True, eq=False)
class TemplateFit:
    """`placed` with the covariance of a step from there, and how much of the X-ray's edges it explains (1: all)."""

    placed: PlacedTemplate
    covariance: Float64[np.ndarray, "p p"]
    agreement: float

    @property
    def is_convincing(self) -> bool:
        """Whether it explains so much that another place need not be looked for."""
        return self.agreement >= _EXPLAINED


def best_fit(
    begun: Sequence[PlacedTemplate],
    radiograph: Radiograph,
    found: FoundLandmarks,
    depth: Term | None = None,
    *,
    looks_further: bool = False,
) -> TemplateFit | None:
    """The one of templates `begun` roughly in place that explains the X-ray best; None where too little is usable.

    `depth` speaks, where it is known, beside the pixels, the landmarks `found` and how heads are. Other places are
    looked for where little is explained, or if it `looks_further` anyway; at other depths, too, unless it is known.
    """
    how_heads_are = (usual_heads,) if depth is None else (usual_heads, depth)

    def at_level(level: int, placed: Sequence[PlacedTemplate]) -> list[TemplateFit]:
        """Those that could be compared, the one that explains most first."""
        fits = [fit for one in placed if (fit := _fitted(level, one, radiograph, (found, *how_heads_are)))]
        return sorted(fits, key=lambda fit: -fit.agreement)

    def likeliest(level: int, fits: Sequence[TemplateFit]) -> list[TemplateFit]:
        """The likeliest place first, all judged on the same pixels."""
        if len(fits) < 2:
            return list(fits)
        pixels = _pixels(level, radiograph, [fit.placed for fit in fits])
        if not pixels.are_enough:
            return list(fits)
        cost = [_unlikeliness(pixels.agreement(fit.placed), fit.placed, found, how_heads_are) for fit in fits]
        return [fits[which] for which in np.argsort(cost, kind="stable")]

    def through_levels(placed: Sequence[PlacedTemplate]) -> list[TemplateFit]:
        """The likeliest few after each level."""
        for level, count in enumerate(_GONE_ON_WITH):
            placed = distinct([fit.placed for fit in likeliest(level, at_level(level, placed))], _APART_MM, count)
        return at_level(_FINEST, placed)

    by_landmarks = [_best(one, (found, *how_heads_are), _LANDMARK_STEPS)[0] for one in begun]
    first = at_level(0, by_landmarks)
    if not first:
        return None
    kept = [fit.placed for fit in first if fit.agreement >= first[0].agreement - _BEHIND]
    finer = at_level(1, kept) or first
    fits = (at_level(_FINEST, [finer[0].placed]) or finer)[:1]
    if looks_further or not fits[0].is_convincing:
        # Of the templates that were kept, the one that explains most first.
        about = [one for placed in kept for one in by_landmarks if one.template is placed.template]
        fits = likeliest(_FINEST, fits + through_levels(_beginnings(about, radiograph, at_any_depth=depth is None)))
    other = twin(fits[0].placed, radiograph.camera)
    if found(other).cost - found(fits[0].placed).cost <= found.share * _POSSIBLE:
        fits = likeliest(_FINEST, fits + through_levels([other]))
    return fits[0]


def _unlikeliness(agreement: float, placed: PlacedTemplate, found: FoundLandmarks, others: Sequence[Term]) -> float:
    """Of a place against others altogether (−log): the X-ray counts by the log of what is left unexplained, whose
    scale is not known, and landmarks more than along the way from one place. Both weights were chosen together, on
    X-rays of which little is seen.
    """
    unexplained = max(1 - agreement, _LEAST_UNEXPLAINED)
    terms: tuple[Term, ...] = (replace(found, share=_JUDGED_BY), *others)
    return _INDEPENDENT * float(np.log(unexplained)) + sum(term(placed).cost for term in terms)


def _beginnings(
    by_landmarks: Sequence[PlacedTemplate], radiograph: Radiograph, *, at_any_depth: bool
) -> list[PlacedTemplate]:
    """Places about these that look most like the X-ray; none where it has too few pixels."""
    places = places_about(by_landmarks, radiograph.camera, at_any_depth=at_any_depth)
    pixels = _pixels(0, radiograph, places[:_ASKED_FOR_RAYS])
    return most_alike(places, pixels, _BEGINNINGS) if pixels.are_enough else []


def _fitted(level: int, placed: PlacedTemplate, radiograph: Radiograph, terms: Sequence[Term]) -> TemplateFit | None:
    """At one level; None where it has too few pixels, or begins where nothing can be told."""
    pixels = _pixels(level, radiograph, [placed])
    if not pixels.are_enough:
        return None
    placed, evidence = _best(placed, (pixels, *terms), _LEVELS[level][2])
    if not np.isfinite(evidence.cost):
        return None
    return TemplateFit(placed, np.linalg.inv(evidence.hessian), pixels.agreement(placed))


def _pixels(level: int, radiograph: Radiograph, compared: Sequence[PlacedTemplate]) -> Pixels:
    """Those of one level, or smaller ones where the X-ray shows a small part of a head."""
    pixel_mm, step_mm, _ = _LEVELS[level]
    footprint = radiograph.camera.pixel_footprint_mm(compared[0].world_from_head[:3, 3])
    across = footprint * float(np.sqrt(radiograph.mask.sum()))
    binning = max(1, round(min(pixel_mm, across / _LEAST_ACROSS) / footprint))
    return Pixels(radiograph, binning, compared, step_mm)


def _best(placed: PlacedTemplate, terms: Sequence[Term], iterations: int) -> tuple[PlacedTemplate, Evidence]:
    def all_of(one: PlacedTemplate) -> Evidence:
        return reduce(add, (term(one) for term in terms))

    current = all_of(placed)
    if not np.isfinite(current.cost):
        return placed, current
    damping, refusals = _DAMPING, 0
    for _ in range(iterations):
        H = current.hessian + np.diag(damping * np.diag(current.hessian) + 1e-9)
        candidate = placed.moved(np.linalg.solve(H, -current.gradient))
        tried = all_of(candidate)
        gain = current.cost - tried.cost
        if gain > 0:
            placed, current = candidate, tried
            damping, refusals = max(damping / _EASIER, _LEAST_DAMPING), 0
            if gain < _SETTLED:
                break
        else:
            damping, refusals = damping * _HARDER, refusals + 1
            if refusals >= _MOST_REFUSALS:
                break
    return placed, current
