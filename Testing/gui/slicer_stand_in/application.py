"""`slicer.app`."""

# Names are Slicer's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import slicer
from PySide6.QtCore import Property, QCoreApplication, QObject, QProcessEnvironment, Signal
from PySide6.QtGui import QClipboard
from PySide6.QtWidgets import QApplication, QWidget

from .layout import qSlicerLayoutManager
from .main_window import qSlicerMainWindow
from .modules import qSlicerModuleManager
from .node_files import qSlicerCoreIOManager
from .qt_kit import TestSettings
from .session import current

SYSTEMS = {"linux": "linux", "darwin": "macosx", "win32": "win"}


def _fixed(kind: type, value: Callable[[], Any]) -> Any:
    return Property(kind, lambda self: value())


class qSlicerApplication(QObject):
    """The application, made anew for each test beside the one QApplication of the process."""

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)
    aboutToQuit = Signal()
    VTK_SIGNALS = ("mrmlSceneChanged(vtkMRMLScene*)",)

    applicationName = _fixed(str, lambda: "Slicer")
    mainApplicationName = _fixed(str, lambda: "Slicer")
    applicationVersion = _fixed(str, lambda: "5.13.0-stand-in")
    majorVersion = _fixed(int, lambda: 5)
    minorVersion = _fixed(int, lambda: 13)
    os = _fixed(str, lambda: SYSTEMS.get(sys.platform, sys.platform))
    temporaryPath = _fixed(str, lambda: str(current().folder))
    slicerHome = _fixed(str, lambda: str(current().folder / "SlicerHome"))
    defaultScenePath = _fixed(str, lambda: str(current().folder))
    documentationBaseUrl = _fixed(str, lambda: "https://slicer.readthedocs.io/en/latest/")

    def __init__(self) -> None:
        super().__init__()
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._logic.SetMRMLScene(slicer.mrmlScene)
        # Without the colour nodes a volume is not shown.
        self._logic.GetColorLogic().SetMRMLScene(slicer.mrmlScene)
        self._modules = qSlicerModuleManager(self._logic)
        self._files = qSlicerCoreIOManager(self._modules)
        self._layout = qSlicerLayoutManager(self._logic)
        self._window: QWidget | None = qSlicerMainWindow(self._modules, self._layout.viewport())
        # How deep rendering is paused: what a test can look at.
        self.paused = 0

    def close(self) -> None:
        """What happens at Slicer's end."""
        self._modules.unload_scripted()
        self._window = None

    def main_window(self) -> QWidget | None:
        """The main window."""
        return self._window

    def applicationLogic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def moduleManager(self) -> qSlicerModuleManager:
        return self._modules

    def moduleLogic(self, name: str) -> Any:
        module = self._modules.module(name)
        return module.logic() if module is not None else None

    def coreIOManager(self) -> qSlicerCoreIOManager:
        return self._files

    def ioManager(self) -> qSlicerCoreIOManager:
        return self._files

    def layoutManager(self) -> qSlicerLayoutManager | None:
        return self._layout if current().main_window else None

    def topLevelWidgets(self) -> list[QWidget]:
        hidden = None if current().main_window else self._window
        return [widget for widget in QApplication.topLevelWidgets() if widget is not hidden]

    def commandOptions(self) -> Any:
        return SimpleNamespace(testingEnabled=current().testing, noMainWindow=not current().main_window)

    def testingEnabled(self) -> bool:
        return current().testing

    def settings(self) -> TestSettings:
        return TestSettings()

    def userSettings(self) -> TestSettings:
        return TestSettings()

    def processEvents(self) -> None:
        QApplication.processEvents()

    def setOverrideCursor(self, cursor: Any) -> None:
        QApplication.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        QApplication.restoreOverrideCursor()

    def pauseRender(self) -> None:
        self.paused += 1

    def resumeRender(self) -> None:
        self.paused -= 1

    def startupEnvironment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    def clipboard(self) -> QClipboard:
        return QApplication.clipboard()

    def pythonConsole(self) -> None:
        return None

    def openUrl(self, url: str) -> bool:
        current().opened.append(url)
        return True

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/en/latest/user_guide/modules/{name.lower()}.html"

    def translate(self, _context: str, text: str, *_rest: Any) -> str:
        return text

    def keyboardModifiers(self) -> Any:
        return QApplication.keyboardModifiers()

    def applicationDirPath(self) -> str:
        return QCoreApplication.applicationDirPath()
