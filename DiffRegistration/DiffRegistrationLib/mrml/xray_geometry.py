"""What is known of an X-ray's geometry, in a line for a table and in full for those who ask."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..xray.errors import InputError
from ..xray.geometry import Camera, PinholeCamera, ScanningSlitCamera
from ..xray.provenance import Provenance
from .camera_attributes import camera_lines, read_camera


class GeometryState(StrEnum):
    """Whether the geometry of an X-ray can be relied on."""

    CALIBRATED = "calibrated"
    """Every number was read or given."""
    ASSUMED = "assumed"
    """Some number was assumed."""
    MISSING = "missing"
    """There is no camera."""


@dataclass(frozen=True)
class XrayGeometry:
    """Its state, a short line, and each number of the camera with its origin."""

    state: GeometryState
    summary: str
    lines: tuple[Provenance, ...] = ()


def geometry_of(node: Any) -> XrayGeometry:
    """What is known of the geometry of an X-ray node. InputError if its camera is damaged."""
    calibrated = read_camera(node)
    if calibrated is None:
        return XrayGeometry(GeometryState.MISSING, "no geometry")
    lines = camera_lines(node)
    state = GeometryState.ASSUMED if any(line.assumed for line in lines) else GeometryState.CALIBRATED
    return XrayGeometry(state, _summary(calibrated.camera), lines)


def geometry_or_fault(node: Any) -> XrayGeometry:
    """As `geometry_of`; a damaged camera is a missing one, of which the line says what is the matter."""
    try:
        return geometry_of(node)
    except InputError as error:
        return XrayGeometry(GeometryState.MISSING, error.problem)


def _summary(camera: Camera) -> str:
    if isinstance(camera, ScanningSlitCamera):
        dy, dx = camera.pixel_spacing
        return (
            f"slit, SDD {camera.source_detector_distance:.4g} mm, SOD {camera.source_object_distance:.4g} mm, "
            f"pixels {dy:.3g} × {dx:.3g} mm at the isocentre"
        )
    if isinstance(camera, PinholeCamera) and camera.pixel_spacing is not None:
        dy, dx = camera.pixel_spacing
        return f"SDD {camera.source_detector_distance:.4g} mm, pixels {dy:.3g} × {dx:.3g} mm"
    if isinstance(camera, PinholeCamera):
        return f"focal length {camera.intrinsic[0, 0]:.5g} px, size of pixels unknown"
    return type(camera).__name__
