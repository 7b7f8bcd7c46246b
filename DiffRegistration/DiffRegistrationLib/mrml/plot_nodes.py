"""Nodes of plots, which are made once by their names and then reused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import slicer
import vtk


def named_node(kind: str, name: str, make: bool = True) -> Any:
    """The node of this class and name."""
    for node in slicer.util.getNodesByClass(kind, slicer.mrmlScene):
        if node.GetName() == name:
            return node
    return slicer.mrmlScene.AddNewNodeByClass(kind, name) if make else None


def fill_table(table: Any, columns: Mapping[str, Sequence[float]]) -> None:
    """Put columns of numbers, by their headings, in the place of what a table node holds."""
    table.RemoveAllColumns()
    for heading, values in columns.items():
        column = vtk.vtkDoubleArray()
        column.SetName(heading)
        for value in values:
            column.InsertNextValue(value)
        table.AddColumn(column)
