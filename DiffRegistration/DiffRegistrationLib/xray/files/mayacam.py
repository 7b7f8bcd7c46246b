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

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from ..geometry import PinholeCamera, rigid
from ..provenance import Provenance
from .calibrated_camera import SIZE_REMEDY, CalibratedCamera, check_size
from .rigid_values import rigid_from_file
from .text_numbers import TextRow, numbers, text_rows

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
