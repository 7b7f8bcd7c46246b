"""The numbers of a C-arm's display, typed in for an X-ray whose file does not tell them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from slicer.i18n import tr as _

from ..mrml.camera_attributes import read_camera
from ..mrml.given_geometry import use_c_arm
from ..xray.errors import InputError
from ..xray.files.c_arm_geometry import CArmGeometry
from ..xray.geometry import PinholeCamera

# Below every angle that a C-arm has: the boxes show it as “not given”.
_NO_ANGLE = -181.0


class GeometryForm:
    """Reads the boxes of the geometry group, and fills them from an X-ray's camera."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui

    def show(self, view: Any) -> None:
        """Fill the boxes with what the camera of an X-ray says; the rest is “not given”."""
        ui = self._ui
        calibrated = None
        # Of a damaged camera no number can be shown.
        with suppress(InputError):
            calibrated = read_camera(view)
        camera = calibrated.camera if calibrated is not None else None
        spacing, distance = (0.0, 0.0), 0.0
        if isinstance(camera, PinholeCamera) and camera.pixel_spacing is not None:
            spacing, distance = camera.pixel_spacing, camera.source_detector_distance or 0.0
        ui.sddBox.value = distance
        ui.sodBox.value = 0.0
        ui.rowSpacingBox.value, ui.columnSpacingBox.value = spacing
        ui.primaryAngleBox.value = ui.secondaryAngleBox.value = _NO_ANGLE

    def apply(self, view: Any) -> None:
        """Give `view` the C-arm of the boxes, completed by what its file said. InputError lists what is missing."""
        ui = self._ui
        rows, columns = ui.rowSpacingBox.value, ui.columnSpacingBox.value
        if (rows > 0) != (columns > 0):
            raise InputError(_("pixel spacing"), _("only one of its two numbers is given"), _("Give both."))
        use_c_arm(
            view,
            CArmGeometry(
                source_detector_distance=ui.sddBox.value or None,
                source_object_distance=ui.sodBox.value or None,
                pixel_spacing=(rows, columns) if rows > 0 else None,
                primary_angle_deg=_angle(ui.primaryAngleBox.value),
                secondary_angle_deg=_angle(ui.secondaryAngleBox.value),
            ),
        )


def _angle(value: float) -> float | None:
    return None if value <= _NO_ANGLE else value
