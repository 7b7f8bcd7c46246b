"""Where a template may begin when landmarks alone do not tell: of many places those that look most like the X-ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from DiffRegistrationLib.xray.geometry import Camera

from .evidence import Pixels
from .placed_template import PlacedTemplate

# So many places are looked at, turned and shifted by so much (standard deviations: degrees, mm), in turns.
_PLACES, _PLACES_AT_ANY_DEPTH = 400, 1000
_SPREADS = ((12.0, 15.0), (20.0, 20.0))
# Of the distance from the source, where it is not known (mean and standard deviation of its logarithm): a network
# that sees little takes heads for farther away than they are.
_NEARER = (-0.1, 0.15)


def places_about(begun: Sequence[PlacedTemplate], camera: Camera, *, at_any_depth: bool) -> list[PlacedTemplate]:
    """Those `begun` and many about them, nearer and farther ones too if `at_any_depth`; the same at every call."""
    random = np.random.default_rng(0)
    moved = []
    for number in range(_PLACES_AT_ANY_DEPTH if at_any_depth else _PLACES):
        turn_deg, shift_mm = _SPREADS[number % len(_SPREADS)]
        turn, shift = np.radians(random.normal(scale=turn_deg, size=3)), random.normal(scale=shift_mm, size=3)
        one = begun[number // len(_SPREADS) % len(begun)]
        one = one.moved(np.concatenate([turn, shift, np.zeros(len(one.shape.numbers))]))
        moved.append(_deeper(one, camera, np.exp(random.normal(*_NEARER))) if at_any_depth else one)
    return [*begun, *moved]


def _deeper(placed: PlacedTemplate, camera: Camera, times: float) -> PlacedTemplate:
    """So many times as far from the source, along the ray through its middle."""
    middle, source = placed.middle_and_source(camera)
    pose = placed.world_from_head.copy()
    pose[:3, 3] += (times - 1) * (middle - source)
    return replace(placed, world_from_head=pose)


def most_alike(places: Sequence[PlacedTemplate], pixels: Pixels, count: int) -> list[PlacedTemplate]:
    """The `count` of them that explain most of `pixels` as they are, before any is fitted."""
    explained = np.array([pixels.agreement_in_one_tone(placed) for placed in places])
    return [places[which] for which in np.argsort(-explained, kind="stable")[:count]]


def distinct(placed: Sequence[PlacedTemplate], apart_mm: float, count: int) -> list[PlacedTemplate]:
    """Of them, the first ones first, `count` at most that are another template or, by `apart_mm` on average over the
    landmarks, in another place than those before.
    """
    kept: list[PlacedTemplate] = []
    for one in placed:
        if len(kept) == count:
            break
        if not any(one.template is other.template and _apart_mm(one, other) < apart_mm for other in kept):
            kept.append(one)
    return kept


def _apart_mm(one: PlacedTemplate, other: PlacedTemplate) -> float:
    """Mean distance of their landmarks; both have the same template."""
    known = np.isfinite(one.template.points).all(axis=1)
    points, others = (placed.landmarks_with_jacobian[0][known] for placed in (one, other))
    return float(np.linalg.norm(points - others, axis=1).mean())
