"""The colour tables of models: how far landmarks may be off, and how much a place was shone on. Made once a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from DiffRegistrationLib.mrml.attributes import ROLE

_SHADES = 64
_NAN_GREY = (0.6, 0.6, 0.6)
_LEGEND = "vtkMRMLColorLegendDisplayNode"


@dataclass(frozen=True)
class Colours:
    """Colours of a scale from 0 to `highest`, evenly spaced."""

    role: str
    name: str
    stops: tuple[tuple[float, float, float], ...]
    highest: float
    unit: str


ERRORS = Colours(
    "landmark-errors", "Landmark errors", ((0.16, 0.66, 0.3), (0.96, 0.62, 0.1), (0.82, 0.12, 0.12)), 6.0, "mm"
)
"""Green by way of orange to red, for standard deviations and residuals."""
SHONE_ON = Colours(
    "landmark-exposure",
    "Relative exposure",
    ((0.45, 0.45, 0.48), (0.55, 0.16, 0.5), (0.93, 0.35, 0.22), (0.99, 0.93, 0.55)),
    1.0,
    "",
)
"""From grey skin by way of purple and red to yellow."""


def colour_table(colours: Colours) -> Any:
    """The scene's node of these colours."""
    for node in slicer.util.getNodesByClass("vtkMRMLColorTableNode", slicer.mrmlScene):
        if node.GetAttribute(ROLE) == colours.role:
            return node
    table = slicer.vtkMRMLColorTableNode()
    table.SetName(colours.name)
    table.SetAttribute(ROLE, colours.role)
    table.SetTypeToUser()
    table.SetNumberOfColors(_SHADES)
    stops = np.linspace(0.0, 1.0, len(colours.stops))
    for shade, place in enumerate(np.linspace(0.0, 1.0, _SHADES)):
        rgb = [float(np.interp(place, stops, channel)) for channel in zip(*colours.stops, strict=True)]
        table.SetColor(shade, f"{place * colours.highest:.2f} {colours.unit}".strip(), *rgb, 1.0)
    table.GetLookupTable().SetNanColor(*_NAN_GREY, 1.0)
    return slicer.mrmlScene.AddNode(table)


def colour_by(model: Any, array: str, colours: Colours) -> None:
    """Colour a model by an array at its points; grey where it is NaN."""
    display = model.GetDisplayNode()
    display.SetAndObserveColorNodeID(colour_table(colours).GetID())
    display.SetActiveScalar(array, vtk.vtkAssignAttribute.POINT_DATA)
    display.SetScalarRangeFlag(display.UseManualScalarRange)
    display.SetScalarRange(0.0, colours.highest)
    display.SetScalarVisibility(True)


def colour_directly(model: Any, array: str) -> None:
    """Colour a model by an array of red, green and blue (0 … 255)."""
    display = model.GetDisplayNode()
    display.SetActiveScalar(array, vtk.vtkAssignAttribute.POINT_DATA)
    display.SetScalarRangeFlag(display.UseDirectMapping)
    display.SetScalarVisibility(True)


def show_legend(model: Any, title: str) -> Any:
    """Give a coloured model a bar in the views that says what its colours mean; its node, made once."""
    scene = slicer.mrmlScene
    if not scene.IsNodeClassRegistered(_LEGEND):
        # The application has done so.
        scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
    logic = slicer.vtkSlicerColorLogic
    legend = logic.GetColorLegendDisplayNode(model) or logic.AddDefaultColorLegendDisplayNode(model)
    legend.SetTitleText(title)
    legend.SetLabelFormat("%.1f")
    legend.SetMaxNumberOfColors(_SHADES)
    legend.SetNumberOfLabels(4)
    return legend
