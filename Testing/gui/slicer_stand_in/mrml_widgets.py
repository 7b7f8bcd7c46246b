"""Slicer's MRML widgets that scripted modules use, on the real scene."""

# Names are Slicer's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from .ctk_numbers import ctkDoubleSpinBox, ctkSliderWidget
from .ctk_widgets import ctkCollapsibleButton
from .node_selector import qMRMLNodeComboBox
from .observers import forget, observe

SCENE_SIGNAL = "mrmlSceneChanged(vtkMRMLScene*)"


class SceneKeeper:
    """What the widgets share that only keep the scene and hand it on."""

    VTK_SIGNALS: tuple[str, ...] = (SCENE_SIGNAL,)
    _scene: Any = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)  # type: ignore[attr-defined]


class qMRMLWidget(SceneKeeper, QWidget):
    """A widget that hands its scene to the widgets that its .ui file connects it to."""

    mrmlSceneChanged = Signal(object)


class qSlicerWidget(SceneKeeper, QWidget):
    """As qMRMLWidget."""

    mrmlSceneChanged = Signal(object)


class qMRMLCollapsibleButton(SceneKeeper, ctkCollapsibleButton):
    """A collapsible button that knows the scene."""

    mrmlSceneChanged = Signal(object)


class UnitAware(SceneKeeper):
    """What a slider or spin box with units adds; the units themselves are not shown."""

    _quantity = ""

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def setQuantity(self, quantity: str) -> None:
        self._quantity = quantity


class qMRMLSliderWidget(UnitAware, ctkSliderWidget):
    """A slider that knows the scene's units."""

    quantity = Property(str, lambda self: self._quantity, UnitAware.setQuantity)


class qMRMLSpinBox(UnitAware, ctkDoubleSpinBox):
    """A spin box that knows the scene's units."""

    quantity = Property(str, lambda self: self._quantity, UnitAware.setQuantity)


class qMRMLTableView(SceneKeeper, QWidget):
    """Keeps a table node; shows its name."""

    mrmlSceneChanged = Signal(object)
    _table: Any = None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = QLabel(self)
        QHBoxLayout(self).addWidget(self._label)

    def mrmlTableNode(self) -> Any:
        return self._table

    def setMRMLTableNode(self, node: Any) -> None:
        self._table = node
        self._label.setText(node.GetName() if node is not None else "")


class qMRMLSequenceBrowserPlayWidget(SceneKeeper, QWidget):
    """Keeps the browser; its buttons step."""

    mrmlSceneChanged = Signal(object)
    _browser: Any = None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for text, step in (("⏮", self.onVcrFirst), ("⏴", self.onVcrPrevious), ("⏵", self.onVcrNext)):
            button = QToolButton(self)
            button.setText(text)
            button.clicked.connect(step)
            row.addWidget(button)

    def setMRMLSequenceBrowserNode(self, node: Any) -> None:
        self._browser = node
        self.setEnabled(node is not None)

    def onVcrFirst(self) -> None:
        self._browser.SelectFirstItem()

    def onVcrLast(self) -> None:
        self._browser.SelectLastItem()

    def onVcrNext(self) -> None:
        self._browser.SelectNextItem()

    def onVcrPrevious(self) -> None:
        self._browser.SelectNextItem(-1)


class qMRMLSequenceBrowserSeekWidget(SceneKeeper, QWidget):
    """A slider over the frames of a browser, both ways."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider)
        self._browser: Any = None
        self._observer: Any = None
        self._slider.valueChanged.connect(self.setSelectedItemNumber)

    def slider(self) -> QSlider:
        return self._slider

    def setMRMLSequenceBrowserNode(self, node: Any) -> None:
        if self._browser is not None:
            forget(self._observer)
        self._browser = node
        if node is not None:
            self._observer = observe(node, "ModifiedEvent", self._follow)
            self._follow()
        self.setEnabled(node is not None)

    def _follow(self) -> None:
        self._slider.blockSignals(True)
        self._slider.setRange(0, max(self._browser.GetNumberOfItems() - 1, 0))
        self._slider.setValue(self._browser.GetSelectedItemNumber())
        self._slider.blockSignals(False)

    def setSelectedItemNumber(self, number: int) -> None:
        if self._browser is not None:
            self._browser.SetSelectedItemNumber(number)


class qSlicerMarkupsPlaceWidget(SceneKeeper, QWidget):
    """Keeps the markups node and whether points are being placed."""

    mrmlSceneChanged = Signal(object)
    activeMarkupsPlaceModeChanged = Signal(bool)
    _node: Any = None
    _placing = False

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QToolButton(self)
        self._button.setText("Place")
        self._button.setCheckable(True)
        self._button.toggled.connect(self.setPlaceModeEnabled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._button)

    def currentNode(self) -> Any:
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        self._node = node
        self.setEnabled(node is not None)

    def setPlaceModeEnabled(self, placing: bool) -> None:
        if placing != self._placing:
            self._placing = placing
            self._button.setChecked(placing)
            self.activeMarkupsPlaceModeChanged.emit(placing)

    def placeButton(self) -> QToolButton:
        return self._button

    placeModeEnabled = Property(bool, lambda self: self._placing, setPlaceModeEnabled)


class qSlicerSimpleMarkupsWidget(SceneKeeper, QWidget):
    """A selector of point lists with a button to place points; the table of points is not shown."""

    mrmlSceneChanged = Signal(object)
    markupsNodeChanged = Signal()
    markupsFiducialNodeChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._selector = qMRMLNodeComboBox(self)
        self._selector.nodeTypes = ["vtkMRMLMarkupsFiducialNode"]
        self._place = qSlicerMarkupsPlaceWidget(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._selector, 1)
        row.addWidget(self._place)
        self._selector.currentNodeChanged[object].connect(self._on_node)

    def _on_node(self, node: Any) -> None:
        self._place.setCurrentNode(node)
        self.markupsNodeChanged.emit()
        self.markupsFiducialNodeChanged.emit()

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self._selector.setMRMLScene(scene)

    def currentNode(self) -> Any:
        return self._selector.currentNode()

    def getCurrentNode(self) -> Any:
        return self._selector.currentNode()

    def setCurrentNode(self, node: Any) -> None:
        self._selector.setCurrentNode(node)

    def setNodeBaseName(self, name: str) -> None:
        self._selector.baseName = name

    def markupsPlaceWidget(self) -> qSlicerMarkupsPlaceWidget:
        return self._place

    def markupsSelectorComboBox(self) -> qMRMLNodeComboBox:
        return self._selector
