"""What a method made of all cases, in the figures that the project reports and no fewer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..registration.result import Verdict
from .confidence import wilson_interval
from .outcome import Outcome

Summary = dict[str, float | int | list[float] | None]
SUCCESS_MM = 2.0


def groups(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes by method and kind of start, named as in "ours, near", in the order of their first appearance."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(group_name(outcome), []).append(outcome)
    return found


def group_name(outcome: Outcome) -> str:
    """Method and kind of start, as in "ours, near"."""
    return f"{outcome.method}, {outcome.start}"


def summary(outcomes: Sequence[Outcome]) -> Summary:
    """The figures of one method from one kind of start.

    Lengths are in mm, angles in degrees; `under_…` and `gross_failure_rate` are fractions of all cases, with their
    95 % intervals as [low, high] under `…_ci95`; percentiles are interpolated linearly. Depth is absolute but for
    `mean_signed_depth_mm` (positive: found too far from the source). `accepted`, `doubtful`, `failed`,
    `gross_failures_accepted` and `over_2mm_accepted` are counts, `accepted_of_under_1mm` a fraction; all six are None
    for a method that passes no verdicts, the last also where no case is under 1 mm. `mpe_mm` is summed up over the
    cases that have one. ValueError for no outcomes, for those of several groups, or for an error that is not finite.
    """
    check_one_group(outcomes)
    mtre = _finite(outcomes, "mtre_mm")
    in_plane, rotation, seconds = (_finite(outcomes, name) for name in ("in_plane_mm", "rotation_deg", "seconds"))
    depth = _finite(outcomes, "depth_mm")
    mpe = _finite([outcome for outcome in outcomes if outcome.mpe_mm is not None], "mpe_mm")
    count = len(outcomes)
    under = {limit: int((mtre < limit).sum()) for limit in (1, SUCCESS_MM, 5)}
    gross = sum(outcome.gross_failure for outcome in outcomes)
    figures: Summary = {
        "cases": count,
        "median_mtre_mm": _percentile(mtre, 50),
        "p95_mtre_mm": _percentile(mtre, 95),
        "mean_mtre_mm": float(mtre.mean()),
        "under_1mm": under[1] / count,
        "under_2mm": under[SUCCESS_MM] / count,
        "under_2mm_ci95": list(wilson_interval(under[SUCCESS_MM], count)),
        "under_5mm": under[5] / count,
        "gross_failure_rate": gross / count,
        "gross_failure_rate_ci95": list(wilson_interval(gross, count)),
        "median_in_plane_mm": _percentile(in_plane, 50),
        "p95_in_plane_mm": _percentile(in_plane, 95),
        "median_depth_mm": _percentile(np.abs(depth), 50),
        "p95_depth_mm": _percentile(np.abs(depth), 95),
        "mean_signed_depth_mm": float(depth.mean()),
        "median_rotation_deg": _percentile(rotation, 50),
        "p95_rotation_deg": _percentile(rotation, 95),
        "median_mpe_mm": _percentile(mpe, 50) if len(mpe) else None,
        "median_mrpe_mm": _percentile(_finite(outcomes, "mrpe_mm"), 50),
        "median_seconds": _percentile(seconds, 50),
        "p95_seconds": _percentile(seconds, 95),
    }
    return figures | _verdicts(outcomes)


def check_one_group(outcomes: Sequence[Outcome]) -> None:
    """ValueError unless the outcomes are those of one method from one kind of start, each case once."""
    names = sorted({group_name(outcome) for outcome in outcomes})
    if len(names) != 1:
        raise ValueError(f"expected outcomes of one method and one kind of start, got {names}")
    if len({outcome.case for outcome in outcomes}) < len(outcomes):
        raise ValueError(f"{names[0]}: a case is there more than once")


def _verdicts(outcomes: Sequence[Outcome]) -> Summary:
    """Whether the verdicts can be believed. A method that judges some of its poses judges all of them."""
    names = [verdict.value for verdict in Verdict]
    if all(outcome.verdict is None for outcome in outcomes):
        nothing = (*names, "gross_failures_accepted", "over_2mm_accepted", "accepted_of_under_1mm")
        return dict.fromkeys(nothing)
    for outcome in outcomes:
        if outcome.verdict not in names:
            raise ValueError(f"case {outcome.case} of {group_name(outcome)}: verdict {outcome.verdict!r}")
    accepted = [outcome for outcome in outcomes if outcome.verdict == Verdict.ACCEPTED]
    close = [outcome for outcome in outcomes if outcome.mtre_mm < 1]
    return {
        **{name: sum(outcome.verdict == name for outcome in outcomes) for name in names},
        "gross_failures_accepted": sum(outcome.gross_failure for outcome in accepted),
        "over_2mm_accepted": sum(outcome.mtre_mm > SUCCESS_MM for outcome in accepted),
        "accepted_of_under_1mm": (
            sum(outcome.verdict == Verdict.ACCEPTED for outcome in close) / len(close) if close else None
        ),
    }


def _finite(outcomes: Sequence[Outcome], name: str) -> np.ndarray:
    """One quantity of all outcomes. A NaN would pass for a success in every count above, so it may not enter."""
    values = np.array([getattr(outcome, name) for outcome in outcomes], dtype=np.float64)
    for outcome, value in zip(outcomes, values, strict=True):
        if not np.isfinite(value):
            raise ValueError(f"case {outcome.case} of {group_name(outcome)}: {name} is {value}")
    return values


def _percentile(values: np.ndarray, percent: float) -> float:
    return float(np.percentile(values, percent))
