"""Lines and small solids as model nodes, from arrays: what is drawn of landmarks beside their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import vtk
from jaxtyping import Float64, Int64, Shaped
from vtk.util import numpy_support


def lines(
    points: Float64[np.ndarray, "n 3"],
    lengths: Int64[np.ndarray, "m"] | Sequence[int],
    values: Mapping[str, Shaped[np.ndarray, "n *k"]],
) -> vtk.vtkPolyData:
    """Polylines, the first through the first `lengths[0]` points and so on, with values at the points; the last of
    these is what is shown.
    """
    offsets = np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])
    data = _with_points(points, values)
    data.SetLines(_cells(offsets, np.arange(len(points))))
    return data


def triangles(
    points: Float64[np.ndarray, "n 3"], faces: Int64[np.ndarray, "m 3"], values: Mapping[str, Shaped[np.ndarray, "n"]]
) -> vtk.vtkPolyData:
    """Triangles over points, with values at these; the last of them is what is shown."""
    data = _with_points(points, values)
    data.SetPolys(_cells(np.arange(0, 3 * len(faces) + 1, 3), faces.reshape(-1)))
    return data


def show_lines(model: Any, *, in_slices: bool, visible: bool) -> None:
    """Give a model of lines its looks: thin, unlit, and in slice views as seen from before them if `in_slices`."""
    model.CreateDefaultDisplayNodes()
    display = model.GetDisplayNode()
    display.SetLineWidth(2)
    display.SetLighting(False)
    # A slice's plane cuts lines that lie in it nowhere; projected they are seen.
    display.SetSliceDisplayModeToProjection()
    display.SetVisibility2D(in_slices)
    display.SetSliceIntersectionThickness(2)
    display.SetVisibility(visible)


def _with_points(points: Float64[np.ndarray, "n 3"], values: Mapping[str, Any]) -> vtk.vtkPolyData:
    data, places = vtk.vtkPolyData(), vtk.vtkPoints()
    places.SetData(numpy_support.numpy_to_vtk(np.ascontiguousarray(points, dtype=np.float64), deep=True))
    data.SetPoints(places)
    for name, of_points in values.items():
        array = numpy_support.numpy_to_vtk(np.ascontiguousarray(of_points), deep=True)
        array.SetName(name)
        data.GetPointData().AddArray(array)
        data.GetPointData().SetActiveScalars(name)
    return data


def _cells(offsets: Int64[np.ndarray, "m"], corners: Int64[np.ndarray, "k"]) -> vtk.vtkCellArray:
    cells = vtk.vtkCellArray()
    cells.SetData(
        numpy_support.numpy_to_vtkIdTypeArray(np.ascontiguousarray(offsets, dtype=np.int64), deep=True),
        numpy_support.numpy_to_vtkIdTypeArray(np.ascontiguousarray(corners, dtype=np.int64), deep=True),
    )
    return cells
