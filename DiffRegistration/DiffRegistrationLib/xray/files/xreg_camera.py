"""Cameras of xReg (github.com/rg2/xreg): HDF5 of one camera, or of projections with a camera each.

One camera (xReg's WriteCamModelH5) holds num-rows, num-cols, row-spacing, col-spacing (mm), intrinsic (3×3),
extrinsic (4×4, camera from world) and cam-coord-frame-type, which tells where the camera's frame lies:

    origin-at-focal-pt-det-pos-z    x ~ K E X, z from the source to the detector
    origin-at-focal-pt-det-neg-z    x ~ K E X, z from the detector to the source: K's focal lengths are negative
    origin-on-det                   x ~ K (a, b, f − c), (a, b, c) = E X on the detector, f the focal length in mm

Projections (WriteProjDataH5) hold it in proj-000/cam, proj-001/cam and so on. xReg's world is LPS. With the last two
frames its images are seen from the detector; ours are seen from the source, so camera and image are mirrored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from ..geometry import PinholeCamera
from ..geometry.projection_matrix import camera_from_projection_matrix
from ..provenance import Provenance
from .atomic import atomic_write
from .calibrated_camera import CalibratedCamera, check_size
from .hdf5 import h5py_for, opened_hdf5
from .lps import ras_from_index
from .rigid_values import rigid_from_file

_ORIGIN = "xReg HDF5"
_FRAME, _TOWARD, _AWAY, _ON_DETECTOR = (
    "cam-coord-frame-type",
    "origin-at-focal-pt-det-pos-z",
    "origin-at-focal-pt-det-neg-z",
    "origin-on-det",
)
_REMEDY = "Check that xReg wrote this file, and that it is complete."
# Cameras of one file that differ by less are one.
_SAME = 1e-6


def is_xreg(file: Any) -> bool:
    """Whether an open HDF5 file is xReg's, with one camera or with projections."""
    return "num-projs" in file or ("intrinsic" in file and _FRAME in file)


def read_xreg_camera(
    path: str | Path, size: tuple[int, int] | None = None, projection: int | None = None
) -> CalibratedCamera:
    """The camera of an xReg file: its only one, or that of `projection` (from 0).

    InputError for missing fields, an image size other than `size`, a projection that is not there, and where several
    projections have different cameras and none was chosen.
    """
    with opened_hdf5(path) as file:
        if "num-projs" not in file:
            if projection is not None:
                raise InputError(path, "holds one camera and no projections", "Leave the projection out.")
            return _camera(path, file, "", size)
        count = _count(path, file, "", "num-projs")
        if projection is not None and not 0 <= projection < count:
            raise InputError(path, f"has no projection {projection}", f"Choose 0 to {count - 1}.")
        chosen = range(count) if projection is None else [projection]
        cameras = [_camera(path, file, f"proj-{number:03d}/cam/", size) for number in chosen]
    if any(not _same(cameras[0].camera, other.camera) for other in cameras[1:]):
        raise InputError(
            path,
            f"holds {count} projections with different cameras",
            f"Choose one (0 to {count - 1}): fluororeg calibration convert --projection writes it as a camera file.",
        )
    return cameras[0]


def write_xreg_camera(path: str | Path, camera: PinholeCamera) -> None:
    """Write one camera as xReg reads it, in LPS; its images need not be mirrored.

    InputError for a camera without pixel spacing, which xReg needs, and when the folder cannot be written to.
    """
    if camera.pixel_spacing is None:
        raise InputError(
            path,
            "xReg needs the pixel spacing, which this camera does not know",
            "Write it as json, add pixel_spacing_rows_columns_mm to it, and convert that.",
        )
    content: dict[str, Any] = {
        "num-rows": np.uint64(camera.size[0]),
        "num-cols": np.uint64(camera.size[1]),
        "row-spacing": np.float64(camera.pixel_spacing[0]),
        "col-spacing": np.float64(camera.pixel_spacing[1]),
        # A string of fixed length, as xReg writes it and expects it.
        _FRAME: np.bytes_(_TOWARD),
        "intrinsic": camera.intrinsic,
        "extrinsic": camera.moved(ras_from_index(np.eye(4))).camera_from_world,
    }
    h5py = h5py_for(path)
    with atomic_write(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["xreg-type"] = np.bytes_("cam-model")
        for name, value in content.items():
            file[name] = value


def _same(first: Any, second: Any) -> bool:
    return first.size == second.size and np.allclose(
        first.projection_matrix, second.projection_matrix, rtol=0, atol=_SAME * np.abs(first.projection_matrix).max()
    )


def _camera(path: str | Path, file: Any, place: str, size: tuple[int, int] | None) -> CalibratedCamera:
    rows, columns = (_count(path, file, place, name) for name in ("num-rows", "num-cols"))
    check_size(path, (rows, columns), size)
    row_mm, column_mm = (float(_numbers(path, file, place, name)) for name in ("row-spacing", "col-spacing"))
    if not min(row_mm, column_mm) > 0:
        raise InputError(path, f"its pixel spacing is {row_mm:g} × {column_mm:g} mm, expected more than 0", _REMEDY)
    K = _numbers(path, file, place, "intrinsic", 3, 3)
    E = rigid_from_file(path, "extrinsic", _value(path, file, place, "extrinsic"))
    frame = _value(path, file, place, _FRAME)
    frame = frame.decode("ascii", "replace").rstrip("\0") if isinstance(frame, bytes) else str(frame)
    matrix = _projection_matrix(path, frame, K, E, (row_mm, column_mm))
    mirrored = bool(np.linalg.det(matrix[:, :3]) < 0)
    if mirrored:
        matrix = np.array([[-1.0, 0, columns - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
    try:
        source = -np.linalg.solve(matrix[:, :3], matrix[:, 3])
        in_front = source + 1000 * matrix[2, :3] / np.linalg.norm(matrix[2, :3])
        camera = camera_from_projection_matrix(matrix, (rows, columns), (row_mm, column_mm), in_front)
    except (InputError, ValueError, np.linalg.LinAlgError) as error:
        raise InputError(path, f"intrinsic and extrinsic are no camera: {error}", _REMEDY) from None
    focal = f"{camera.intrinsic[0, 0]:.6g} × {camera.intrinsic[1, 1]:.6g} px"
    lines = [
        Provenance("image size", f"{rows} rows × {columns} columns", _ORIGIN),
        Provenance("pixel spacing", f"{row_mm:g} × {column_mm:g} mm", _ORIGIN),
        Provenance("camera matrix", f"focal length {focal}", f"{_ORIGIN}, intrinsic with the frame {frame}"),
        Provenance("camera pose", "extrinsic, from xReg's world in LPS", _ORIGIN),
    ]
    if mirrored:
        lines.append(
            Provenance(
                "image columns",
                "mirrored left to right",
                "xReg's are seen from the detector: mirror the X-ray likewise",
            )
        )
    return CalibratedCamera(camera.moved(ras_from_index(np.eye(4))), tuple(lines))


def _projection_matrix(
    path: str | Path,
    frame: str,
    K: Float64[np.ndarray, "3 3"],
    E: Float64[np.ndarray, "4 4"],
    spacing: tuple[float, float],
) -> Float64[np.ndarray, "3 4"]:
    """P with x ~ P X in LPS and a positive last row for what lies in front of the source."""
    if frame == _TOWARD:
        return K @ E[:3]
    if frame == _AWAY:
        return -K @ E[:3]
    if frame == _ON_DETECTOR:
        # xReg's FocalLenFromIntrins: the mean of both axes.
        focal_mm = (abs(K[0, 0]) * spacing[1] + abs(K[1, 1]) * spacing[0]) / 2
        return K @ (np.diag([1.0, 1.0, -1.0]) @ E[:3] + np.outer([0, 0, focal_mm], [0, 0, 0, 1]))
    raise InputError(
        path, f"{_FRAME} “{frame}” is unknown", f"Expected {_TOWARD}, {_AWAY} or {_ON_DETECTOR}, as xReg writes them."
    )


def _value(path: str | Path, file: Any, place: str, name: str) -> Any:
    try:
        return file[place + name][()]
    except (KeyError, AttributeError, TypeError, ValueError):
        raise InputError(path, f"the field “{place}{name}” is missing", _REMEDY) from None


def _numbers(path: str | Path, file: Any, place: str, name: str, *shape: int) -> Float64[np.ndarray, "*shape"]:
    value = _value(path, file, place, name)
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != shape or not np.isfinite(array).all():
        expected = " × ".join(map(str, shape)) + " finite numbers" if shape else "a finite number"
        raise InputError(path, f"the field “{place}{name}” is not {expected}", _REMEDY)
    return array


def _count(path: str | Path, file: Any, place: str, name: str) -> int:
    value = float(_numbers(path, file, place, name))
    if value < 1 or value % 1:
        raise InputError(path, f"the field “{place}{name}” is {value:g}, expected a whole number above 0", _REMEDY)
    return int(value)
