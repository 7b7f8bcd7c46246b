"""Every case as a point that shows its verdict, by shape as well as by colour, and leads to its line in the table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from ..registration.metrics import GROSS_FAILURE_MM
from ..registration.result import Verdict
from .chart_axes import LEAST_MM, mark_limits, millimetres, name_outer, on_log_scale, panels
from .outcome import Outcome
from .summary import SUCCESS_MM, group_name, groups
from .themed_svg import as_svg, colour

# Words, shape, area and colour.
_MARKS: dict[str | None, tuple[str, str, float, str]] = {
    Verdict.ACCEPTED: ("accepted", "o", 30, "accepted-mark"),
    Verdict.DOUBTFUL: ("doubtful", "s", 30, "doubtful-mark"),
    Verdict.FAILED: ("failed", "X", 48, "failed-mark"),
    None: ("no verdict", "o", 30, "unjudged-mark"),
}


def anchor(outcome: Outcome) -> str:
    """The name of a case's line in the page's table, as in "ours-near-case-12"."""
    return re.sub(r"\W+", "-", f"{group_name(outcome)} case {outcome.case}")


def error_against_start(outcomes: Sequence[Outcome]) -> Markup:
    """mTRE against the start's, a panel for each group that has starts. Empty if none has."""
    near = groups(outcome for outcome in outcomes if outcome.start_mtre_mm is not None)
    if not near:
        return Markup("")
    every = [outcome for members in near.values() for outcome in members]
    drawn, axes = panels(len(near), 330, sharex=True, sharey=True)
    for panel, (name, members) in zip(axes, near.items(), strict=True):
        starts = [outcome.start_mtre_mm for outcome in members]
        _scatter(panel, members, starts, millimetres(members, "mtre_mm"))
        panel.set_title(name)
        panel.set_xlim(0, 1.05 * max(outcome.start_mtre_mm or 0 for outcome in every))
        on_log_scale(panel.yaxis, _lowest(every, "mtre_mm"), _highest(every, "mtre_mm"))
        mark_limits(panel, (SUCCESS_MM, GROSS_FAILURE_MM), along_x=False)
    name_outer(axes, "mTRE of the start (mm)", "mTRE of the result (mm)")
    _legend(drawn, every)
    return as_svg(drawn, "error-against-start", "mTRE of the result against mTRE of the start, a point for each case")


def depth_against_in_plane(outcomes: Sequence[Outcome]) -> Markup:
    """Absolute depth error against in-plane error, a panel for each group; on the line both are equal."""
    found = groups(outcomes)
    drawn, axes = panels(len(found), 330, sharex=True, sharey=True)
    low = min(_lowest(outcomes, "depth_mm"), _lowest(outcomes, "in_plane_mm"))
    high = max(_highest(outcomes, "depth_mm"), _highest(outcomes, "in_plane_mm"))
    for panel, (name, members) in zip(axes, found.items(), strict=True):
        panel.plot([low, high], [low, high], color=colour("soft"), linewidth=0.9, linestyle=(0, (4, 3)))
        _scatter(panel, members, millimetres(members, "in_plane_mm"), millimetres(members, "depth_mm"))
        panel.set_title(name)
        on_log_scale(panel.xaxis, low, high)
        on_log_scale(panel.yaxis, low, high)
    name_outer(axes, "In-plane error (mm)", "Depth error (mm)")
    _legend(drawn, outcomes)
    return as_svg(drawn, "depth-against-in-plane", "Depth error against in-plane error, a point for each case")


def _scatter(panel: Any, members: Sequence[Outcome], x: Any, y: Any) -> None:
    for verdict, (_, marker, area, tone) in _MARKS.items():
        chosen = [number for number, outcome in enumerate(members) if outcome.verdict == verdict]
        if chosen:
            points = panel.scatter(
                [x[number] for number in chosen],
                [y[number] for number in chosen],
                s=area,
                marker=marker,
                color=colour(tone),
                edgecolors=colour("card"),
                linewidths=0.6,
                # Points on the edge are whole, and above the axis.
                clip_on=False,
                zorder=3,
            )
            points.set_urls([f"#{anchor(members[number])}" for number in chosen])


def _legend(drawn: Any, outcomes: Sequence[Outcome]) -> None:
    from matplotlib.lines import Line2D

    there = {outcome.verdict for outcome in outcomes}
    drawn.legend(
        handles=[
            Line2D([], [], linestyle="", marker=marker, color=colour(tone), markeredgewidth=0, label=words)
            for verdict, (words, marker, _, tone) in _MARKS.items()
            if verdict in there
        ],
        loc="outside upper center",
        ncols=len(_MARKS),
    )


def _lowest(outcomes: Sequence[Outcome], name: str) -> float:
    """The power of ten below all errors, from LEAST_MM on."""
    return max(LEAST_MM, float(10.0 ** np.floor(np.log10(millimetres(outcomes, name).min()))))


def _highest(outcomes: Sequence[Outcome], name: str) -> float:
    """The end of an axis that holds all errors, and the limits that are marked on it."""
    return 1.5 * max(GROSS_FAILURE_MM, *millimetres(outcomes, name))
