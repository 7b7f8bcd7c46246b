"""The template laid over an X-ray: the pose, shape and mouth that explain its pixels and what a network found there.

Levenberg–Marquardt, coarse to fine, on −log of the posterior. Where too little is explained, other beginnings about
the first one are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from .evidence import Evidence, FoundLandmarks, Pixels, Term, usual_heads
from .placed_template import PlacedTemplate

# Pixels at the head (mm), distance of samples along rays (mm) and most steps, level by level.
_LEVELS = ((8.0, 4.0, 25), (4.0, 3.0, 20), (2.0, 2.0, 12))
_LANDMARK_STEPS = 12
# A step that gains less than this is the last one.
_SETTLED = 0.05
_DAMPING, _HARDER, _EASIER, _LEAST_DAMPING, _MOST_REFUSALS = 1e-3, 8.0, 5.0, 1e-6, 4
# Of the X-ray's edges: templates that explain so much less than the best one are given up.
_BEHIND = 0.15
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

    first = at_level(0, [_best(one, (found, usual_heads, *others), _LANDMARK_STEPS)[0] for one in begun])
    if not first:
        return None
    kept = [fit.placed for fit in first if fit.agreement >= first[0].agreement - _BEHIND]
    finer = at_level(1, kept) or first
    best = (at_level(2, [finer[0].placed]) or finer)[0]
    if best.agreement >= _EXPLAINED and found.shown >= _SHOWN:
        return best
    random = np.random.default_rng(0)
    elsewhere = [_moved(first[0].placed, random) for _ in range(_BEGINNINGS)]
    coarse = at_level(0, elsewhere)[:_GONE_ON_WITH]
    middle = at_level(1, [fit.placed for fit in coarse])[:1]
    return max([best, *at_level(2, [fit.placed for fit in middle])], key=lambda fit: fit.agreement)


def _moved(placed: PlacedTemplate, random: np.random.Generator) -> PlacedTemplate:
    """Somewhere about where it was."""
    turn, shift = np.radians(random.normal(scale=_TURN_DEG, size=3)), random.normal(scale=_SHIFT_MM, size=3)
    return placed.moved(np.concatenate([turn, shift, np.zeros(len(placed.shape.numbers))]))


def _fitted(level: int, placed: PlacedTemplate, radiograph: Radiograph, terms: Sequence[Term]) -> TemplateFit | None:
    """At one level; None where it has too few pixels."""
    pixel_mm, step_mm, iterations = _LEVELS[level]
    footprint = radiograph.camera.pixel_footprint_mm(placed.world_from_head[:3, 3])
    pixels = Pixels(radiograph, max(1, round(pixel_mm / footprint)), placed, step_mm)
    if not pixels.are_enough:
        return None
    placed, evidence = _best(placed, (pixels, *terms), iterations)
    return TemplateFit(placed, np.linalg.inv(evidence.hessian), pixels.compared(placed).agreement)


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
