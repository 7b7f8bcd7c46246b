"""The report's part on cameras that were refined with the pose: by how much, and whether the images tell."""

from __future__ import annotations

from dataclasses import dataclass

from ..registration.calibration_refinement import RefinedCalibration, Shift


@dataclass(frozen=True)
class CalibrationRow:
    """One number of one camera in words; `hint` says what to make of it, empty for nothing."""

    view: int
    quantity: str
    shift: str
    std: str
    allowed: str
    moved: str
    hint: str


@dataclass(frozen=True)
class CalibrationSection:
    """A row for each number that was free; the reason for doubts, empty for none."""

    rows: tuple[CalibrationRow, ...]
    reason: str


def calibration_section(found: RefinedCalibration) -> CalibrationSection:
    """What the report shows of refined cameras."""
    return CalibrationSection(
        tuple(_row(view, shift) for view, shifts in enumerate(found.shifts, start=1) for shift in shifts), found.reason
    )


def _row(view: int, shift: Shift) -> CalibrationRow:
    space = "" if shift.unit == "°" else " "

    def number(value: float, sign: str = "") -> str:
        return f"{value:{sign}.3f}{space}{shift.unit}".replace("-", "−")

    hint = "hardly shown by the images" if not shift.determined else "far off" if abs(shift.moved) > 3 else ""
    return CalibrationRow(
        view,
        shift.in_words,
        number(shift.value, "+"),
        number(shift.std),
        number(shift.prior_std),
        f"{shift.moved:+.1f}".replace("-", "−"),
        hint,
    )
