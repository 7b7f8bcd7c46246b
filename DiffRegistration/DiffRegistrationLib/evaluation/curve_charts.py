"""Groups of cases as curves: how many come how close, from how far away, in how many seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from ..registration.metrics import GROSS_FAILURE_MM
from .capture_range import StartDistance, capture_range, equal_count_edges
from .chart_axes import LEAST_MM, looks, mark_limits, millimetres, on_log_scale, panels
from .outcome import Outcome
from .summary import SUCCESS_MM, groups
from .themed_svg import as_svg

_CASES_PER_BIN, _MOST_BINS = 12, 8
_HISTOGRAM_BINS = 40
_DISTANCES = {
    StartDistance.MTRE: "mTRE of the start (mm)",
    StartDistance.ROTATION: "Rotation of the start (°)",
    StartDistance.DEPTH: "Depth of the start (mm)",
}


def capture_curves(outcomes: Sequence[Outcome]) -> Markup:
    """Success against the start's distance in bins of equal count, with 95 % bands. Empty without known starts."""
    look = looks(outcomes)
    near = groups(
        outcome
        for outcome in outcomes
        if None not in (outcome.start_mtre_mm, outcome.start_rotation_deg, outcome.start_depth_mm)
    )
    if not near:
        return Markup("")
    # All methods are asked at the same distances: those of the one with the most cases.
    largest = max(near.values(), key=len)
    bins = int(np.clip(len(largest) // _CASES_PER_BIN, 1, _MOST_BINS))
    drawn, axes = panels(len(_DISTANCES), 300, sharey=True)
    for panel, (distance, words) in zip(axes, _DISTANCES.items(), strict=True):
        edges = equal_count_edges(largest, distance, bins)
        for name, members in near.items():
            curve = capture_range(members, distance, edges)
            middles = [part.middle for part in curve]
            style = {**look[name], "linewidth": 1.8}
            low, high = zip(*(part.interval for part in curve), strict=True)
            panel.fill_between(
                middles, 100 * np.array(low), 100 * np.array(high), color=style["color"], alpha=0.16, lw=0
            )
            panel.plot(
                middles, [100 * part.under_2mm for part in curve], marker="o", markersize=4, label=name, **style
            )
            style |= {"linestyle": (0, (1, 2)), "linewidth": 1.4}
            panel.plot(middles, [100 * part.no_gross_failure for part in curve], **style)
        panel.set_xlabel(words)
        panel.set_xlim(left=0)
        panel.set_ylim(0, 104)
        panel.set_yticks(range(0, 101, 20))
    axes[0].set_ylabel("Cases (%)")
    _legend(drawn, axes[0], len(near))
    return as_svg(drawn, "capture-range", "Share of successes against the distance of the start")


def cumulative_errors(outcomes: Sequence[Outcome]) -> Markup:
    """The share of cases whose mTRE is at most x, a curve for each group."""
    found, look = groups(outcomes), looks(outcomes)
    drawn, (panel,) = panels(1, 360)
    high = 1.5 * max(GROSS_FAILURE_MM, *millimetres(outcomes, "mtre_mm"))
    for name, members in found.items():
        errors = np.sort(millimetres(members, "mtre_mm"))
        share = 100 * np.arange(len(errors) + 2) / len(errors)
        share[-1] = 100
        panel.step([LEAST_MM, *errors, high], share, where="post", label=name, linewidth=1.8, **look[name])
    on_log_scale(panel.xaxis, LEAST_MM, high)
    panel.set_ylim(0, 102)
    panel.set_yticks(range(0, 101, 20))
    panel.set_xlabel("mTRE (mm)")
    panel.set_ylabel("Cases with at most this mTRE (%)")
    mark_limits(panel, (1.0, SUCCESS_MM, GROSS_FAILURE_MM), along_x=True)
    _legend(drawn, panel, len(found))
    return as_svg(drawn, "cumulative-errors", "Share of cases with at most a given mTRE")


def seconds_histogram(outcomes: Sequence[Outcome]) -> Markup:
    """How long the cases took, as shares of each group on one logarithmic axis, with the medians as vertical lines."""
    found, look = groups(outcomes), looks(outcomes)
    drawn, (panel,) = panels(1, 300)
    every = np.maximum([outcome.seconds for outcome in outcomes], 1e-3)
    # Wide enough for at least three named ticks, whatever the times are.
    low, high = every.min() / 1.5, max(1.5 * every.max(), 6 * every.min())
    edges = np.geomspace(low, high, _HISTOGRAM_BINS + 1)
    for name, members in found.items():
        seconds = np.maximum([outcome.seconds for outcome in members], 1e-3)
        style = look[name]
        weights = np.full(len(seconds), 100 / len(seconds))
        shares, _ = np.histogram(seconds, edges, weights=weights)
        panel.stairs(shares, edges, fill=True, color=style["color"], alpha=0.14)
        panel.stairs(shares, edges, label=name, linewidth=1.6, edgecolor=style["color"], linestyle=style["linestyle"])
        panel.axvline(float(np.median(seconds)), linewidth=1.2, **style)
    on_log_scale(panel.xaxis, low, high)
    panel.set_xlabel("Seconds a case")
    panel.set_ylabel("Cases (%)")
    _legend(drawn, panel, len(found))
    return as_svg(drawn, "seconds", "How many seconds the cases took")


def _legend(drawn: Any, panel: Any, names: int) -> None:
    drawn.legend(handles=panel.get_legend_handles_labels()[0], loc="outside upper center", ncols=min(names, 4))
