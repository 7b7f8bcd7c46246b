"""What X-rays shone on, as a model of the skin that stays with its CT, and where the eyes' lenses lay to the beam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from DiffRegistrationLib.mrml.attributes import OWNER
from DiffRegistrationLib.mrml.scene import belonging_to, nothing_left_on_error
from vtk.util import numpy_support

from ..exposure.exposure_files import RELATIVE_ARRAY
from ..exposure.point_organs import Place
from .attributes import EXPOSURE, EXPOSURE_TABLE
from .colour_tables import SHONE_ON, colour_by, show_legend
from .ct_landmarks import stay_with_ct
from .sides import shown_name
from .surface_models import load_surface

FRAME, VIEW = "Frame", "View"
# What a lens' column says, and the heading of how far it lies inside of the beam's edge (negative: outside).
IN_WORDS = {Place.INSIDE: "in the beam", Place.EDGE: "at its edge", Place.OUTSIDE: "outside"}
MARGIN = "{lens} margin (mm)"


def exposure_model(ct_node: Any, path: str | Path) -> Any:
    """Put the skin of a CT with what it was exposed to (VTP, in the CT's frame) into the CT's model, made once.

    It lies where the CT does. InputError for a file that holds none.
    """
    with nothing_left_on_error():
        model = belonging_to(ct_node, EXPOSURE, "vtkMRMLModelNode", f"{ct_node.GetName()} exposure")
        load_surface(model, path)
        if model.GetDisplayNode() is None:
            model.CreateDefaultDisplayNodes()
            model.GetDisplayNode().SetVisibility2D(False)
    stay_with_ct(ct_node)
    colour_by(model, RELATIVE_ARRAY, SHONE_ON)
    show_legend(model, "Relative exposure")
    return model


def exposure_model_of(ct_node: Any) -> Any:
    """The model of what a CT's skin was exposed to; None where none was made."""
    return _own(ct_node, EXPOSURE)


def exposure_table(ct_node: Any, frames: Sequence[Mapping[str, Any]]) -> Any:
    """A row for each of these frames (`frame`, `view` from 0, `lenses`: name, place, margin_mm) in the CT's table.

    It has the frame's number and the view, from 1, and for each lens where it lay to the beam and by how much.
    """
    table = belonging_to(ct_node, EXPOSURE_TABLE, "vtkMRMLTableNode", f"{ct_node.GetName()} exposure table")
    lenses = list(dict.fromkeys(lens["name"] for frame in frames for lens in frame["lenses"]))
    with slicer.util.NodeModify(table):
        table.RemoveAllColumns()
        _add_numbers(table, FRAME, np.array([frame["frame"] for frame in frames], dtype=np.int32))
        _add_numbers(table, VIEW, np.array([frame["view"] + 1 for frame in frames], dtype=np.int32))
        for name in lenses:
            found = [next((lens for lens in frame["lenses"] if lens["name"] == name), None) for frame in frames]
            places = vtk.vtkStringArray()
            places.SetName(shown_name(name))
            for lens in found:
                places.InsertNextValue("" if lens is None else IN_WORDS[Place(lens["place"])])
            table.AddColumn(places)
            margins = [None if lens is None else lens["margin_mm"] for lens in found]
            _add_numbers(
                table,
                MARGIN.format(lens=shown_name(name)),
                np.array([np.nan if margin is None else round(margin, 1) for margin in margins]),
            )
    return table


def exposure_table_of(ct_node: Any) -> Any:
    """The table that `exposure_table` has filled; None where there is none."""
    return _own(ct_node, EXPOSURE_TABLE)


def _own(ct_node: Any, reference: str) -> Any:
    node = ct_node.GetNodeReference(reference)
    return node if node is not None and node.GetNodeReferenceID(OWNER) == ct_node.GetID() else None


def _add_numbers(table: Any, heading: str, values: np.ndarray) -> None:
    column = numpy_support.numpy_to_vtk(values, deep=True)
    column.SetName(heading)
    table.AddColumn(column)
