"""Cameras in the formats of other programs, each so that reading it back gives the same camera, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from ..geometry import Camera, PinholeCamera
from .atomic import atomic_write
from .calibrated_camera import CalibratedCamera
from .camera_json import write_camera
from .mayacam import mayacam1_text, mayacam2_text, rows_as_text
from .xreg_camera import write_xreg_camera

JSON, XREG = "json", "xreg"


def write_camera_as(path: str | Path, camera: Camera | CalibratedCamera, format_name: str) -> None:
    """Write a camera as one of `FORMATS`; "mayacam2" is what XMALab exports. Only "json" keeps where it came from.

    InputError for another format and for a camera that the format cannot hold: a scanning slit and a distortion
    (only json), a skew (not MayaCam), pixels that are not square (not MayaCam 1), no pixel spacing (not xReg), a
    world whose origin the camera does not look at (not as a projection matrix).
    """
    if format_name not in FORMATS:
        raise InputError(f"format “{format_name}”", "is unknown", f"Use one of {', '.join(FORMATS)}.")
    calibrated = camera if isinstance(camera, CalibratedCamera) else CalibratedCamera(camera)
    if format_name == JSON:
        write_camera(path, calibrated.camera, calibrated.provenance, calibrated.distortion)
        return
    pinhole = calibrated.camera
    if not isinstance(pinhole, PinholeCamera):
        raise InputError(path, f"{format_name} holds no scanning slit of a CT localizer", "Write it as json.")
    if calibrated.distortion is not None:
        raise InputError(
            path,
            f"{format_name} holds no distortion, so that its reader would take images as they are",
            "Write it as json.",
        )
    if format_name == XREG:
        write_xreg_camera(path, pinhole)
        return
    try:
        text = _TEXTS[format_name](pinhole)
    except InputError as error:
        raise InputError(path, f"{error.subject} {error.problem}", error.remedy) from None
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _projection_matrix_text(camera: PinholeCamera) -> str:
    """K [R | t]; InputError where the world's origin, by which a reader tells front from back, is not in front."""
    P = camera.projection_matrix
    if not P[2, 3] > 0:
        raise InputError(
            "a projection matrix",
            "does not say which side of the source is in front, and readers take the world's origin, which lies "
            f"{-P[2, 3]:.4g} mm behind it",
            "Write it as json or mayacam2.",
        )
    return f"# {camera.size[0]} rows x {camera.size[1]} columns\n{rows_as_text(P)}"


_TEXTS: dict[str, Callable[[PinholeCamera], str]] = {
    "mayacam1": mayacam1_text,
    "mayacam2": mayacam2_text,
    "projection-matrix": _projection_matrix_text,
}
FORMATS = (JSON, *_TEXTS, XREG)
