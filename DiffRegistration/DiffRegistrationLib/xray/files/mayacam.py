"""Cameras of X-ray motion analysis: MayaCam 1 and MayaCam 2, as XMALab writes them and Autoscoper reads them.

MayaCam 2 holds OpenCV's x = K (R X + t), rows downward: our own camera. MayaCam 1 holds a camera as Maya has it: it
looks along its −z with y up, its axes in the world are Rz·Ry·Rx (degrees), rows are counted upward, pixels from 1.

    location x, y, z                the source in the world
    rotation x, y, z                in degrees
    image plane x, y, z             follows from the other lines and is not used
    u₀, v₀, −f                      principal point and focal length in pixels
    scale, columns, rows

Both name no unit and no anatomical axes: their world is that of the calibration object.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from ..geometry import PinholeCamera, rigid
from ..provenance import Provenance
from .calibrated_camera import SIZE_REMEDY, CalibratedCamera, check_size
from .rigid_values import rigid_from_file
from .text_numbers import TextRow, numbers, text_rows

# Relative difference of focal lengths that moves no pixel by 1e-6.
_SQUARE = 1e-10
# The scale in the last row of MayaCam 1; as XMALab writes it.
_SCALE = 0.1

# Rows and columns of numbers under each heading.
_MAYACAM2_SECTIONS = {
    "image size": (1, 2),
    "camera matrix": (3, 3),
    "rotation": (3, 3),
    "translation": (3, 1),
}

CALIBRATION_WORLD = Provenance(
    "world", "calibration frame", "the file names no anatomical axes; its frame is taken as the world's", assumed=True
)
CALIBRATION_UNIT = Provenance(
    "unit of length", "mm", "the file names none; older calibrations are in cm", assumed=True
)


def is_mayacam2(text: str) -> bool:
    """Whether a text has MayaCam 2's headings."""
    headings = {line.strip().lower() for line in text.splitlines()}
    return len(headings & _MAYACAM2_SECTIONS.keys()) >= 2


def read_mayacam2(path: Path, text: str, size: tuple[int, int] | None) -> CalibratedCamera:
    """Camera of a MayaCam 2 text; InputError for missing sections, wrong values or another image size."""
    sections: dict[str, list[TextRow]] = {}
    for row in text_rows(text):
        heading = " ".join(row.values).lower()
        if heading in _MAYACAM2_SECTIONS:
            current = sections.setdefault(heading, [])
        elif sections:
            current.append(row)
    missing = [name for name in _MAYACAM2_SECTIONS if not sections.get(name)]
    if missing:
        raise InputError(
            path, f"this MayaCam 2 file lacks: {', '.join(missing)}", "Export the camera again from the calibration."
        )
    found = {name: numbers(path, sections[name], columns) for name, (_, columns) in _MAYACAM2_SECTIONS.items()}
    for name, (rows, _) in _MAYACAM2_SECTIONS.items():
        if len(found[name]) != rows:
            raise InputError(
                path, f"“{name}” has {len(found[name])} rows, expected {rows}", "Export the camera again."
            )
    columns, rows = _whole_size(path, *found["image size"][0])
    check_size(path, (rows, columns), size)
    pose = rigid_from_file(path, "rotation", rigid.rigid(found["rotation"], found["translation"][:, 0]))
    camera = _pinhole(path, found["camera matrix"], pose, (rows, columns))
    origin = "MayaCam 2 file"
    return CalibratedCamera(
        camera,
        (
            Provenance("image size", f"{rows} rows × {columns} columns", origin),
            Provenance("camera matrix", _focal_and_centre(camera), origin),
            Provenance("camera pose", "rotation and translation, OpenCV", origin),
            CALIBRATION_WORLD,
            CALIBRATION_UNIT,
        ),
    )


def read_mayacam1(path: Path, rows_of_text: list[TextRow], size: tuple[int, int] | None) -> CalibratedCamera:
    """Camera of MayaCam 1's five rows; InputError for wrong values, another image size or one that nobody gave."""
    location, degrees, _, principal, image = numbers(path, rows_of_text, 3)
    origin = "MayaCam 1 file"
    if image[1] == 0 or image[2] == 0:
        if size is None:
            raise InputError(path, "this MayaCam 1 file holds no image size", SIZE_REMEDY)
        rows, columns = size
        size_line = Provenance("image size", f"{rows} rows × {columns} columns", "the image itself")
    else:
        columns, rows = _whole_size(path, image[1], image[2])
        check_size(path, (rows, columns), size)
        size_line = Provenance("image size", f"{rows} rows × {columns} columns", origin)
    u, v_upward, minus_focal = principal
    if minus_focal == 0:
        raise InputError(path, "the focal length in line 4 is zero", "Export the camera again from the calibration.")
    K = np.array([[abs(minus_focal), 0, u - 1], [0, abs(minus_focal), rows - v_upward], [0, 0, 1]])
    rx, ry, rz = np.radians(degrees)
    maya_axes = rigid.rotation_exp([0, 0, rz]) @ rigid.rotation_exp([0, ry, 0]) @ rigid.rotation_exp([rx, 0, 0])
    # Maya's y points up and its z back toward the viewer.
    R = np.diag([1.0, -1.0, -1.0]) @ maya_axes.T
    camera = _pinhole(path, K, rigid.rigid(R, -R @ location), (rows, columns))
    return CalibratedCamera(
        camera,
        (
            size_line,
            Provenance("camera matrix", _focal_and_centre(camera), f"{origin}, line 4: rows upward, pixels from 1"),
            Provenance("camera pose", "location and Rz·Ry·Rx rotation of a Maya camera", origin),
            CALIBRATION_WORLD,
            CALIBRATION_UNIT,
        ),
    )


def mayacam2_text(camera: PinholeCamera) -> str:
    """A camera as XMALab writes it, with all digits. InputError for a skew, which other readers would ignore."""
    _refuse_skew(camera, "MayaCam 2")
    sections = {
        "image size": [camera.size[::-1]],
        "camera matrix": camera.intrinsic,
        "rotation": camera.camera_from_world[:3, :3],
        "translation": camera.camera_from_world[:3, 3:],
    }
    return "\n".join(f"{name}\n{rows_as_text(rows)}" for name, rows in sections.items())


def mayacam1_text(camera: PinholeCamera) -> str:
    """A camera as Maya has it, with all digits. InputError for a skew and for pixels that are not square."""
    _refuse_skew(camera, "MayaCam 1")
    K, (rows, columns) = camera.intrinsic, camera.size
    if not np.isclose(K[0, 0], K[1, 1], rtol=_SQUARE, atol=0):
        raise InputError(
            "MayaCam 1",
            f"holds one focal length, this camera has two: {K[0, 0]:.6g} and {K[1, 1]:.6g} px",
            "Write it as mayacam2 or json.",
        )
    u, v_upward = K[0, 2] + 1, rows - K[1, 2]
    content = [
        camera.source,
        _maya_degrees(camera.camera_from_world[:3, :3].T @ np.diag([1.0, -1.0, -1.0])),
        [(columns / 2 - u) * _SCALE, (rows / 2 - v_upward) * _SCALE, -K[0, 0] * _SCALE],
        [u, v_upward, -K[0, 0]],
        [_SCALE, columns, rows],
    ]
    return rows_as_text(content)


def rows_as_text(rows: Any) -> str:
    """Rows of numbers, each with all its digits, separated by commas."""
    return "".join(",".join(repr(float(x)).removesuffix(".0") for x in row) + "\n" for row in rows)


def _maya_degrees(axes: Float64[np.ndarray, "3 3"]) -> tuple[float, float, float]:
    """Angles (x, y, z) with axes = Rz·Ry·Rx; z is 0 where Ry turns x onto z, so that only one of two is determined."""
    level = float(np.hypot(axes[0, 0], axes[1, 0]))
    y = np.arctan2(-axes[2, 0], level)
    if level < 1e-9:
        x, z = np.arctan2(-axes[1, 2], axes[1, 1]), 0.0
    else:
        x, z = np.arctan2(axes[2, 1], axes[2, 2]), np.arctan2(axes[1, 0], axes[0, 0])
    return float(np.degrees(x)), float(np.degrees(y)), float(np.degrees(z))


def _refuse_skew(camera: PinholeCamera, format_name: str) -> None:
    if abs(camera.intrinsic[0, 1]) * max(camera.size) > 1e-6 * camera.intrinsic[1, 1]:
        raise InputError(
            format_name,
            f"knows no skew, this camera has one of {camera.intrinsic[0, 1]:.6g} px",
            "Write it as json or projection-matrix.",
        )


def _whole_size(path: Path, columns: float, rows: float) -> tuple[int, int]:
    """(columns, rows) as whole numbers."""
    if columns < 1 or rows < 1 or columns % 1 or rows % 1:
        raise InputError(
            path, f"the image size is {columns:g} columns × {rows:g} rows", "Expected whole numbers of at least 1."
        )
    return int(columns), int(rows)


def _pinhole(
    path: Path, K: Float64[np.ndarray, "3 3"], pose: Float64[np.ndarray, "4 4"], size: tuple[int, int]
) -> PinholeCamera:
    try:
        return PinholeCamera(K, pose, size)
    except ValueError as error:
        raise InputError(
            path, f"the camera matrix is none: {error}", "Calibrate and export the camera again."
        ) from None


def _focal_and_centre(camera: PinholeCamera) -> str:
    K = camera.intrinsic
    return f"focal length {K[0, 0]:.6g} × {K[1, 1]:.6g} px, principal point ({K[0, 2]:.6g}, {K[1, 2]:.6g}) px"
