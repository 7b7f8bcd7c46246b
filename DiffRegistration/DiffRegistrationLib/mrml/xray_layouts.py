"""Layouts of slice views for X-rays beside a 3D view, with a plot or without. Slicer is told of them at its start."""

from __future__ import annotations

from typing import Any

# Slicer's own layouts have smaller numbers; the layout of n X-rays has this one plus n.
LAYOUT_ID = 20501
# Of the same layout with a plot below the 3D view, this much greater.
_WITH_PLOT = 50
# A scene that was saved in a layout opens to empty views where Slicer was not told of it before.
_TOLD_OF_AT_START = 8
_COLOURS = ("#F34A33", "#6EB04B", "#EDD54C", "#4A90D9")


def view_name(number: int) -> str:
    """The singleton tag of the view of X-ray `number`, from 1."""
    return f"XRay{number}"


def layout_description(xray_count: int, plot: bool = False) -> str:
    """The XML of a layout: up to two columns of X-ray views, beside them the 3D view as large as all of them.

    With a `plot` that has the lower half of the 3D view's place.
    """
    columns = 1 if xray_count <= 2 else 2
    rows = [range(first, min(first + columns, xray_count + 1)) for first in range(1, xray_count + 1, columns)]
    images = "".join(
        f'<item><layout type="horizontal">{"".join(_slice_view(number) for number in row)}</layout></item>'
        for row in rows
    )
    beside = f'<item><layout type="vertical">{images}</layout></item>' if images else ""
    space = f"<item>{_view('vtkMRMLViewNode', '1', '1')}</item>"
    if plot:
        below = f"<item>{_view('vtkMRMLPlotViewNode', 'PlotView1', 'P')}</item>"
        space = f'<item><layout type="vertical" split="true">{space}{below}</layout></item>'
    return f'<layout type="horizontal" split="true">{beside}{space}</layout>'


def layout_for(layout_node: Any, xray_count: int, plot: bool = False) -> int:
    """The number of the layout for so many X-rays, of which `layout_node` (vtkMRMLLayoutNode) knows from then on."""
    number = LAYOUT_ID + xray_count + (_WITH_PLOT if plot else 0)
    if not layout_node.IsLayoutDescription(number):
        layout_node.AddLayoutDescription(number, layout_description(xray_count, plot))
    return number


def tell_of_layouts(layout_node: Any) -> None:
    """Have `layout_node` know the layouts that saved scenes may ask for."""
    for xray_count in range(1, _TOLD_OF_AT_START + 1):
        layout_for(layout_node, xray_count)
        layout_for(layout_node, xray_count, plot=True)


def _view(kind: str, tag: str, label: str) -> str:
    return (
        f'<view class="{kind}" singletontag="{tag}"><property name="viewlabel" action="default">{label}</property>'
        "</view>"
    )


def _slice_view(number: int) -> str:
    colour = _COLOURS[(number - 1) % len(_COLOURS)]
    return (
        f'<item><view class="vtkMRMLSliceNode" singletontag="{view_name(number)}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">X{number}</property>'
        f'<property name="viewcolor" action="default">{colour}</property></view></item>'
    )
