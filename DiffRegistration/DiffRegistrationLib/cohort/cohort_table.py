"""The outcomes of a cohort as a CSV table."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from ..xray.files.atomic import atomic_write
from .outcome import Outcome

TABLE = "cohort.csv"
# The first three rows of world_from_ct; the last is always 0 0 0 1.
_POSE = tuple((row, column) for row in range(3) for column in range(4))
HEADING = (
    *("case", "kind", "status", "verdict", "reason", "similarity", "largest_std_deg", "largest_std_mm"),
    *("seconds", "start", "report", *(f"pose_{row + 1}{column + 1}" for row, column in _POSE)),
)


def largest_std(outcome: Outcome) -> tuple[float | None, float | None]:
    """The largest standard deviations of the rotation (degrees) and of the translation (mm)."""
    if outcome.std is None or any(value is None for value in outcome.std):
        return None, None
    return math.degrees(max(outcome.std[:3])), max(outcome.std[3:])


def report_path(outcome: Outcome) -> str:
    """The report of a case, from the cohort's folder; empty where there is none."""
    return f"{outcome.case}/{outcome.report}" if outcome.report else ""


def write_table(folder: Path, outcomes: Sequence[Outcome]) -> Path:
    """Write a line for each case into cohort.csv. InputError where it cannot be written."""
    path = folder / TABLE
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADING, *map(_row, outcomes)])
    return path


def _row(outcome: Outcome) -> tuple[str, ...]:
    degrees, mm = largest_std(outcome)
    pose = outcome.pose
    return (
        *(outcome.case, outcome.kind, outcome.status.value, outcome.verdict or "", outcome.words),
        *(_number(value, digits) for value, digits in ((outcome.similarity, 4), (degrees, 3), (mm, 3))),
        *(_number(outcome.seconds, 2), outcome.start, report_path(outcome)),
        *("" if pose is None else f"{pose[row][column]:.9g}" for row, column in _POSE),
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"
