"""The error of a network against the time of its training, as Slicer's plot nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer

from .plot_nodes import fill_table, named_node

_COLUMNS = (("minutes", "Minutes"), ("distance_mm", "Distance (mm)"), ("rotation_deg", "Rotation (°)"))
_COLOURS = ((0.12, 0.47, 0.71), (0.85, 0.37, 0.01))
_NAME = "Training error"


class ErrorPlot:
    """One table, two series and a chart, made when there is something to plot and reused afterwards."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, float, float]] = []

    @property
    def empty(self) -> bool:
        """Whether there is nothing to plot yet."""
        return not self._rows

    def begin(self) -> None:
        """Forget the training before."""
        self._rows.clear()

    def add(self, numbers: Mapping[str, float]) -> None:
        """A point, where `numbers` of a progress hold a validation (`distance_mm`, `rotation_deg`) at `seconds`."""
        if "distance_mm" not in numbers:
            return
        row = (numbers["seconds"] / 60, numbers["distance_mm"], numbers["rotation_deg"])
        if self._rows and self._rows[-1][1:] == row[1:]:
            return
        self._rows.append(row)
        if named_node("vtkMRMLPlotChartNode", _NAME, make=False) is not None:
            self._write()

    def show(self) -> Any:
        """Plot what there is, in a plot view where there are windows; the chart's node."""
        chart = self._write()
        application = getattr(slicer, "app", None)
        manager = application.layoutManager() if application is not None else None
        if manager is not None:
            logic = slicer.modules.plots.logic()
            logic.ShowChartInLayout(chart)
        return chart

    def _write(self) -> Any:
        table = named_node("vtkMRMLTableNode", _NAME)
        with slicer.util.NodeModify(table):
            columns = zip(*self._rows, strict=True)
            fill_table(table, dict(zip((heading for _key, heading in _COLUMNS), columns, strict=True)))
        chart = named_node("vtkMRMLPlotChartNode", _NAME)
        chart.RemoveAllPlotSeriesNodeIDs()
        for (_key, heading), colour in zip(_COLUMNS[1:], _COLOURS, strict=True):
            series = named_node("vtkMRMLPlotSeriesNode", heading)
            series.SetAndObserveTableNodeID(table.GetID())
            series.SetXColumnName(_COLUMNS[0][1])
            series.SetYColumnName(heading)
            series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
            series.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleSolid)
            series.SetColor(*colour)
            chart.AddAndObservePlotSeriesNodeID(series.GetID())
        chart.SetTitle("Median error on images that are not learnt from")
        chart.SetXAxisTitle("Minutes of training")
        chart.SetYAxisTitle("mm and degrees")
        return chart
