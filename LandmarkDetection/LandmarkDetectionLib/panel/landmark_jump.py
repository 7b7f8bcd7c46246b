"""Showing a landmark: views of CT, X-rays and space all come to be centred on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import slicer
from DiffRegistrationLib.mrml.scene import ras_from_ijk, world_from_local
from DiffRegistrationLib.mrml.xray_node import camera_of
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Float64


def jump_to(
    world: Float64[np.ndarray, "3"] | None,
    xrays: Sequence[Any] = (),
    pixels: Mapping[str, Float64[np.ndarray, "2"]] | None = None,
) -> None:
    """Centre the views on a landmark: slice and 3D views on `world` (RAS mm; None leaves them), and views of `xrays`
    on the pixel (u, v) where it is seen, by the X-ray's node id, else where its camera projects `world`.

    X-ray views stay on the plane of their detector; one on whose plane the landmark has no place stays as it is.
    """
    places = {xray.GetID(): _on_detector(xray, world, (pixels or {}).get(xray.GetID())) for xray in xrays}
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", slicer.mrmlScene):
        view = slicer.mrmlScene.GetSingletonNode(composite.GetLayoutName(), "vtkMRMLSliceNode")
        shown = composite.GetBackgroundVolumeID()
        place = places.get(shown, world)
        if view is not None and place is not None:
            view.JumpSliceByCentering(*place)
    if world is not None:
        for camera in slicer.util.getNodesByClass("vtkMRMLCameraNode", slicer.mrmlScene):
            _look_at(camera, world)


def _on_detector(
    xray: Any, world: Float64[np.ndarray, "3"] | None, pixel: Float64[np.ndarray, "2"] | None
) -> Float64[np.ndarray, "3"] | None:
    """Where a landmark is seen on an X-ray's plane (RAS mm), None where it is not."""
    if pixel is None and world is not None:
        # Without geometry nothing is known of where it would be seen.
        with suppress(InputError):
            pixel = camera_of(xray).project(np.asarray(world)[None])[0]
    placed = world_from_local(xray)
    if pixel is None or placed is None or not np.isfinite(pixel).all():
        return None
    return (placed @ ras_from_ijk(xray) @ np.array([pixel[0], pixel[1], 0.0, 1.0]))[:3]


def _look_at(camera: Any, world: Float64[np.ndarray, "3"]) -> None:
    """Move a 3D view's camera beside itself, so that it looks at a point from the same side and as far away."""
    moved = np.asarray(world) - np.array(camera.GetFocalPoint())
    with slicer.util.NodeModify(camera):
        camera.SetPosition(*(np.array(camera.GetPosition()) + moved))
        camera.SetFocalPoint(*world)
