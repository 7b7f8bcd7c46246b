"""How sure landmarks are, as models: an ellipse around each in its X-ray, an ellipsoid around each in space."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from DiffRegistrationLib.mrml.scene import belonging_to
from jaxtyping import Bool, Float64, Int64

from .attributes import ERRORS_IN_SPACE, ERRORS_IN_VIEW
from .colour_tables import ERRORS, colour_by
from .drawn_models import lines, show_lines, triangles
from .study_node import HIDDEN, INSIDE, FrameView, StudyFrame, own_node
from .study_points import StudyPoints

ERROR_ARRAY = "Standard deviation (mm)"
# In space a standard deviation is small beside a head: ellipsoids are drawn at twice that.
SCALE_IN_SPACE = 2.0
_CORNERS = 24
_RINGS, _SECTORS = 7, 12
_MODEL = "vtkMRMLModelNode"


def make_uncertainty_models(study: Any, xray_nodes: Sequence[Any]) -> None:
    """Make the models of a study, which are empty yet."""
    for view, xray in enumerate(xray_nodes, start=1):
        model = belonging_to(study, f"{ERRORS_IN_VIEW}{view}", _MODEL, f"{xray.GetName()} landmark errors")
        model.SetAndObservePolyData(lines(np.empty((0, 3)), [], {ERROR_ARRAY: np.empty(0)}))
        show_lines(model, in_slices=True, visible=True)
        colour_by(model, ERROR_ARRAY, ERRORS)
    name = f"{study.GetName()} errors in space ({SCALE_IN_SPACE:g}σ)"
    model = belonging_to(study, ERRORS_IN_SPACE, _MODEL, name)
    model.SetAndObservePolyData(triangles(np.empty((0, 3)), np.empty((0, 3), np.int64), {ERROR_ARRAY: np.empty(0)}))
    model.CreateDefaultDisplayNodes()
    model.GetDisplayNode().SetOpacity(0.4)
    colour_by(model, ERROR_ARRAY, ERRORS)


def show_in_uncertainty_models(study: Any, frame: StudyFrame) -> None:
    """Write a frame into the models that there are."""
    for view in frame.views:
        model = own_node(study, f"{ERRORS_IN_VIEW}{view.number}")
        if model is not None and view.node is not None:
            model.SetAndObserveTransformNodeID(view.node.GetTransformNodeID())
            model.SetAndObservePolyData(_in_view(view))
    model = own_node(study, ERRORS_IN_SPACE)
    if model is not None:
        model.SetAndObservePolyData(_in_space(frame.points))


def _in_view(view: FrameView) -> Any:
    """Ellipses of one standard deviation; crosses of their axes where landmarks lie outside of the image."""
    if view.found is None:
        return lines(np.empty((0, 3)), [], {ERROR_ARRAY: np.empty(0)})
    known = np.isfinite(view.pixels).all(axis=1) & np.isfinite(view.found.pixel_covariance).all(axis=(1, 2))
    inside = np.array([one in (INSIDE, HIDDEN) for one in view.seen], dtype=bool)
    middles, covariance = view.pixels[known], view.found.pixel_covariance[known]
    axes = _axes(covariance)
    return _drawn(view, middles, axes, inside[known], view.uncertainty_mm[known])


def _drawn(
    view: FrameView,
    middles: Float64[np.ndarray, "n 2"],
    axes: Float64[np.ndarray, "n 2 2"],
    inside: Bool[np.ndarray, "n"],
    deviations: Float64[np.ndarray, "n"],
) -> Any:
    angles = np.linspace(0, 2 * np.pi, _CORNERS + 1)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    cross = np.array([[-1.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 1.0]])
    rounds = middles[inside, None] + (axes[inside] @ circle).swapaxes(1, 2)
    crosses = middles[~inside, None] + (axes[~inside] @ cross).swapaxes(1, 2)
    pixels = np.concatenate([rounds.reshape(-1, 2), crosses.reshape(-1, 2)])
    lengths = np.concatenate([np.full(len(rounds), _CORNERS + 1), np.full(2 * len(crosses), 2)])
    values = np.concatenate([np.repeat(deviations[inside], _CORNERS + 1), np.repeat(deviations[~inside], 4)])
    return lines(view.local(pixels), lengths, {ERROR_ARRAY: values})


def _in_space(points: StudyPoints) -> Any:
    known = points.is_known & np.isfinite(points.covariance).all(axis=(1, 2))
    ball, faces = _ball()
    axes = SCALE_IN_SPACE * _axes(points.covariance[known])
    surface = points.points[known, None] + (axes @ ball.T).swapaxes(1, 2)
    corners = faces[None] + len(ball) * np.arange(len(axes))[:, None, None]
    values = np.repeat(points.uncertainty_mm[known], len(ball))
    return triangles(surface.reshape(-1, 3), corners.reshape(-1, 3), {ERROR_ARRAY: values})


def _axes(covariance: Float64[np.ndarray, "n k k"]) -> Float64[np.ndarray, "n k k"]:
    """Half axes of one standard deviation, in columns."""
    variances, directions = np.linalg.eigh(covariance)
    return directions * np.sqrt(np.maximum(variances, 0.0))[:, None, :]


@cache
def _ball() -> tuple[Float64[np.ndarray, "n 3"], Int64[np.ndarray, "m 3"]]:
    """A sphere of radius 1: its points and triangles."""
    up = np.linspace(0, np.pi, _RINGS + 2)[1:-1]
    around = np.linspace(0, 2 * np.pi, _SECTORS, endpoint=False)
    rings = np.stack(
        [
            np.outer(np.sin(up), np.cos(around)),
            np.outer(np.sin(up), np.sin(around)),
            np.outer(np.cos(up), np.ones(_SECTORS)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    points = np.concatenate([rings, [[0, 0, 1.0], [0, 0, -1.0]]])
    top, bottom = len(rings), len(rings) + 1
    here = np.arange(_SECTORS)
    after = (here + 1) % _SECTORS
    faces = [np.stack([np.full(_SECTORS, top), here, after], axis=1)]
    for ring in range(_RINGS - 1):
        a, b = ring * _SECTORS + here, ring * _SECTORS + after
        faces += [np.stack([a, a + _SECTORS, b], axis=1), np.stack([b, a + _SECTORS, b + _SECTORS], axis=1)]
    last = (_RINGS - 1) * _SECTORS
    faces.append(np.stack([last + here, np.full(_SECTORS, bottom), last + after], axis=1))
    return points, np.concatenate(faces)
