"""Puts the stand-in where `import` finds it, for one test."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import shiboken6
import slicer
from PySide6.QtCore import QCoreApplication, QEvent, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from . import (
    application,
    connections,
    ctk_widgets,
    event_loop,
    installers,
    layout,
    main_window,
    modules,
    mrml_widgets,
    node_files,
    node_selector,
    observers,
    parameter_node,
    pythonqt,
    qt_kit,
    scripted_module,
    session,
    views,
)
from .conversion import to_python
from .recorded_names import OFFERED

_modules: dict[str, ModuleType] = {}
_slicer_classes: dict[str, Any] = {}
# Qt wants its application as long as there are widgets.
_qt_applications: list[Any] = []


def _make_once() -> None:
    """The modules and classes; made once a process, since the code under test keeps them."""
    if _modules:
        return
    _qt_applications.append(QApplication.instance() or QApplication(["Slicer"]))
    QApplication.setQuitOnLastWindowClosed(False)
    sources = (mrml_widgets, node_selector, views, modules, layout, main_window, node_files)
    for name in OFFERED["slicer"]:
        native_class = next(getattr(source, name) for source in sources if hasattr(source, name))
        _slicer_classes[name] = pythonqt.make_class("slicer", name, native_class)
    pythonqt.make_class("slicer", "qSlicerApplication", application.qSlicerApplication)
    made = [qt_kit.make_module(), ctk_widgets.make_module(), parameter_node.make_module(), _sample_data()]
    _modules.update({module.__name__: module for module in made})
    _modules.update(scripted_module.make_modules())
    _modules.update(installers.make_modules())


def _sample_data() -> ModuleType:
    """The module `SampleData`: keeps the sources that modules register in slicer.modules.sampleDataSources."""

    class SampleDataLogic:
        @staticmethod
        def registerCustomSampleDataSource(  # noqa: N802
            category: str = "Custom", uris: Any = None, fileNames: Any = None, nodeNames: Any = None, **source: Any
        ) -> None:
            each = [[one] if isinstance(one, str) else one for one in (uris, fileNames, nodeNames)]
            # As Slicer's own does: it counts them, whoever loads.
            if len({len(one) for one in each}) != 1:
                raise ValueError("as many addresses, file names and node names are wanted")
            slicer.modules.sampleDataSources.setdefault(category, []).append(SimpleNamespace(**source))

    made = ModuleType("SampleData", "Sample data that nobody downloads: a stand-in")
    made.__dict__["SampleDataLogic"] = SampleDataLogic
    return made


def _on_qt_message(kind: QtMsgType, _context: Any, message: str) -> None:
    # The platform without a screen says so again and again.
    if not message.startswith("This plugin does not support") and kind != QtMsgType.QtDebugMsg:
        session.current().qt_warnings.append(message)


@dataclass
class StandIn(session.Session):
    """One test's Slicer: what `Session` holds, and how to play the user."""

    patch: pytest.MonkeyPatch | None = None
    file_managers: tuple[Any, ...] = ()

    pump = staticmethod(event_loop.pump)
    grab = staticmethod(event_loop.grab)
    native = staticmethod(pythonqt.native)
    meter = event_loop.Meter

    @property
    def scene(self) -> Any:
        """The real scene."""
        return slicer.mrmlScene

    @property
    def window(self) -> Any:
        """The main window, whether or not Slicer is said to have one."""
        return to_python(pythonqt.native(slicer.app).main_window())

    def load_module(self, file: Path) -> Any:
        """Load a scripted module from its file, as Slicer does at its start; gives slicer.modules.<name>."""
        assert self.patch is not None
        self.patch.syspath_prepend(str(file.parent))
        return pythonqt.native(slicer.app).moduleManager().load(file)

    def enter_module(self, name: str) -> Any:
        """Choose a module in the main window; gives its Python window."""
        slicer.util.selectModule(name)
        return slicer.util.getModuleWidget(name)

    def without_pytorch_extension(self) -> None:
        """From now on `import PyTorchUtils` fails, as it does where the extension is not installed."""
        assert self.patch is not None
        self.patch.setitem(sys.modules, "PyTorchUtils", None)


def _file_managers(scene: Any, cache_folder: Path) -> tuple[Any, ...]:
    """What the application gives to its scene, and what files of sequences are unpacked with."""
    cache, files = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache_folder.mkdir(exist_ok=True)
    cache.SetRemoteCacheDirectory(str(cache_folder))
    cache.SetMRMLScene(scene)
    files.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(files)
    return cache, files


def begin(patch: pytest.MonkeyPatch, folder: Path) -> StandIn:
    """A new Slicer: an empty scene, no modules loaded but a few C++ ones."""
    _make_once()
    for name, module in _modules.items():
        patch.setitem(sys.modules, name, module)
        if name.startswith("slicer."):
            patch.setattr(slicer, name.removeprefix("slicer."), module, raising=False)
    for name, cls in _slicer_classes.items():
        patch.setattr(slicer, name, cls, raising=False)
    made = StandIn(folder=folder, patch=patch)
    session.begin(made)
    qInstallMessageHandler(_on_qt_message)

    def keep(_kind: type[BaseException], error: BaseException, trace: Any) -> None:
        made.uncaught.append(error.with_traceback(trace))

    # Qt's callbacks and VTK's observers both end here.
    patch.setattr(sys, "excepthook", keep)
    patch.setattr(slicer, "mrmlScene", slicer.vtkMRMLScene(), raising=False)
    made.file_managers = _file_managers(slicer.mrmlScene, folder / "cache")
    patch.setattr(slicer, "modules", SimpleNamespace(sampleDataSources={}), raising=False)
    patch.setattr(slicer, "selfTests", {}, raising=False)
    patch.setattr(slicer, "app", None, raising=False)
    slicer.app = to_python(application.qSlicerApplication())
    return made


def end(made: StandIn) -> None:
    """Unload the modules, destroy the widgets; the exceptions that nobody caught fail the test."""
    try:
        pythonqt.native(slicer.app).close()
    except Exception as error:
        made.uncaught.append(error)
    uncaught, scene = made.take_uncaught(), slicer.mrmlScene
    connections.forget_all()
    observers.forget_all()
    # Whoever still observes the scene, as the parameter node does, must not be called while it goes.
    for what in (scene, *(scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))):
        what.RemoveAllObservers()
    for widget in QApplication.topLevelWidgets():
        if shiboken6.isValid(widget):
            shiboken6.delete(widget)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qInstallMessageHandler(None)
    # In the order that VTK survives.
    scene.SetDataIOManager(None)
    scene.SetCacheManager(None)
    session.begin(session.Session())
    if uncaught:
        raise AssertionError(f"uncaught in a callback: {uncaught}") from uncaught[0]
