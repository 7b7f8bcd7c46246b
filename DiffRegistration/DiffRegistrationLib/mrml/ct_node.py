"""A CT as a volume node of Slicer's, in the node's own frame; what it lies under is its pose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from jaxtyping import Float64, Num

from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.hounsfield_volume import AIR_HOUNSFIELD, HounsfieldVolume, check_hounsfield
from ..xray.files.lps import ras_from_index
from ..xray.files.rigid_values import rigid_from_file

# A sheared grid is straightened by the very steps that a file's is.
from ..xray.files.volume_file import is_right_angled, planes_of, upward
from ..xray.provenance import Provenance
from .scene import ras_from_ijk, world_from_local

_ORIGIN = "volume node"


@dataclass(frozen=True, eq=False)
class TakenCT:
    """What a CT node holds: its name, its voxels as they are, and their grid. No node is needed for what follows."""

    name: str
    voxels: Num[np.ndarray, "depth rows columns"]
    lps_from_voxel: Float64[np.ndarray, "4 4"]

    def ct(self) -> CT:
        """The very CT that the file reader makes of the file. InputError, with the name, for what is not in HU."""
        matrix, hounsfield = self.lps_from_voxel, self.voxels.astype(np.float32)
        slices, rows, columns = hounsfield.shape
        spacing = " × ".join(f"{edge:.4f}" for edge in np.linalg.norm(matrix[:3, :3], axis=0))
        provenance = (
            Provenance("CT", f"{columns} × {rows} × {slices} voxels", _ORIGIN),
            Provenance("voxel size", f"{spacing} mm", _ORIGIN),
            Provenance("Hounsfield units", f"{hounsfield.min():g} to {hounsfield.max():g}", "the values as they are"),
        )
        if np.isfinite(hounsfield).all():
            np.maximum(hounsfield, np.float32(AIR_HOUNSFIELD), out=hounsfield)
        volume = HounsfieldVolume(hounsfield, matrix, provenance)
        if not is_right_angled(matrix):
            straight = planes_of(matrix, slices, Path(self.name)).straightened(upward(hounsfield, matrix))
            lines = (*provenance, *straight.provenance)
            volume = HounsfieldVolume(straight.hounsfield, straight.lps_from_voxel, lines)
        check_hounsfield(volume.hounsfield, self.name)
        ras_from_voxel = ras_from_index(volume.lps_from_voxel)
        return CT.from_hounsfield(volume.hounsfield, ras_from_voxel, provenance=volume.provenance)


def take_ct(node: Any) -> TakenCT:
    """A copy of what a CT node holds.

    InputError, naming the node, for what is no volume with several slices and one value a voxel, and for a node under
    a transform that is not linear.
    """
    _check_volume(node)
    _world_from_ct(node)
    return TakenCT(node.GetName(), np.array(slicer.util.arrayFromVolume(node)), ras_from_index(ras_from_ijk(node)))


def ct_from_node(node: Any) -> CT:
    """The CT of a volume node in HU, in the node's local RAS: without the transforms that the node lies under.

    It is the very CT that the file reader makes of the file. InputError, naming the node, for what is no volume of HU
    with several slices and one value a voxel, and for a node under a transform that is not linear.
    """
    return take_ct(node).ct()


def state_of(node: Any) -> tuple[Any, ...]:
    """What changes when the voxels or the grid of a volume node do."""
    image = node.GetImageData() if node is not None and node.IsA("vtkMRMLVolumeNode") else None
    if image is None:
        return ()
    return slicer.mrmlScene, node.GetID(), image.GetMTime(), ras_from_ijk(node).tobytes()


def world_from_ct(node: Any) -> Float64[np.ndarray, "4 4"]:
    """Where the CT lies now: the pose (rigid, RAS mm) that its parent transforms make, the identity without any.

    InputError, naming the node, for parents that are not linear, or that scale, shear or mirror.
    """
    matrix = _world_from_ct(node)
    try:
        return rigid_from_file(node.GetName(), "the transform that it lies under", matrix)
    except InputError as error:
        raise InputError(
            node.GetName(),
            error.problem,
            "Harden the transform on the CT (Transforms module, Harden), or put the CT under rotation and translation "
            "alone.",
        ) from None


def centre_of(node: Any) -> Float64[np.ndarray, "3"]:
    """Centre of a volume's grid in its local RAS (mm)."""
    _check_volume(node)
    middle = (np.array(node.GetImageData().GetDimensions()) - 1) / 2
    return ras_from_ijk(node)[:3] @ np.array([*middle, 1.0])


def describe_ct(node: Any) -> str:
    """What a CT node is, in a line. InputError if it cannot be used, or lies where no pose can take it."""
    _check_volume(node)
    world_from_ct(node)
    values = slicer.util.arrayFromVolume(node)
    check_hounsfield(values, node.GetName())
    columns, rows, slices = node.GetImageData().GetDimensions()
    i, j, k = node.GetSpacing()
    low, high = node.GetImageData().GetScalarRange()
    size = f"{columns} × {rows} × {slices} voxels of {i:.3g} × {j:.3g} × {k:.3g} mm"
    return f"{size}, {low:g} to {high:g} HU".replace("-", "\N{MINUS SIGN}")


def _check_volume(node: Any) -> None:
    if node is None or not node.IsA("vtkMRMLScalarVolumeNode"):
        raise InputError(
            "CT" if node is None else node.GetName(),
            "no volume was given" if node is None else "is no volume",
            "Choose the CT, loaded as a volume.",
        )
    image = node.GetImageData()
    if image is None or min(image.GetDimensions()) < 1 or image.GetPointData().GetScalars() is None:
        raise InputError(node.GetName(), "holds no image", "Load the CT again.")
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            node.GetName(),
            f"each voxel holds {image.GetNumberOfScalarComponents()} values (colour, vector or tensor)",
            "Choose the CT, a volume with one value a voxel.",
        )
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(node.GetName(), "is a label map, a CT was expected", "Choose the CT that it was drawn on.")
    size = image.GetDimensions()
    if min(size) < 2:
        raise InputError(
            node.GetName(),
            f"the image is {' × '.join(map(str, size))}: one slice, a CT needs several",
            "Choose the CT; an image of one slice can be an X-ray.",
        )


def _world_from_ct(node: Any) -> Float64[np.ndarray, "4 4"]:
    matrix = world_from_local(node)
    if matrix is None:
        raise InputError(
            node.GetName(),
            "lies under a transform that is not linear",
            "Harden that transform on the CT (Transforms module, Harden), or take the CT out of it.",
        )
    return matrix
