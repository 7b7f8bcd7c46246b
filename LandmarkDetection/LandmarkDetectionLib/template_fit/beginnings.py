"""Where a template may begin when landmarks alone do not tell: of many places those that look most like the X-ray."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .evidence import Pixels
from .placed_template import PlacedTemplate

# So many places are looked at, turned and shifted by so much (standard deviations: degrees, mm), in turns.
_PLACES = 400
_SPREADS = ((12.0, 15.0), (20.0, 20.0))


def places_about(begun: Sequence[PlacedTemplate]) -> list[PlacedTemplate]:
    """Those `begun` and many about them, the same at every call."""
    random = np.random.default_rng(0)
    moved = []
    for number in range(_PLACES):
        turn_deg, shift_mm = _SPREADS[number % len(_SPREADS)]
        turn, shift = np.radians(random.normal(scale=turn_deg, size=3)), random.normal(scale=shift_mm, size=3)
        one = begun[number // len(_SPREADS) % len(begun)]
        moved.append(one.moved(np.concatenate([turn, shift, np.zeros(len(one.shape.numbers))])))
    return [*begun, *moved]


def most_alike(places: Sequence[PlacedTemplate], pixels: Pixels, count: int) -> list[PlacedTemplate]:
    """The `count` of them that explain most of `pixels` as they are, before any is fitted."""
    explained = np.array([pixels.agreement_in_one_tone(placed) for placed in places])
    return [places[which] for which in np.argsort(-explained, kind="stable")[:count]]


def distinct(fitted: Sequence[PlacedTemplate], apart_mm: float, count: int) -> list[int]:
    """Which of them, the first ones first, are another place than those before: landmarks lie `apart_mm` on average;
    `count` at most.
    """
    kept: list[int] = []
    points = [placed.landmarks() for placed in fitted]
    for which, one in enumerate(points):
        if len(kept) == count:
            break
        if all(np.nanmean(np.linalg.norm(one - points[other], axis=1)) > apart_mm for other in kept):
            kept.append(which)
    return kept
