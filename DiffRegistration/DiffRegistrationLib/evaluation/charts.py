"""The charts of an evaluation, each with its heading and a line on how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..xray.errors import InputError
from . import curve_charts, scatter_charts, verdict_chart
from .outcome import Outcome
from .themed_svg import style


@dataclass(frozen=True)
class Chart:
    """A chart as the page shows it."""

    heading: str
    reading: str
    svg: Markup


_CHARTS = (
    (
        "Error against the distance of the start",
        "Every point is a case; click on one for its line in the table. Points below the lower dashed line came "
        "within 2 mm, those above the upper one are gross failures. Errors below 0.01 mm lie on the edge.",
        scatter_charts.error_against_start,
    ),
    (
        "Capture range",
        "Solid: cases that came within 2 mm, in bins that hold equally many cases, with their 95 % intervals "
        "(Wilson). Dotted: cases that are no gross failures.",
        curve_charts.capture_curves,
    ),
    (
        "How many come how close",
        "The further to the upper left, the better. Dashed: nothing was told of the start.",
        curve_charts.cumulative_errors,
    ),
    (
        "Depth and in-plane error",
        "On the dashed line both are equal. What one view hardly shows is depth: such points lie above the line.",
        scatter_charts.depth_against_in_plane,
    ),
    (
        "Verdict against truth",
        "Counts of cases; the percentage and the shade are the share of the cases that are as far off. Framed: poses "
        "that were accepted although they are more than 2 mm off.",
        verdict_chart.verdict_against_truth,
    ),
    (
        "Time",
        "Vertical lines are medians. The axis is logarithmic.",
        curve_charts.seconds_histogram,
    ),
)


def all_charts(outcomes: Sequence[Outcome]) -> list[Chart]:
    """The charts that these outcomes allow: without near starts none of them, without verdicts no matrix.

    InputError where matplotlib is not installed, ValueError for no outcomes.
    """
    if not outcomes:
        raise ValueError("no outcomes to draw")
    try:
        import matplotlib
    except ImportError as missing:
        raise InputError(
            "The report's charts",
            "the package matplotlib is not installed",
            "Install it: pip install 'fluororegistration[evaluation]'.",
        ) from missing
    with matplotlib.rc_context(style()):
        drawn = [Chart(heading, reading, draw(outcomes)) for heading, reading, draw in _CHARTS]
    return [chart for chart in drawn if chart.svg]
