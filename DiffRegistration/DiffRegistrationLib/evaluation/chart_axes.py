"""What the charts of an evaluation share: panels, logarithmic axes that a person can read, the look of a method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .outcome import NONE, Outcome
from .summary import groups
from .themed_svg import METHODS, colour, figure

# Nobody tells errors below this apart: they lie on the edge of the chart.
LEAST_MM = 0.01
_MOST_TICKS = 7


def panels(count: int, height: float, **shared: Any) -> tuple[Any, list[Any]]:
    """A figure with `count` axes in rows of up to three, each `height` pixels high; returns it and the axes."""
    columns = _columns(count)
    rows = -(-count // columns)
    drawn = figure(rows * height)
    axes = list(drawn.subplots(rows, columns, squeeze=False, **shared).flat)
    for spare in axes[count:]:
        spare.remove()
    return drawn, axes[:count]


def _columns(count: int) -> int:
    return count if count <= 3 else 2 if count == 4 else 3


def name_outer(axes: Sequence[Any], x: str, y: str) -> None:
    """Numbers and names of shared axes on the left panels, and on those that have no other below them."""
    columns = _columns(len(axes))
    for number, panel in enumerate(axes):
        left, lowest = number % columns == 0, number + columns >= len(axes)
        panel.tick_params(labelleft=left, labelbottom=lowest)
        panel.set(xlabel=x if lowest else "", ylabel=y if left else "")


def on_log_scale(axis: Any, low: float, high: float) -> None:
    """Make an x or y axis logarithmic from `low` to `high`, with plain numbers at 1-2-5 steps or decades."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low, high)})
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    ticks = [tick for tick in steps if 0.999 * low <= tick <= 1.001 * high]
    if len(ticks) > _MOST_TICKS:
        ticks = [10.0**power for power in powers if 0.999 * low <= 10.0**power <= 1.001 * high]
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)


def millimetres(outcomes: Iterable[Outcome], name: str) -> np.ndarray:
    """One error of all outcomes for a logarithmic axis: without its sign, and at least LEAST_MM."""
    return np.maximum(np.abs([getattr(outcome, name) for outcome in outcomes]), LEAST_MM)


def mark_limits(axes: Any, limits: Sequence[float], along_x: bool) -> None:
    """Dashed lines at `limits` (mm), named outside the axes where they can lie on no point."""
    for limit in limits:
        line = axes.axvline if along_x else axes.axhline
        line(limit, color=colour("soft"), linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            f"{limit:g} mm",
            (limit, 1) if along_x else (1, limit),
            xycoords=("data", "axes fraction") if along_x else ("axes fraction", "data"),
            xytext=(0, 4) if along_x else (4, 0),
            textcoords="offset points",
            ha="center" if along_x else "left",
            va="bottom" if along_x else "center",
            color=colour("soft"),
            fontsize=11,
        )


def looks(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Colour and dashes of every group's line: a colour for each method, dashes where no start was told."""
    methods = list(dict.fromkeys(outcome.method for outcome in outcomes))
    return {
        name: {
            "color": colour(f"method-{methods.index(members[0].method) % METHODS}"),
            "linestyle": (0, (5, 2)) if members[0].start == NONE else "solid",
        }
        for name, members in groups(outcomes).items()
    }
