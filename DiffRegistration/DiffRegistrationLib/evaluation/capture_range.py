"""From how far away a start still leads to the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from .confidence import wilson_interval
from .outcome import Outcome
from .summary import SUCCESS_MM


class StartDistance(StrEnum):
    """What of a start's distance from the truth is looked at: a field of `Outcome`."""

    MTRE = "start_mtre_mm"
    ROTATION = "start_rotation_deg"
    IN_PLANE = "start_in_plane_mm"
    DEPTH = "start_depth_mm"


@dataclass(frozen=True)
class CaptureBin:
    """The cases whose start lies between `low` and `high` (mm or degrees), `middle` being the median of them.

    `under_2mm` is the fraction that came out less than 2 mm off, `interval` its 95 % confidence interval, and
    `no_gross_failure` the fraction at most 10 mm off.
    """

    low: float
    high: float
    middle: float
    cases: int
    under_2mm: float
    interval: tuple[float, float]
    no_gross_failure: float


def equal_count_edges(outcomes: Sequence[Outcome], distance: StartDistance, bins: int) -> Float64[np.ndarray, "edges"]:
    """Edges of at most `bins` bins that hold about equally many of the outcomes; methods to compare share them.

    ValueError where an outcome has no such distance.
    """
    # Starts that lie equally far off would give empty bins, or none at all.
    edges = np.unique(np.quantile(_distances(outcomes, distance), np.linspace(0, 1, bins + 1)))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def capture_range(
    outcomes: Sequence[Outcome], distance: StartDistance, edges: Float64[np.ndarray, "edges"]
) -> list[CaptureBin]:
    """Success against the start's distance; a bin holds its lower edge, the last one both. Empty bins are left out.

    Depth counts without its sign. ValueError where an outcome has no such distance.
    """
    distances = _distances(outcomes, distance)
    mtre = np.array([outcome.mtre_mm for outcome in outcomes])
    gross = np.array([outcome.gross_failure for outcome in outcomes])
    found = []
    for low, high in pairwise(edges):
        inside = (distances >= low) & ((distances < high) | ((high == edges[-1]) & (distances == high)))
        cases, hits = int(inside.sum()), int((mtre[inside] < SUCCESS_MM).sum())
        if cases:
            found.append(
                CaptureBin(
                    float(low),
                    float(high),
                    float(np.median(distances[inside])),
                    cases,
                    hits / cases,
                    wilson_interval(hits, cases),
                    float(1 - gross[inside].mean()),
                )
            )
    return found


def _distances(outcomes: Sequence[Outcome], distance: StartDistance) -> Float64[np.ndarray, "n"]:
    values = [getattr(outcome, distance.value) for outcome in outcomes]
    if None in values:
        raise ValueError(f"an outcome has no {distance.value}: it did not begin near a known start")
    return np.abs(np.array(values, dtype=np.float64))
