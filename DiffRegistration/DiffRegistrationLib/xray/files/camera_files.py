"""Cameras from files, whatever wrote them: the content tells the format, not the name."""

from __future__ import annotations

import json
from pathlib import Path

from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry.projection_matrix import camera_from_projection_matrix
from ..provenance import Provenance
from .calibrated_camera import SIZE_REMEDY, CalibratedCamera
from .camera_json import FORMAT, camera_from_json, write_camera
from .deepfluoro import read_deepfluoro_camera
from .hdf5 import is_hdf5, opened_hdf5
from .mayacam import CALIBRATION_UNIT, CALIBRATION_WORLD, is_mayacam2, read_mayacam1, read_mayacam2
from .text_numbers import TextRow, numbers, text_rows
from .xreg_camera import is_xreg, read_xreg_camera

__all__ = ["CalibratedCamera", "read_camera", "write_camera"]

# No calibration is longer; a CT named by mistake need not be read to its end.
_LARGEST = 1_000_000

_SUPPORTED = (
    "Supported are: the JSON that this program writes, a 3×4 projection matrix as text, MayaCam 1 and MayaCam 2 as "
    "XMALab exports them, and the HDF5 files of xReg and DeepFluoro."
)


def read_camera(
    path: str | Path,
    *,
    size: tuple[int, int] | None = None,
    point_in_front: ArrayLike = (0.0, 0.0, 0.0),
    projection: int | None = None,
) -> CalibratedCamera:
    """The camera of a calibration file, and where its numbers came from.

    `size` is (rows, columns) of the image that the camera belongs to: checked where the file says it too, needed where
    it does not (projection matrices). `point_in_front` (world mm) tells a projection matrix which way it looks.
    `projection` (from 0) chooses among the cameras of an xReg file.

    InputError for an unreadable or unknown file, another image size, missing fields, values that are no numbers, and
    matrices that are no camera.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error
    if not content.strip():
        raise InputError(path, "is empty", _SUPPORTED)
    if is_hdf5(content):
        return _read_hdf5(path, size, projection)
    if projection is not None:
        raise InputError(path, "holds one camera and no projections", "Leave the projection out.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(path, "is no camera file that is known", _SUPPORTED) from None
    if text.lstrip().startswith("{"):
        return _read_json(path, text, size)
    if is_mayacam2(text):
        return read_mayacam2(path, text, size)
    rows = text_rows(text)
    shape = [len(row.values) for row in rows]
    if shape == [3] * 5:
        return read_mayacam1(path, rows, size)
    if shape == [4] * 3:
        return _read_projection_matrix(path, rows, size, point_in_front)
    raise InputError(path, "is no camera file that is known", _SUPPORTED)


def _read_hdf5(path: Path, size: tuple[int, int] | None, projection: int | None) -> CalibratedCamera:
    with opened_hdf5(path) as file:
        of_xreg, of_deepfluoro = is_xreg(file), "proj-params" in file
    if of_xreg:
        return read_xreg_camera(path, size, projection)
    if of_deepfluoro:
        return read_deepfluoro_camera(path, size)
    raise InputError(path, "is HDF5 without a camera", _SUPPORTED)


def _read_json(path: Path, text: str, size: tuple[int, int] | None) -> CalibratedCamera:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            path, f"line {error.lineno} is no JSON: {error.msg}", "Correct it or write it again."
        ) from None
    if content.get("format") != FORMAT:
        raise InputError(path, "is JSON, but no camera", _SUPPORTED)
    return camera_from_json(path, content, size)


def _read_projection_matrix(
    path: Path, rows: list[TextRow], size: tuple[int, int] | None, point_in_front: ArrayLike
) -> CalibratedCamera:
    matrix = numbers(path, rows, 4)
    if size is None:
        raise InputError(path, "a projection matrix does not say the image's size", SIZE_REMEDY)
    try:
        camera = camera_from_projection_matrix(matrix, size, point_in_front=point_in_front)
    except InputError as error:
        raise InputError(path, f"{error.subject}: {error.problem}", error.remedy) from None
    K = camera.intrinsic
    return CalibratedCamera(
        camera,
        (
            Provenance("image size", f"{size[0]} rows × {size[1]} columns", "the image itself"),
            Provenance("camera matrix", f"focal length {K[0, 0]:.6g} × {K[1, 1]:.6g} px", "3×4 projection matrix"),
            Provenance("image axes", "u right, v down, first pixel at (0, 0)", "the file names none", assumed=True),
            CALIBRATION_WORLD,
            CALIBRATION_UNIT,
        ),
    )
