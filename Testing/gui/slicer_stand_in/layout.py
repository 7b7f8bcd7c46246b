"""The layout manager: Slicer's own layout logic makes the view nodes, this makes their widgets."""

# Names are Slicer's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from .observers import observe
from .views import qMRMLPlotWidget, qMRMLSliceWidget, qMRMLThreeDWidget


class qSlicerLayoutManager(QObject):
    """Views of the current layout, and those of layouts before it."""

    layoutChanged = Signal(int)

    def __init__(self, application_logic: Any = None) -> None:
        super().__init__()
        self._application_logic = application_logic
        self._slices: dict[str, qMRMLSliceWidget] = {}
        self._volumes: dict[str, qMRMLThreeDWidget] = {}
        self._plots: dict[str, qMRMLPlotWidget] = {}
        self._logics = vtk.vtkCollection()
        self._viewport = QWidget()
        QHBoxLayout(self._viewport).setContentsMargins(0, 0, 0, 0)
        application_logic.SetSliceLogics(self._logics)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._arrangement = -1
        self._node = self._logic.GetLayoutNode()
        observe(self._node, "ModifiedEvent", self._follow)
        self._node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self._follow()

    def _follow(self) -> None:
        nodes = self._logic.GetViewNodes()
        shown: list[QWidget] = []
        for index in range(nodes.GetNumberOfItems()):
            node = nodes.GetItemAsObject(index)
            if node.IsA("vtkMRMLSliceNode"):
                shown.append(self._slice_widget(node))
            elif node.IsA("vtkMRMLViewNode"):
                shown.append(self._volume_widget(node))
            elif node.IsA("vtkMRMLPlotViewNode"):
                shown.append(self._plot_widget(node))
        for widget in (*self._slices.values(), *self._volumes.values(), *self._plots.values()):
            widget.setVisible(widget in shown)
        arrangement = self._node.GetViewArrangement()
        if arrangement != self._arrangement:
            self._arrangement = arrangement
            self.layoutChanged.emit(arrangement)

    def _slice_widget(self, node: Any) -> qMRMLSliceWidget:
        name = node.GetLayoutName()
        if name not in self._slices:
            logic = slicer.vtkMRMLSliceLogic()
            logic.SetMRMLApplicationLogic(self._application_logic)
            logic.SetMRMLScene(slicer.mrmlScene)
            logic.SetSliceNode(node)
            self._logics.AddItem(logic)
            self._slices[name] = qMRMLSliceWidget(logic, self._viewport)
            self._viewport.layout().addWidget(self._slices[name], 1)
        return self._slices[name]

    def _volume_widget(self, node: Any) -> qMRMLThreeDWidget:
        name = node.GetLayoutName()
        if name not in self._volumes:
            self._volumes[name] = qMRMLThreeDWidget(node, self._viewport)
            self._viewport.layout().addWidget(self._volumes[name], 1)
        return self._volumes[name]

    def _plot_widget(self, node: Any) -> qMRMLPlotWidget:
        name = node.GetLayoutName()
        if name not in self._plots:
            self._plots[name] = qMRMLPlotWidget(node, self._viewport)
            self._viewport.layout().addWidget(self._plots[name], 1)
        return self._plots[name]

    def layoutLogic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def mrmlSliceLogics(self) -> Any:
        return self._logics

    def viewport(self) -> QWidget:
        return self._viewport

    def sliceViewNames(self) -> list[str]:
        return list(self._slices)

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        return self._slices.get(name)

    def threeDWidget(self, which: int | str) -> qMRMLThreeDWidget | None:
        if isinstance(which, str):
            return self._volumes.get(which)
        return list(self._volumes.values())[which] if 0 <= which < len(self._volumes) else None

    def plotWidget(self, which: int) -> qMRMLPlotWidget | None:
        return list(self._plots.values())[which] if 0 <= which < len(self._plots) else None

    def setLayout(self, layout: int) -> None:
        self._node.SetViewArrangement(int(layout))

    layout = Property(int, lambda self: self._node.GetViewArrangement(), setLayout)
    threeDViewCount = Property(int, lambda self: len(self._volumes))
    plotViewCount = Property(int, lambda self: len(self._plots))
    tableViewCount = Property(int, lambda self: 0)

    def resetSliceViews(self) -> None:
        for widget in self._slices.values():
            widget.fitSliceToBackground()

    def resetThreeDViews(self) -> None:
        for widget in self._volumes.values():
            widget.threeDView().resetFocalPoint()

    def pauseRender(self) -> None:
        pass

    def resumeRender(self) -> None:
        pass
