"""The main window: the selected module at the left, the views at the right."""

# Names are Slicer's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QMainWindow, QScrollArea, QSplitter, QToolBar, QWidget


class qSlicerModuleSelectorToolBar(QToolBar):
    """Chooses the module that is shown: leaves the one before, enters the new one."""

    moduleSelected = Signal(str)

    def __init__(self, manager: Any = None, panel: QScrollArea | None = None) -> None:
        super().__init__()
        self._manager, self._panel = manager, panel
        self._selected = ""

    def selectModule(self, name: str) -> None:
        module = self._manager.module(name)
        if module is None or name == self._selected:
            return
        before = self._manager.module(self._selected)
        if before is not None and before.widgetRepresentation() is not None:
            before.widgetRepresentation().exit()
        self._selected = name
        widget = module.widgetRepresentation()
        if widget is not None:
            self._panel.takeWidget()
            self._panel.setWidget(widget)
            widget.enter()
        self.moduleSelected.emit(name)

    selectedModule = Property(str, lambda self: self._selected)


class qSlicerMainWindow(QMainWindow):
    """The window that slicer.util.mainWindow() finds by its name."""

    initialWindowShown = Signal()

    def __init__(self, manager: Any = None, viewport: QWidget | None = None) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer (stand-in)")
        self._panel = QScrollArea()
        self._panel.setWidgetResizable(True)
        self._panel.setMinimumWidth(380)
        self._selector = qSlicerModuleSelectorToolBar(manager, self._panel)
        halves = QSplitter()
        halves.addWidget(self._panel)
        halves.addWidget(viewport if viewport is not None else QWidget())
        halves.setStretchFactor(1, 1)
        self.setCentralWidget(halves)
        self.statusBar()

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector

    def pythonConsole(self) -> None:
        return None
