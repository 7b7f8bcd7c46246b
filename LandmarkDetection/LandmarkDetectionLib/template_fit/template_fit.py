"""The template laid over an X-ray: the pose, shape and mouth that explain its pixels and what a network found there.

Levenberg–Marquardt, coarse to fine, on −log of the posterior. The twin is tried where the landmarks found allow it,
and where too little is explained other beginnings about the first one; the likeliest is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from .evidence import Evidence, FoundLandmarks, Pixels, Term, usual_heads
from .placed_template import PlacedTemplate
from .twin import twin

# Pixels at the head (mm), distance of samples along rays (mm) and most steps, level by level.
_LEVELS = ((8.0, 4.0, 25), (4.0, 3.0, 20), (2.0, 2.0, 12))
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
# As if an X-ray had so many edges that err independently of each other, where places are judged; no template leaves
# less unexplained.
_INDEPENDENT, _LEAST_UNEXPLAINED = 60.0, 1e-3
# What explains less than this, or shows less of the head, begins again from so many places, turned and shifted by so
# much (standard deviations); the best few of them are gone on with.
_EXPLAINED, _SHOWN = 0.5, 0.4
_BEGINNINGS, _GONE_ON_WITH, _TURN_DEG, _SHIFT_MM = 10, 3, 12.0, 15.0


@dataclass(frozen=True, eq=False)
class TemplateFit:
    """`placed` with the covariance of a step from there, and how much of the X-ray's edges it explains (1: all)."""

    placed: PlacedTemplate
    covariance: Float64[np.ndarray, "p p"]
    agreement: float

    @property
    def is_convincing(self) -> bool:
        """Whether it explains so much that no other place is looked for."""
        return self.agreement >= _EXPLAINED


def best_fit(
    begun: Sequence[PlacedTemplate], radiograph: Radiograph, found: FoundLandmarks, others: Sequence[Term] = ()
) -> TemplateFit | None:
    """The one of templates `begun` roughly in place that explains the X-ray best; None where too little is usable.

    `others` speak beside the pixels, the landmarks `found` and how heads are.
    """

    def at_level(level: int, placed: Sequence[PlacedTemplate]) -> list[TemplateFit]:
        """Those that could be compared, the best one first."""
        fits = [fit for one in placed if (fit := _fitted(level, one, radiograph, (found, usual_heads, *others)))]
        return sorted(fits, key=lambda fit: -fit.agreement)

    def through_levels(placed: Sequence[PlacedTemplate]) -> list[TemplateFit]:
        """The best few of them after the coarsest level, the best one of these after the next."""
        coarse = at_level(0, placed)[:_GONE_ON_WITH]
        middle = at_level(1, [fit.placed for fit in coarse])[:1]
        return at_level(_FINEST, [fit.placed for fit in middle])

    first = at_level(0, [_best(one, (found, usual_heads, *others), _LANDMARK_STEPS)[0] for one in begun])
    if not first:
        return None
    kept = [fit.placed for fit in first if fit.agreement >= first[0].agreement - _BEHIND]
    finer = at_level(1, kept) or first
    fits = (at_level(_FINEST, [finer[0].placed]) or finer)[:1]
    other = twin(fits[0].placed, radiograph.camera)
    if found(other).cost - found(fits[0].placed).cost <= found.share * _POSSIBLE:
        fits += through_levels([other])
    if not fits[0].is_convincing or found.shown < _SHOWN:
        random = np.random.default_rng(0)
        fits += through_levels([_moved(first[0].placed, random) for _ in range(_BEGINNINGS)])
    return _likeliest(fits, radiograph, found, (usual_heads, *others))


def _likeliest(
    fits: Sequence[TemplateFit], radiograph: Radiograph, found: FoundLandmarks, others: Sequence[Term]
) -> TemplateFit:
    """All judged on the same pixels. Against another place altogether a network's errors do not weigh, so that each
    landmark counts fully; the X-ray counts by the log of what each leaves unexplained, whose scale is not known.
    """
    if len(fits) == 1:
        return fits[0]
    pixels = _pixels(_FINEST, radiograph, [fit.placed for fit in fits])
    if not pixels.are_enough:
        return fits[0]
    terms: tuple[Term, ...] = (replace(found, share=1.0), *others)

    def cost(fit: TemplateFit) -> float:
        unexplained = max(1 - pixels.agreement(fit.placed), _LEAST_UNEXPLAINED)
        return _INDEPENDENT * float(np.log(unexplained)) + sum(term(fit.placed).cost for term in terms)

    return min(fits, key=cost)


def _moved(placed: PlacedTemplate, random: np.random.Generator) -> PlacedTemplate:
    """Somewhere about where it was."""
    turn, shift = np.radians(random.normal(scale=_TURN_DEG, size=3)), random.normal(scale=_SHIFT_MM, size=3)
    return placed.moved(np.concatenate([turn, shift, np.zeros(len(placed.shape.numbers))]))


def _fitted(level: int, placed: PlacedTemplate, radiograph: Radiograph, terms: Sequence[Term]) -> TemplateFit | None:
    """At one level; None where it has too few pixels."""
    pixels = _pixels(level, radiograph, [placed])
    if not pixels.are_enough:
        return None
    placed, evidence = _best(placed, (pixels, *terms), _LEVELS[level][2])
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
