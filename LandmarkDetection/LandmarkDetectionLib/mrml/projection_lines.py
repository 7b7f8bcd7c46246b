"""Rays that landmarks were triangulated from, and how far these pass from the point that they made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from DiffRegistrationLib.mrml.scene import belonging_to
from jaxtyping import Float64

from .attributes import RAYS, RESIDUALS
from .colour_tables import ERRORS, colour_by, colour_directly
from .drawn_models import lines, show_lines
from .study_node import FrameView, StudyFrame, own_node

VIEW_ARRAY, COLOUR_ARRAY = "View", "Colour"
RESIDUAL_PX_ARRAY, RESIDUAL_MM_ARRAY = "Residual (px)", "Residual (mm)"
# One for each view in turn, none that stands for a side.
_VIEW_COLOURS = ((86, 156, 214), (214, 120, 196), (120, 214, 204), (224, 168, 110))
_MODEL = "vtkMRMLModelNode"


def make_projection_lines(study: Any, xray_nodes: Sequence[Any]) -> None:
    """Make the models of a study, which are empty and hidden yet."""
    model = belonging_to(study, RAYS, _MODEL, f"{study.GetName()} rays")
    model.SetAndObservePolyData(_no_rays())
    show_lines(model, in_slices=False, visible=False)
    colour_directly(model, COLOUR_ARRAY)
    for view, xray in enumerate(xray_nodes, start=1):
        model = belonging_to(study, f"{RESIDUALS}{view}", _MODEL, f"{xray.GetName()} landmark residuals")
        model.SetAndObservePolyData(_no_residuals())
        show_lines(model, in_slices=True, visible=False)
        colour_by(model, RESIDUAL_MM_ARRAY, ERRORS)


def show_in_projection_lines(study: Any, frame: StudyFrame) -> None:
    """Write a frame into the models that there are."""
    model = own_node(study, RAYS)
    if model is not None:
        model.SetAndObservePolyData(_rays(frame))
    for view in frame.views:
        model = own_node(study, f"{RESIDUALS}{view.number}")
        if model is not None and view.node is not None:
            model.SetAndObserveTransformNodeID(view.node.GetTransformNodeID())
            model.SetAndObservePolyData(_residuals(frame, view))


def _rays(frame: StudyFrame) -> Any:
    """From the source to the detector's pixel, for each pixel that a triangulated point was made from."""
    ends: list[Float64[np.ndarray, "n 3"]] = []
    views: list[int] = []
    for view in frame.views:
        used = frame.points.used[view.number - 1] & frame.points.is_triangulated
        if view.camera is not None and used.any():
            rays = view.camera.rays(frame.points.pixels[view.number - 1, used])
            ends.append(np.stack([rays.source, rays.target], axis=1).reshape(-1, 3))
            views += [view.number] * 2 * int(used.sum())
    if not ends:
        return _no_rays()
    colours = np.array([_VIEW_COLOURS[(view - 1) % len(_VIEW_COLOURS)] for view in views], dtype=np.uint8)
    values: dict[str, np.ndarray] = {VIEW_ARRAY: np.array(views, dtype=np.int32), COLOUR_ARRAY: colours}
    return lines(np.concatenate(ends), [2] * (len(views) // 2), values)


def _residuals(frame: StudyFrame, view: FrameView) -> Any:
    """On the detector, from each pixel to where the triangulated point falls."""
    points = frame.points
    row = view.number - 1
    there = np.isfinite(points.residual_px[row])
    if view.camera is None or not there.any():
        return _no_residuals()
    ends = np.stack([points.pixels[row, there], view.camera.project(points.points[there])], axis=1)
    values: dict[str, np.ndarray] = {
        RESIDUAL_PX_ARRAY: np.repeat(points.residual_px[row, there], 2),
        RESIDUAL_MM_ARRAY: np.repeat(points.residual_mm[row, there], 2),
    }
    return lines(view.local(ends.reshape(-1, 2)), [2] * len(ends), values)


def _no_rays() -> Any:
    values: dict[str, np.ndarray] = {VIEW_ARRAY: np.empty(0, np.int32), COLOUR_ARRAY: np.empty((0, 3), np.uint8)}
    return lines(np.empty((0, 3)), [], values)


def _no_residuals() -> Any:
    return lines(np.empty((0, 3)), [], {RESIDUAL_PX_ARRAY: np.empty(0), RESIDUAL_MM_ARRAY: np.empty(0)})
