"""Changes of the scene that happen whole or not at all, and nodes that are made once and then reused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import slicer
import vtk
from jaxtyping import Float64

from .attributes import OWNER, ROLE


@contextmanager
def nothing_left_on_error() -> Iterator[None]:
    """Takes out again what a block added to the scene, if the block fails."""
    scene = slicer.mrmlScene
    before = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLNode", scene)}
    try:
        yield
    except BaseException:
        for node in reversed(slicer.util.getNodesByClass("vtkMRMLNode", scene)):
            if node.GetID() not in before and scene.IsNodePresent(node):
                scene.RemoveNode(node)
        raise


def new_node(class_name: str, name: str, role: str | None = None) -> Any:
    """A new node with a name that no other node has."""
    node = slicer.mrmlScene.AddNewNodeByClass(class_name, slicer.mrmlScene.GenerateUniqueName(name))
    node.SetAttribute(ROLE, role)
    return node


def belonging_to(owner: Any, reference: str, class_name: str, name: str) -> Any:
    """The node that `owner` refers to; made, and referred to from then on, where there is none of its own."""
    node = owner.GetNodeReference(reference)
    if node is None or not node.IsA(class_name) or node.GetNodeReferenceID(OWNER) != owner.GetID():
        node = new_node(class_name, name, reference.rpartition(".")[2].lower())
        node.SetNodeReferenceID(OWNER, owner.GetID())
        owner.SetNodeReferenceID(reference, node.GetID())
    return node


def remove_with_displays(node: Any) -> None:
    """Take a node out of the scene, and its display nodes, which no other node has, with it."""
    displays = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    slicer.mrmlScene.RemoveNode(node)
    for display in displays:
        if display is not None:
            slicer.mrmlScene.RemoveNode(display)


def ras_from_ijk(node: Any) -> Float64[np.ndarray, "4 4"]:
    """A volume node's IJKToRAS (mm), without the transforms that it lies under."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def set_ras_from_ijk(node: Any, matrix: Float64[np.ndarray, "4 4"]) -> None:
    """Set a volume node's IJKToRAS (mm)."""
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(matrix, dtype=np.float64)))


def matrix_of(transform: Any) -> Float64[np.ndarray, "4 4"]:
    """The matrix to its parent of a linear transform node."""
    return np.array(slicer.util.arrayFromTransformMatrix(transform))


def set_matrix(transform: Any, matrix: Float64[np.ndarray, "4 4"]) -> None:
    """Set the matrix to its parent of a linear transform node."""
    slicer.util.updateTransformMatrixFromArray(transform, np.asarray(matrix, dtype=np.float64))


def world_from_local(node: Any) -> Float64[np.ndarray, "4 4"] | None:
    """World (RAS mm) from the frame of a node: the product of its linear parents; None where one is not linear."""
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        return None
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))
