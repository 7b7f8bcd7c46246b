"""The X-ray beam in the 3D view: from the source to the edges of the detector."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from jaxtyping import Float64

from ..xray.errors import InputError
from ..xray.geometry import Camera, ScanningSlitCamera
from .attributes import BEAM, OWNER
from .camera_attributes import read_camera
from .scene import belonging_to, nothing_left_on_error

_COLOUR = (1.0, 0.69, 0.0)
# The source is drawn this much of the way to the detector in size, large enough to be seen.
_SOURCE_RADIUS = 0.008
_ROUNDNESS = 12


def show_beam(xray_node: Any) -> Any:
    """Draw source and beam of an X-ray as a model node, made once and reused, which is returned.

    A cone beam is the pyramid to the detector's corners. Of a scanning slit the fans of its first and last row are
    drawn. It lies in world coordinates. InputError for an X-ray without a camera.
    """
    calibrated = read_camera(xray_node)
    if calibrated is None:
        raise InputError(xray_node.GetName(), "its geometry is not known", "Give it a camera first.")
    outline = _outline(calibrated.camera)
    with nothing_left_on_error():
        model = belonging_to(xray_node, BEAM, "vtkMRMLModelNode", f"{xray_node.GetName()} beam")
        model.SetAndObservePolyData(outline)
        if model.GetDisplayNode() is None:
            model.CreateDefaultDisplayNodes()
            display = model.GetDisplayNode()
            display.SetColor(*_COLOUR)
            display.SetLineWidth(2)
            display.SetLighting(False)
    model.GetDisplayNode().SetVisibility(True)
    return model


def hide_beam(xray_node: Any) -> None:
    """Hide the beam of an X-ray, if there is one."""
    model = xray_node.GetNodeReference(BEAM)
    if model is not None and model.GetDisplayNode() is not None:
        model.GetDisplayNode().SetVisibility(False)


def beam_is_shown(xray_node: Any) -> bool | None:
    """Whether the beam of an X-ray is shown; None where it has none."""
    model = xray_node.GetNodeReference(BEAM)
    # A clone refers to the beam of the X-ray that it was cloned from.
    if model is None or model.GetDisplayNode() is None or model.GetNodeReferenceID(OWNER) != xray_node.GetID():
        return None
    return bool(model.GetDisplayNode().GetVisibility())


def _outline(camera: Camera) -> vtk.vtkPolyData:
    """Lines of the beam and a ball at the source, or one at either end of the way of a slit's source."""
    rows, columns = camera.size
    # The detector's edge is half a pixel outside of the outermost pixels' centres.
    right, bottom = columns - 0.5, rows - 0.5
    corners = np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])
    rays = camera.rays(corners)
    points: Float64[np.ndarray, "8 3"] = np.concatenate([rays.source, rays.target])
    edges = [(n, n + 4) for n in range(4)] + [(4 + n, 4 + (n + 1) % 4) for n in range(4)]
    sources = rays.source[:1]
    if isinstance(camera, ScanningSlitCamera):
        edges.append((0, 3))
        sources = rays.source[[0, 3]]
    radius = _SOURCE_RADIUS * float(np.linalg.norm(rays.target[0] - rays.source[0]))
    together = vtk.vtkAppendPolyData()
    together.AddInputData(_lines(points, edges))
    for source in sources:
        ball = vtk.vtkSphereSource()
        ball.SetCenter(*source)
        ball.SetRadius(radius)
        ball.SetThetaResolution(_ROUNDNESS)
        ball.SetPhiResolution(_ROUNDNESS)
        ball.SetOutputPointsPrecision(vtk.vtkAlgorithm.DOUBLE_PRECISION)
        ball.GenerateNormalsOff()
        ball.Update()
        together.AddInputData(ball.GetOutput())
    together.SetOutputPointsPrecision(vtk.vtkAlgorithm.DOUBLE_PRECISION)
    together.Update()
    outline = vtk.vtkPolyData()
    outline.DeepCopy(together.GetOutput())
    return outline


def _lines(points: Float64[np.ndarray, "n 3"], edges: list[tuple[int, int]]) -> vtk.vtkPolyData:
    places, cells = vtk.vtkPoints(), vtk.vtkCellArray()
    places.SetDataTypeToDouble()
    for point in points:
        places.InsertNextPoint(*point)
    for edge in edges:
        cells.InsertNextCell(2, edge)
    lines = vtk.vtkPolyData()
    lines.SetPoints(places)
    lines.SetLines(cells)
    return lines
