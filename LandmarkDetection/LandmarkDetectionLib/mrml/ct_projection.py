"""Where a CT's landmarks fall in X-rays, as the CT lies now: crosses that follow each drag of a point or of the CT."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import slicer
from DiffRegistrationLib.mrml.attributes import CAMERA
from DiffRegistrationLib.mrml.camera_attributes import read_camera
from DiffRegistrationLib.mrml.scene import (
    belonging_to,
    nothing_left_on_error,
    ras_from_ijk,
    remove_with_displays,
    world_from_local,
)
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, rigid
from jaxtyping import Float64

from .attributes import CT_PROJECTION
from .colour_tables import colour_directly
from .ct_landmarks import how_each_is, landmark_node, stay_with_ct
from .drawn_models import lines, show_lines
from .sides import SIDES, SURE_COLOURS, side_of_each

COLOUR_ARRAY = "Colour"
# Half the length of a cross's arms, in parts of the image's width.
_ARM = 0.012


class CTProjection:
    """Crosses of a CT's landmarks in each of some X-rays that have a camera, until `stop`.

    They are drawn anew when a point of the CT's list, the CT itself, or an X-ray's camera moves. X-rays without
    geometry have none.
    """

    def __init__(self, ct_node: Any, xray_nodes: Sequence[Any]) -> None:
        self.ct = ct_node
        self._xrays = list(xray_nodes)
        self._observed: list[tuple[Any, int]] = []
        self._cameras: dict[str, tuple[str | None, Camera | None]] = {}
        with nothing_left_on_error():
            for xray in self._xrays:
                _made(xray)
        points = landmark_node(ct_node)
        if points is not None:
            for event in (points.PointModifiedEvent, points.PointPositionUndefinedEvent):
                self._observe(points, event, self._changed)
        self._observe(ct_node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._ct_moved)
        for xray in self._xrays:
            self._observe(xray, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._changed)
            self._observe(xray, "ModifiedEvent", self._xray_changed)
        self._ct_moved()

    def stop(self) -> None:
        """Take the crosses away and follow no more."""
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed.clear()
        for xray in self._xrays:
            model = xray.GetNodeReference(CT_PROJECTION)
            if model is not None and slicer.mrmlScene.IsNodePresent(model):
                remove_with_displays(model)

    def model_of(self, xray_node: Any) -> Any:
        """The crosses in an X-ray."""
        return xray_node.GetNodeReference(CT_PROJECTION)

    def _observe(self, node: Any, event: Any, told: Any) -> None:
        self._observed.append((node, node.AddObserver(event, told)))

    def _ct_moved(self, _caller: Any = None, _event: Any = None) -> None:
        # The list stays with the CT, whatever that was put under; while the list is under the old one it is not drawn.
        stay_with_ct(self.ct)
        self._changed()

    def _xray_changed(self, xray: Any, _event: Any) -> None:
        known = self._cameras.get(xray.GetID())
        if known is None or known[0] != xray.GetAttribute(CAMERA):
            self._changed()

    def _changed(self, _caller: Any = None, _event: Any = None) -> None:
        points = self._world_points()
        for xray in self._xrays:
            model = xray.GetNodeReference(CT_PROJECTION)
            if model is not None:
                model.SetAndObserveTransformNodeID(xray.GetTransformNodeID())
                model.SetAndObservePolyData(_crosses(xray, self._camera(xray), points))

    def _world_points(self) -> Float64[np.ndarray, "n 3"]:
        node, placed = landmark_node(self.ct), world_from_local(self.ct)
        if node is None or placed is None:
            return np.full((len(side_of_each()), 3), np.nan)
        return rigid.transform_points(placed, np.array([one.position for one in how_each_is(node)]))

    def _camera(self, xray: Any) -> Camera | None:
        """That of an X-ray now, read when it changes."""
        written = xray.GetAttribute(CAMERA)
        known = self._cameras.get(xray.GetID())
        if known is None or known[0] != written:
            camera = None
            with suppress(InputError):
                calibrated = read_camera(xray)
                camera = None if calibrated is None else calibrated.camera
            known = self._cameras[xray.GetID()] = (written, camera)
        return known[1]


def _made(xray: Any) -> Any:
    model = belonging_to(xray, CT_PROJECTION, "vtkMRMLModelNode", f"{xray.GetName()} landmarks of the CT")
    # It is drawn anew whenever it is wanted.
    model.SetSaveWithScene(False)
    model.SetAndObservePolyData(lines(np.empty((0, 3)), [], {COLOUR_ARRAY: np.empty((0, 3), np.uint8)}))
    show_lines(model, in_slices=True, visible=True)
    model.GetDisplayNode().SetSaveWithScene(False)
    colour_directly(model, COLOUR_ARRAY)
    return model


def _crosses(xray: Any, camera: Camera | None, points: Float64[np.ndarray, "n 3"]) -> Any:
    known = np.isfinite(points).all(axis=1)
    pixels = np.full((len(points), 2), np.nan)
    if camera is not None:
        pixels[known] = camera.project(points[known])
    shown = np.isfinite(pixels).all(axis=1)
    arm = 0.0 if camera is None else _ARM * camera.size[1]
    ends = arm * np.array([[-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
    corners = (pixels[shown, None] + ends).reshape(-1, 2)
    matrix = ras_from_ijk(xray)
    colours = np.array([SURE_COLOURS[side] for side in SIDES])[side_of_each()[shown]]
    return lines(
        corners @ matrix[:3, :2].T + matrix[:3, 3],
        [2] * (2 * int(shown.sum())),
        {COLOUR_ARRAY: np.repeat(np.round(255 * colours), 4, axis=0).astype(np.uint8)},
    )
