"""How a registration went, as a small SVG that takes its colours from the page around it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from ..registration.result import Iteration

_WIDTH = 860
_LEFT, _RIGHT = 64, 12
_TOP, _PANEL, _GAP, _BOTTOM = 26, 130, 26, 40


def convergence_chart(iterations: Sequence[Iteration]) -> Markup:
    """Similarity and residual against the step, level by level; rejected steps are hollow. Empty for no iterations."""
    if not iterations:
        return Markup("")
    height = _TOP + 2 * _PANEL + _GAP + _BOTTOM
    levels = [list(steps) for _, steps in itertools.groupby(enumerate(iterations), key=lambda pair: pair[1].binning)]
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'aria-label="Similarity and residual at every step of the solver">'
    ]
    parts += _levels(levels, len(iterations))
    parts += _panel("Similarity", [step.similarity for step in iterations], levels, _TOP, "similarity")
    parts += _panel("Residual", [step.residual for step in iterations], levels, _TOP + _PANEL + _GAP, "residual")
    middle = _LEFT + (_WIDTH - _LEFT - _RIGHT) / 2
    parts.append(
        f'<text class="label" x="{middle:.0f}" y="{height - 6}" text-anchor="middle">Step of the solver</text>'
    )
    parts.append("</svg>")
    return Markup("\n".join(parts))


def line_chart(points: Sequence[tuple[float, float]], x_name: str, y_name: str, title: str) -> Markup:
    """One curve through `points`, both axes from 0. Empty for fewer than two points."""
    if len(points) < 2:
        return Markup("")
    height = _TOP + _PANEL + _BOTTOM
    furthest, highest = max(x for x, _ in points), 1.08 * max(y for _, y in points)
    width = _WIDTH - _LEFT - _RIGHT

    def place(x: float, y: float) -> tuple[float, float]:
        return _LEFT + x / furthest * width, _TOP + _PANEL * (1 - y / highest)

    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">']
    for tick in _ticks(0, highest):
        y = place(0, tick)[1]
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    for tick in _ticks(0, furthest):
        x = place(tick, 0)[0]
        parts.append(f'<text x="{x:.1f}" y="{_TOP + _PANEL + 16}" text-anchor="middle">{tick:.6g}</text>')
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    parts.append(f'<polyline class="similarity" points="{line}"/>')
    for point in points:
        x, y = place(*point)
        said = f"{x_name} {point[0]:.0f}: {y_name} {point[1]:.3g}"
        parts.append(
            f'<circle class="similarity" cx="{x:.1f}" cy="{y:.1f}" r="3.2"><title>{escape(said)}</title></circle>'
        )
    middle = _LEFT + width / 2
    parts.append(
        f'<text class="label" x="{middle:.0f}" y="{height - 6}" text-anchor="middle">{escape(x_name)}</text>'
        f'<text class="label" transform="translate(14 {_TOP + _PANEL / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_name)}</text>"
    )
    parts.append("</svg>")
    return Markup("\n".join(parts))


def _x(step: float, count: int) -> float:
    return _LEFT + (step + 0.5) / count * (_WIDTH - _LEFT - _RIGHT)


def _levels(levels: list[list[tuple[int, Iteration]]], count: int) -> list[str]:
    """A band and a name for each run of steps on one binning, and step numbers under both panels."""
    bottom = _TOP + 2 * _PANEL + _GAP
    parts = []
    for number, level in enumerate(levels):
        left, right = _x(level[0][0] - 0.5, count), _x(level[-1][0] + 0.5, count)
        if number % 2 == 0:
            parts.append(
                f'<rect class="band" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" height="{bottom - _TOP}"/>'
            )
        binning = level[0][1].binning
        name = "full resolution" if binning == 1 else f"{binning}×{binning} binned"
        # A narrow band has room for the factor alone.
        name = name if right - left > 90 else f"{binning}×"
        parts.append(f'<text x="{(left + right) / 2:.1f}" y="{_TOP - 9}" text-anchor="middle">{name}</text>')
    every = max(1, -(-count // 16))
    for step in range(0, count, every):
        parts.append(f'<text x="{_x(step, count):.1f}" y="{bottom + 16}" text-anchor="middle">{step + 1}</text>')
    return parts


def _panel(
    name: str, values: list[float], levels: list[list[tuple[int, Iteration]]], top: int, style: str
) -> list[str]:
    """One curve with its axis; a gap parts the levels, whose values cannot be compared."""
    finite = [value for value in values if np.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    margin = 0.08 * (high - low) or 0.5 * abs(high) or 1.0
    low, high = low - margin, high + margin

    def y(value: float) -> float:
        return top + _PANEL * (high - value) / (high - low)

    middle = top + _PANEL / 2
    parts = [
        f'<text class="label" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(name)}</text>"
    ]
    for tick in _ticks(low, high):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    for level in levels:
        shown = [(_x(i, len(values)), y(values[i]), step) for i, step in level if np.isfinite(values[i])]
        line = " ".join(f"{x:.1f},{height:.1f}" for x, height, _ in shown)
        parts.append(f'<polyline class="{style}" points="{line}"/>')
        for x, height, step in shown:
            kind = style if step.improved else f"{style} rejected"
            said = f"{name} {getattr(step, style):.5g}, {_step_in_words(step)}"
            parts.append(
                f'<circle class="{kind}" cx="{x:.1f}" cy="{height:.1f}" r="3.2"><title>{said}</title></circle>'
            )
    return parts


def _step_in_words(step: Iteration) -> str:
    outcome = "improved" if step.improved else "no improvement"
    return (
        f"binning {step.binning}, step {step.number}: "
        f"{step.rotation_step_deg:.3g}° and {step.translation_step_mm:.3g} mm, {outcome}"
    )


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round values between the two."""
    raw = (high - low) / 4
    magnitude = 10.0 ** np.floor(np.log10(raw))
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= raw)
    first = np.ceil(low / step) * step
    return [float(tick) for tick in np.arange(first, high + 1e-9 * step, step)]
