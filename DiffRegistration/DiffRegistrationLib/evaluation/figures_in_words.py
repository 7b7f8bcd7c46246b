"""The figures of an evaluation as a person reads them: rows of a table, and the sentence at the top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .summary import Summary
from .target import Target

ABSENT = "–"
# Heading, then (words, key of the summary, unit) of each figure.
_MILLIMETRES, _DEGREES, _SECONDS, _PERCENT, _COUNT = " mm", "°", " s", " %", ""
ERRORS = (
    ("Cases", "cases", _COUNT),
    ("Median mTRE", "median_mtre_mm", _MILLIMETRES),
    ("95th percentile of mTRE", "p95_mtre_mm", _MILLIMETRES),
    ("Mean mTRE", "mean_mtre_mm", _MILLIMETRES),
    ("Less than 1 mm off", "under_1mm", _PERCENT),
    ("Less than 2 mm off", "under_2mm", _PERCENT),
    ("Less than 5 mm off", "under_5mm", _PERCENT),
    ("Gross failures (mTRE > 10 mm)", "gross_failure_rate", _PERCENT),
    ("Median in-plane error", "median_in_plane_mm", _MILLIMETRES),
    ("95th percentile in-plane", "p95_in_plane_mm", _MILLIMETRES),
    ("Median depth error (absolute)", "median_depth_mm", _MILLIMETRES),
    ("95th percentile of depth error", "p95_depth_mm", _MILLIMETRES),
    ("Mean depth error (+: too far from the source)", "mean_signed_depth_mm", _MILLIMETRES),
    ("Median rotation error", "median_rotation_deg", _DEGREES),
    ("95th percentile of rotation error", "p95_rotation_deg", _DEGREES),
    ("Median mPE (on the detector)", "median_mpe_mm", _MILLIMETRES),
    ("Median mRPE (back at the patient)", "median_mrpe_mm", _MILLIMETRES),
    ("Median time", "median_seconds", _SECONDS),
    ("95th percentile of time", "p95_seconds", _SECONDS),
)
VERDICTS = (
    ("Accepted", "accepted", _COUNT),
    ("Doubtful", "doubtful", _COUNT),
    ("Failed", "failed", _COUNT),
    ("Accepted although a gross failure", "gross_failures_accepted", _COUNT),
    ("Accepted although more than 2 mm off", "over_2mm_accepted", _COUNT),
    ("Accepted of those less than 1 mm off", "accepted_of_under_1mm", _PERCENT),
)
COMPARISON = (
    ("Shared cases", "cases", _COUNT),
    ("Closer to the truth", "closer", _PERCENT),
    ("Time of the peer / time of ours (median over the cases)", "median_seconds_ratio", "×"),
)
SIDES = (
    ("Median time", "median_seconds", _SECONDS),
    ("Median mTRE", "median_mtre_mm", _MILLIMETRES),
    ("Median in-plane error", "median_in_plane_mm", _MILLIMETRES),
    ("Median depth error (absolute)", "median_depth_mm", _MILLIMETRES),
    ("Median rotation error", "median_rotation_deg", _DEGREES),
    ("Less than 2 mm off", "under_2mm", _PERCENT),
    ("Gross failures (mTRE > 10 mm)", "gross_failure_rate", _PERCENT),
)


@dataclass(frozen=True)
class FigureRow:
    """A figure of all groups: its words, and for each group the value and, where there is one, its 95 % interval."""

    words: str
    cells: tuple[tuple[str, str], ...]


def rows(figures: Sequence[tuple[str, str, str]], summaries: Mapping[str, Summary]) -> list[FigureRow]:
    """One row for each of `figures`, one cell for each summary."""
    return [
        FigureRow(words, tuple((shown(found[key], unit), _interval(found, key)) for found in summaries.values()))
        for words, key, unit in figures
    ]


def shown(value: object, unit: str) -> str:
    """A figure with its unit: fractions as percentages, other numbers to two digits or more; a dash for None."""
    if value is None:
        return ABSENT
    if not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no figure")
    if unit == _PERCENT:
        return _percentage(value) + unit
    if unit == _COUNT:
        return str(value)
    decimals = 3 if abs(value) < 0.0995 else 2 if abs(value) < 100 else 0
    text = f"{value:.{decimals}f}"
    return (text if float(text) > 0 else text.lstrip("-") if float(text) == 0 else text.replace("-", "−")) + unit


def headline(name: str, found: Summary, suite: Mapping[str, object], targets: Sequence[Target]) -> str:
    """The figures of one group and whether targets are met, in a sentence."""
    return (
        f"Of {found['cases']} cases of the suite {suite['name']} {suite['version']}, “{name}” brings "
        f"{shown(found['under_2mm'], _PERCENT)} to less than 2 mm{_in_brackets(_interval(found, 'under_2mm'))}, with "
        f"a median mTRE of {shown(found['median_mtre_mm'], _MILLIMETRES)}, a 95th percentile of "
        f"{shown(found['p95_mtre_mm'], _MILLIMETRES)} and {shown(found['gross_failure_rate'], _PERCENT)} gross "
        f"failures{_in_brackets(_interval(found, 'gross_failure_rate'))}, in "
        f"{shown(found['median_seconds'], _SECONDS)} a case (median); {_targets_in_words(targets)}."
    )


def _targets_in_words(targets: Sequence[Target]) -> str:
    met = sum(target.met for target in targets)
    if not targets:
        return "no targets were set"
    if len(targets) == 1:
        return "its one target is met" if met else "its one target is missed"
    if met == len(targets):
        return f"all {met} targets are met"
    missed = ", ".join(target.name for target in targets if not target.met)
    return f"{met} of {len(targets)} targets are met, missed: {missed}"


def _interval(found: Summary, key: str) -> str:
    bounds = found.get(f"{key}_ci95")
    if not isinstance(bounds, list):
        return ""
    return f"{_percentage(bounds[0])}–{_percentage(bounds[1])} %"


def _in_brackets(interval: str) -> str:
    return f" (95 % interval {interval})" if interval else ""


def _percentage(fraction: float) -> str:
    """One decimal; all and nothing are said only of all and of nothing."""
    if 0 < fraction < 0.001:
        return "< 0.1"
    if 0.999 < fraction < 1:
        return "> 99.9"
    return f"{100 * fraction:.1f}" if 0 < fraction < 1 else f"{100 * fraction:.0f}"
