"""The pose and its uncertainty in millimetres and degrees, for a person to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..registration.result import RegistrationResult
from ..xray.geometry import Camera, rigid

AXES = ("R", "A", "S")
AXES_IN_WORDS = ("left → right", "back → front", "feet → head")


@dataclass(frozen=True)
class AxisRow:
    """What the pose does along and about one world axis, with one standard deviation each."""

    axis: str
    in_words: str
    rotation: str
    rotation_std: str
    displacement: str
    displacement_std: str


@dataclass(frozen=True)
class ViewUncertainty:
    """Standard deviations of the CT centre's position as one view sees it, in mm."""

    view: int
    along_rows: str
    along_columns: str
    depth: str


def angles_deg(pose: Float64[np.ndarray, "4 4"]) -> tuple[float, float, float]:
    """Angles (deg) about R, A and S: the rotation turns about R first, then A, then S, all fixed world axes."""
    R = pose[:3, :3]
    return (
        float(np.degrees(np.arctan2(R[2, 1], R[2, 2]))),
        float(np.degrees(-np.arcsin(np.clip(R[2, 0], -1, 1)))),
        float(np.degrees(np.arctan2(R[1, 0], R[0, 0]))),
    )


def displacement_mm(result: RegistrationResult) -> Float64[np.ndarray, "3"]:
    """How far the pose moves the CT's centre (R, A, S; mm) from where the CT's own file puts it."""
    return result.centre - rigid.transform_points(rigid.inverse(result.pose), result.centre[None])[0]


def axis_rows(result: RegistrationResult) -> list[AxisRow]:
    """A row for each of R, A, S."""
    angles, displacement = angles_deg(result.pose), displacement_mm(result)
    with np.errstate(invalid="ignore"):
        std = result.std
    return [
        AxisRow(
            AXES[i],
            AXES_IN_WORDS[i],
            f"{_signed(angles[i])}°",
            measured(float(np.degrees(std[i])), "°"),
            f"{_signed(float(displacement[i]))} mm",
            measured(float(std[3 + i]), " mm"),
        )
        for i in range(3)
    ]


def view_uncertainties(result: RegistrationResult, cameras: Sequence[Camera]) -> list[ViewUncertainty]:
    """The position's uncertainty in each view's own directions: one view alone knows depth worst."""
    rows = []
    for number, camera in enumerate(cameras, start=1):
        R = camera.camera_from_world[:3, :3]
        with np.errstate(invalid="ignore"):
            x, y, z = np.sqrt(np.diag(R @ result.covariance[3:, 3:] @ R.T))
        rows.append(ViewUncertainty(number, measured(x, " mm"), measured(y, " mm"), measured(z, " mm")))
    return rows


def total_rotation_deg(pose: Float64[np.ndarray, "4 4"]) -> float:
    """The single angle (deg) by which the pose turns the CT."""
    return float(np.degrees(rigid.angle_between(pose, np.eye(4))))


def measured(value: float, unit: str) -> str:
    """A number ≥ 0 to two digits, never finer than a thousandth, with its unit; 'unknown' where there is none."""
    if not np.isfinite(value):
        return "unknown"
    if value < 0.001:
        return f"< 0.001{unit}"
    decimals = int(np.clip(1 - np.floor(np.log10(value)), 0, 3))
    return f"{value:.{decimals}f}{unit}"


def _signed(value: float) -> str:
    """Two decimals with a true minus sign, and no sign on zero."""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")
