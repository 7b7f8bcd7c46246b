"""Modules as the application keeps them: C++ ones with their real logic, scripted ones loaded from their file."""

# Names are Slicer's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout, QWidget

from .conversion import to_python

# The C++ modules that the stand-in has, and their logic in slicer-core.
LOGICS = {
    "cameras": "vtkSlicerCamerasModuleLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "models": "vtkSlicerModelsLogic",
    "plots": "vtkSlicerPlotsLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "tables": "vtkSlicerTablesLogic",
    "transforms": "vtkSlicerTransformLogic",
    "volumes": "vtkSlicerVolumesLogic",
}


def _kept(kind: Any, name: str, default: Any) -> Any:
    def write(self: Any, value: Any) -> None:
        self.__dict__["_" + name] = list(value) if kind == "QStringList" else value

    return Property(kind, lambda self: self.__dict__.get("_" + name, default), write)


class qSlicerAbstractModule(QObject):
    """A module: its description and its logic."""

    title = _kept(str, "title", "")
    helpText = _kept(str, "helpText", "")
    acknowledgementText = _kept(str, "acknowledgementText", "")
    categories = _kept("QStringList", "categories", [])
    dependencies = _kept("QStringList", "dependencies", [])
    contributors = _kept("QStringList", "contributors", [])
    associatedNodeTypes = _kept("QStringList", "associatedNodeTypes", [])
    hidden = _kept(bool, "hidden", False)
    index = _kept(int, "index", -1)
    icon = _kept(QIcon, "icon", QIcon())
    path = _kept(str, "path", "")
    widgetRepresentationCreationEnabled = _kept(bool, "enabled", True)

    def __init__(self, name: str = "", logic: Any = None) -> None:
        super().__init__()
        self._name, self._logic = name, logic

    name = Property(str, lambda self: self._name)

    def logic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def widgetRepresentation(self) -> Any:
        return None


class qSlicerScriptedLoadableModuleWidget(QWidget):
    """Holds a scripted module's window."""

    def __init__(self, module: Any = None) -> None:
        super().__init__()
        QVBoxLayout(self)
        self._module = module
        self._python: Any = None
        self._entered = False

    def make(self) -> None:
        """Make the Python window anew and set it up."""
        name = self._module.name
        self._python = getattr(sys.modules[name], f"{name}Widget")(to_python(self))
        setattr(slicer.modules, f"{name}Widget", self._python)
        self._python.setup()

    def self(self) -> Any:
        return self._python

    def enter(self) -> None:
        if not self._entered and hasattr(self._python, "enter"):
            self._python.enter()
        self._entered = True

    def exit(self) -> None:
        if self._entered and hasattr(self._python, "exit"):
            self._python.exit()
        self._entered = False

    def reload(self) -> None:
        self.make()
        if self._entered:
            self._entered = False
            self.enter()

    def module(self) -> Any:
        return self._module

    moduleName = Property(str, lambda self: self._module.name)
    isEntered = Property(bool, lambda self: self._entered)


class qSlicerScriptedLoadableModule(qSlicerAbstractModule):
    """A module of one Python file."""

    def __init__(self, file: Path = Path()) -> None:
        super().__init__(file.stem)
        self.path = str(file)
        self._widget: qSlicerScriptedLoadableModuleWidget | None = None

    def widgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self)
            self._widget.make()
        return self._widget

    def createNewWidgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        made = qSlicerScriptedLoadableModuleWidget(self)
        made.make()
        return made

    def made_widget(self) -> qSlicerScriptedLoadableModuleWidget | None:
        """The window if it has been made."""
        return self._widget


class qSlicerModuleFactoryManager(QObject):
    """Names of what is loaded."""

    def __init__(self, manager: qSlicerModuleManager | None = None) -> None:
        super().__init__()
        self._manager = manager

    def loadedModuleNames(self) -> list[str]:
        return self._manager.modulesNames() if self._manager is not None else []

    def isLoaded(self, name: str) -> bool:
        return name in self.loadedModuleNames()


class qSlicerModuleManager(QObject):
    """The modules by name."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self, application_logic: Any = None) -> None:
        super().__init__()
        self._modules: dict[str, qSlicerAbstractModule] = {}
        self._factory = qSlicerModuleFactoryManager(self)
        for name, class_name in LOGICS.items():
            logic = getattr(slicer, class_name)()
            logic.SetMRMLApplicationLogic(application_logic)
            logic.SetMRMLScene(slicer.mrmlScene)
            self._keep(qSlicerAbstractModule(name.capitalize(), logic))

    def _keep(self, module: qSlicerAbstractModule) -> None:
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), to_python(module))

    def load(self, file: Path) -> Any:
        """Load a scripted module from its file; its window is made when somebody asks for it."""
        name = file.stem
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None, f"{file} is no Python file"
        sys.modules[name] = source = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(source)
        module = qSlicerScriptedLoadableModule(file)
        self._keep(module)
        setattr(slicer.modules, f"{name}Instance", getattr(source, name)(to_python(module)))
        self.moduleLoaded.emit(name)
        return to_python(module)

    def unload_scripted(self) -> None:
        """Tell the windows that they go, as Slicer does at its end."""
        for name in [name for name, one in self._modules.items() if isinstance(one, qSlicerScriptedLoadableModule)]:
            module = self._modules[name]
            if module.made_widget() is not None:
                module.made_widget().exit()
            self.moduleAboutToBeUnloaded.emit(name)
            del self._modules[name]
            sys.modules.pop(name, None)

    def module(self, name: str) -> qSlicerAbstractModule | None:
        return self._modules.get(name)

    def modulesNames(self) -> list[str]:
        return list(self._modules)

    def factoryManager(self) -> qSlicerModuleFactoryManager:
        return self._factory
