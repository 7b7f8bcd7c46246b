"""Slice, 3D and plot views as the layout manager gives them: on real nodes and logics, a slice as a still picture."""

# Names are Slicer's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget
from vtkmodules.util.numpy_support import vtk_to_numpy

from .mrml_widgets import SceneKeeper
from .observers import observe


def slice_picture(logic: Any) -> QImage | None:
    """What a slice logic blends of its layers, as a picture; None if it has none."""
    connection = logic.GetImageDataConnection()
    if connection is None:
        return None
    connection.GetProducer().Update()
    data = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
    if data is None or data.GetPointData().GetScalars() is None:
        return None
    width, height, _ = data.GetDimensions()
    colours = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(height, width, -1)
    # Where there is no layer the fourth component is nought.
    seen = colours[..., :3] * (colours[..., 3:] > 0)
    colours = np.ascontiguousarray(np.flipud(seen).astype(np.uint8))
    return QImage(colours.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class qMRMLSliceView(QWidget):
    """The picture of a slice."""

    resized = Signal()

    def __init__(self, logic: Any = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = logic
        self.setMinimumSize(120, 120)
        observe(logic, "ModifiedEvent", self.scheduleRender)

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def forceRender(self) -> None:
        self.repaint()

    def scheduleRender(self) -> None:
        self.update()

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._logic.GetSliceNode().SetDimensions(max(self.width(), 1), max(self.height(), 1), 1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        picture = slice_picture(self._logic)
        if picture is not None:
            painter.drawImage(self.rect(), picture)


class qMRMLSliceControllerWidget(QWidget):
    """The bar above a slice, without its tools."""

    def __init__(self, logic: Any = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = logic
        node = logic.GetSliceNode()
        label = QLabel(node.GetLayoutLabel() or node.GetLayoutName(), self)
        colour = QColor.fromRgbF(*node.GetLayoutColor())
        self.setStyleSheet(f"background: {colour.name()}")
        row = QVBoxLayout(self)
        row.setContentsMargins(4, 0, 0, 0)
        row.addWidget(label)

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()

    def setSliceVisible(self, visible: bool) -> None:
        self._logic.GetSliceNode().SetSliceVisible(visible)

    def setForegroundOpacity(self, opacity: float) -> None:
        self._logic.GetSliceCompositeNode().SetForegroundOpacity(opacity)


class ViewWidget(SceneKeeper, QWidget):
    """A controller bar above a view."""

    mrmlSceneChanged = Signal(object)

    def _stack(self, controller: QWidget, view: QWidget) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(controller)
        column.addWidget(view, 1)


class qMRMLSliceWidget(ViewWidget):
    """A slice view with its bar."""

    def __init__(self, logic: Any = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = logic
        self._controller = qMRMLSliceControllerWidget(logic, self)
        self._view = qMRMLSliceView(logic, self)
        self._stack(self._controller, self._view)

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def sliceController(self) -> qMRMLSliceControllerWidget:
        return self._controller

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()

    sliceViewName = Property(str, lambda self: self._logic.GetSliceNode().GetLayoutName())


class qMRMLThreeDView(QWidget):
    """A 3D view that draws nothing: a camera node and a blank field."""

    def __init__(self, node: Any = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = node
        self.setMinimumSize(120, 120)
        self.setStyleSheet("background: #9c9cc9")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        # How often the camera was put back: what a test can look at.
        self.resets = 0

    def mrmlViewNode(self) -> Any:
        return self._node

    def cameraNode(self) -> Any:
        logic = slicer.vtkSlicerCamerasModuleLogic()
        logic.SetMRMLScene(self._node.GetScene())
        found = logic.GetViewActiveCameraNode(self._node)
        if found is None:
            found = self._node.GetScene().AddNewNodeByClass("vtkMRMLCameraNode")
            found.SetLayoutName(self._node.GetLayoutName())
        return found

    def forceRender(self) -> None:
        self.repaint()

    def scheduleRender(self) -> None:
        self.update()

    def resetCamera(self, *_how: Any) -> None:
        self.resets += 1

    def resetFocalPoint(self) -> None:
        self.resets += 1


class qMRMLThreeDWidget(ViewWidget):
    """A 3D view with its bar."""

    def __init__(self, node: Any = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = node
        self._controller = QLabel(node.GetLayoutLabel() or "1", self)
        self._view = qMRMLThreeDView(node, self)
        self._stack(self._controller, self._view)

    def mrmlViewNode(self) -> Any:
        return self._node

    def threeDView(self) -> qMRMLThreeDView:
        return self._view

    def threeDController(self) -> QLabel:
        return self._controller


class qMRMLPlotView(SceneKeeper, QWidget):
    """A plot view that draws nothing: a blank field, and the signal of points that are chosen."""

    VTK_SIGNALS = (*SceneKeeper.VTK_SIGNALS, "dataSelected(vtkStringArray*,vtkCollection*)")
    mrmlSceneChanged = Signal(object)
    dataSelected = Signal(object, object)

    def __init__(self, node: Any = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = node
        self.setMinimumSize(120, 80)
        self.setStyleSheet("background: white")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._node = node

    def select(self, series_id: str, point: int) -> None:
        """Choose a point of a series, as a user does with the mouse."""
        series, chosen, points = vtk.vtkStringArray(), vtk.vtkCollection(), vtk.vtkIdTypeArray()
        series.InsertNextValue(series_id)
        points.InsertNextValue(point)
        chosen.AddItem(points)
        self.dataSelected.emit(series, chosen)


class qMRMLPlotWidget(ViewWidget):
    """A plot view with its bar."""

    def __init__(self, node: Any = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = node
        self._controller = QLabel(node.GetLayoutLabel() or "P", self)
        self._view = qMRMLPlotView(node, self)
        self._stack(self._controller, self._view)

    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def plotView(self) -> qMRMLPlotView:
        return self._view

    def plotController(self) -> QLabel:
        return self._controller
