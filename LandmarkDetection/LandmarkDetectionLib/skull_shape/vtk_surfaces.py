"""Surfaces by VTK: contours of volumes, and the files VTP, STL and PLY as 3D Slicer writes and reads them.

Slicer says in each file which frame its points are in, "SPACE=LPS" unless told otherwise: as field data in VTP, in the
header of STL, as a comment in PLY; what says nothing is LPS to it (vtkMRMLModelStorageNode).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write
from DiffRegistrationLib.xray.files.lps import ras_points
from jaxtyping import Float32, Float64, Shaped

from .surface import Surface

_SPACE = "SPACE"
_SUFFIXES = (".vtp", ".stl", ".ply")
_FORMATS = "Give a file that ends in .vtp, .stl or .ply."
# Taubin's filter: rounds off the steps between voxels, and keeps what is wider than some ten edges.
_SMOOTHING_STEPS = 20
_PASS_BAND = 0.1


def contour(volume: Float32[np.ndarray, "k j i"], level: float, ct_from_voxel: Float64[np.ndarray, "4 4"]) -> Surface:
    """Where a volume passes `level`, seen from the lower side, smoothed; open where the volume ends.

    `ct_from_voxel` maps voxel centres (i, j, k) to mm. InputError without VTK.
    """
    vtk, support = _vtk()
    image = vtk.vtkImageData()
    image.SetDimensions(*volume.shape[::-1])
    # Smoothing must see the true shape of voxels.
    voxel_size = np.linalg.norm(ct_from_voxel[:3, :3], axis=0)
    image.SetSpacing(*voxel_size)
    values = np.ascontiguousarray(volume)
    image.GetPointData().SetScalars(support.numpy_to_vtk(values.reshape(-1)))
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, level)
    edges.ComputeNormalsOff()
    edges.ComputeGradientsOff()
    edges.ComputeScalarsOff()
    smooth = vtk.vtkWindowedSincPolyDataFilter()
    smooth.SetInputConnection(edges.GetOutputPort())
    smooth.SetNumberOfIterations(_SMOOTHING_STEPS)
    smooth.SetPassBand(_PASS_BAND)
    smooth.NormalizeCoordinatesOn()
    smooth.BoundarySmoothingOff()
    smooth.Update()
    raw = _surface(smooth.GetOutput(), support)
    vertices = raw.vertices / voxel_size @ ct_from_voxel[:3, :3].T + ct_from_voxel[:3, 3]
    # A grid whose axes make a left hand turns every triangle inside out.
    left_handed = np.linalg.det(ct_from_voxel[:3, :3]) < 0
    return Surface(vertices, raw.faces[:, ::-1] if left_handed else raw.faces)


def reduced(surface: Surface, most_triangles: int) -> Surface:
    """The surface with no more than about so many triangles (quadric error metric). InputError without VTK."""
    if len(surface.faces) <= most_triangles:
        return surface
    vtk, support = _vtk()
    decimate = vtk.vtkQuadricDecimation()
    decimate.SetInputData(_polydata(surface, vtk, support))
    decimate.SetTargetReduction(1 - most_triangles / len(surface.faces))
    decimate.Update()
    found = _surface(decimate.GetOutput(), support)
    return found.part(np.ones(len(found.vertices), dtype=bool))


def write_surface(
    path: str | Path, surface: Surface, values: Mapping[str, Shaped[np.ndarray, "n"]] | None = None
) -> None:
    """Write VTP, STL or PLY by the name's ending, in LPS and marked so; `values` of vertices by name, in VTP alone.

    InputError for another ending, for values in a file that cannot hold them, without VTK, and where nothing can be
    written.
    """
    path = Path(path)
    suffix = _known_suffix(path)
    if values and suffix != ".vtp":
        raise InputError(path, "cannot hold values at vertices", "Give a file that ends in .vtp.")
    vtk, support = _vtk()
    data = _polydata(surface.carried(ras_points), vtk, support)
    for name, of_vertices in (values or {}).items():
        array = support.numpy_to_vtk(np.ascontiguousarray(of_vertices), deep=True)
        array.SetName(name)
        data.GetPointData().AddArray(array)
        data.GetPointData().SetActiveScalars(name)
    with atomic_write(path) as temporary:
        writer = _writer(vtk, suffix, data)
        writer.SetFileName(str(temporary))
        if not writer.Write():
            raise OSError("VTK's writer gave up")


def _writer(vtk: Any, suffix: str, data: Any) -> Any:
    if suffix == ".vtp":
        space = vtk.vtkStringArray()
        space.SetName(_SPACE)
        space.InsertNextValue("LPS")
        data.GetFieldData().AddArray(space)
        writer = vtk.vtkXMLPolyDataWriter()
        writer.SetDataModeToBinary()
    elif suffix == ".stl":
        writer = vtk.vtkSTLWriter()
        writer.SetFileTypeToBinary()
        writer.SetHeader(f"Fluoro Registration. {_SPACE}=LPS")
    else:
        writer = vtk.vtkPLYWriter()
        writer.SetFileTypeToBinary()
        writer.AddComment(f"{_SPACE}=LPS")
    writer.SetInputData(data)
    return writer


def read_surface(path: str | Path) -> Surface:
    """Read VTP, STL or PLY; LPS unless the file says SPACE=RAS, as Slicer takes it.

    InputError for another ending, for a file that cannot be read, for one without triangles, and without VTK.
    """
    path = Path(path)
    suffix = _known_suffix(path)
    vtk, support = _vtk()
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error
    kinds = {".vtp": vtk.vtkXMLPolyDataReader, ".stl": vtk.vtkSTLReader, ".ply": vtk.vtkPLYReader}
    reader = kinds[suffix]()
    said = vtk.vtkStringOutputWindow()
    before = vtk.vtkOutputWindow.GetInstance()
    # VTK prints what is wrong with a file to the terminal; a person gets the words below.
    vtk.vtkOutputWindow.SetInstance(said)
    try:
        reader.SetFileName(str(path))
        reader.Update()
    finally:
        vtk.vtkOutputWindow.SetInstance(before)
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputData(reader.GetOutput())
    triangles.PassVertsOff()
    triangles.PassLinesOff()
    triangles.Update()
    if triangles.GetOutput().GetNumberOfCells() == 0:
        raise InputError(path, "holds no triangles that can be read", "Save the surface again as VTP, STL or PLY.")
    found = _surface(triangles.GetOutput(), support)
    return found if _space(reader, suffix) == "RAS" else found.carried(ras_points)


def _space(reader: Any, suffix: str) -> str:
    """RAS or LPS, as the file says; LPS where it says nothing."""
    said = ""
    if suffix == ".vtp":
        array = reader.GetOutput().GetFieldData().GetAbstractArray(_SPACE)
        said = f"{_SPACE}={array.GetVariantValue(0).ToString()}" if array is not None else ""
    elif suffix == ".stl":
        said = str(reader.GetHeader() or "")
    else:
        comments = reader.GetComments()
        said = " ".join(comments.GetValue(n) for n in range(comments.GetNumberOfValues()))
    return "RAS" if f"{_SPACE}=RAS" in said else "LPS"


def _known_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise InputError(path, f"ends in {suffix or 'nothing'}, which is no surface file", _FORMATS)
    return suffix


def _vtk() -> tuple[Any, Any]:
    """VTK and its bridge to NumPy. InputError without them."""
    try:
        import vtk
        from vtkmodules.util import numpy_support
    except ImportError:
        raise InputError(
            "vtk", "is not installed, and surfaces cannot be made without it", "Run: pip install vtk"
        ) from None
    return vtk, numpy_support


def _polydata(surface: Surface, vtk: Any, support: Any) -> Any:
    data, points, cells = vtk.vtkPolyData(), vtk.vtkPoints(), vtk.vtkCellArray()
    points.SetData(support.numpy_to_vtk(surface.vertices, deep=True))
    offsets = np.arange(0, 3 * len(surface.faces) + 1, 3)
    cells.SetData(
        support.numpy_to_vtkIdTypeArray(offsets, deep=True),
        support.numpy_to_vtkIdTypeArray(surface.faces.reshape(-1), deep=True),
    )
    data.SetPoints(points)
    data.SetPolys(cells)
    return data


def _surface(data: Any, support: Any) -> Surface:
    if data.GetNumberOfCells() == 0:
        return Surface(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))
    vertices = support.vtk_to_numpy(data.GetPoints().GetData())
    faces = support.vtk_to_numpy(data.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return Surface(vertices, faces)
