"""Surfaces of files as model nodes, and of model nodes as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from DiffRegistrationLib.mrml.scene import world_from_local
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from vtk.util import numpy_support

from ..skull_shape.surface import Surface
from ..skull_shape.vtk_surfaces import read_surface, write_surface


def load_surface(model: Any, path: str | Path) -> None:
    """Put a surface file, with the values at its vertices, into a model. InputError for a file that holds none."""
    read_surface(path)
    # A storage of the moment: what the model is saved to later is not this file.
    storage = slicer.vtkMRMLModelStorageNode()
    storage.SetFileName(str(path))
    if not storage.ReadData(model):
        raise InputError(path, "cannot be read as a surface", "Make the surface again.")


def save_surface(path: str | Path, model: Any, array: str | None = None) -> None:
    """Write a model's surface, where it lies in the world, as VTP, STL or PLY; in VTP with the values of `array`.

    InputError for another ending, an empty model, and where nothing can be written.
    """
    path = Path(path)
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputData(model.GetPolyData())
    triangles.PassVertsOff()
    triangles.PassLinesOff()
    triangles.Update()
    data = triangles.GetOutput()
    if data.GetNumberOfCells() == 0:
        raise InputError(model.GetName(), "holds no surface", "Make it again.")
    placed = world_from_local(model)
    if placed is None:
        raise InputError(model.GetName(), "lies under a transform that is not linear", "Harden that transform.")
    vertices = numpy_support.vtk_to_numpy(data.GetPoints().GetData())
    faces = numpy_support.vtk_to_numpy(data.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    values = None if array is None or path.suffix.lower() != ".vtp" else data.GetPointData().GetArray(array)
    of_vertices = {} if values is None else {str(array): np.array(numpy_support.vtk_to_numpy(values))}
    write_surface(path, Surface(rigid.transform_points(placed, vertices.astype(np.float64)), faces), of_vertices)
