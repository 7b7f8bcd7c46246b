"""The template laid over an X-ray: the pose, shape and mouth that explain its pixels and what a network found there.

Levenberg–Marquardt, coarse to fine, on −log of the posterior.
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

# Pixels at the head, samples along rays and steps, level by level.
_LEVELS = ((5.0, 3.0, 14), (2.5, 2.5, 12))
_FEWEST_PIXELS = 150
# A step that gains less than this is the last one.
_SETTLED = 0.05
_DAMPING, _HARDER, _EASIER, _LEAST_DAMPING, _MOST_REFUSALS = 1e-3, 8.0, 5.0, 1e-6, 4


@dataclass(frozen=True, eq=False)
class TemplateFit:
    """`placed` with the covariance of a step from there, and how much of the X-ray's edges it explains (1: all)."""

    placed: PlacedTemplate
    covariance: Float64[np.ndarray, "p p"]
    agreement: float


def fitted_to_landmarks(placed: PlacedTemplate, found: FoundLandmarks, others: Sequence[Term] = ()) -> PlacedTemplate:
    """From roughly the right place to where the landmarks found are."""
    return _best(placed, (found, usual_heads, *others), 12)[0]


def fitted_to_pixels(
    placed: PlacedTemplate,
    radiograph: Radiograph,
    found: FoundLandmarks,
    others: Sequence[Term] = (),
    levels: slice = slice(None),
) -> TemplateFit | None:
    """From where landmarks are to what the pixels show; None where too few of them are usable."""
    footprint = radiograph.camera.pixel_footprint_mm(placed.world_from_head[:3, 3])
    fit: TemplateFit | None = None
    for pixel_mm, step_mm, iterations in _LEVELS[levels]:
        pixels = Pixels(radiograph, max(1, round(pixel_mm / footprint)), placed, step_mm)
        if np.count_nonzero(pixels.mask) < _FEWEST_PIXELS:
            return fit
        placed, evidence = _best(placed, (pixels, found, usual_heads, *others), iterations)
        fit = TemplateFit(placed, np.linalg.inv(evidence.hessian), pixels.compared(placed).agreement)
    return fit


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
