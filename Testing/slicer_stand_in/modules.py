"""As much of Slicer's Python modules as the module file needs, with nothing beyond what Slicer has."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest


class Widget:
    """A Qt widget: properties are attributes, signals are called by `emit`."""

    def __init__(self, *content: Any) -> None:
        self.text = next((item for item in content if isinstance(item, str)), "")
        self.toolTip = ""
        self.enabled = True
        self._receivers: dict[str, list[Callable[..., None]]] = {}

    def connect(self, signal: str, receiver: Callable[..., None]) -> None:
        self._receivers.setdefault(signal, []).append(receiver)

    def emit(self, signal: str, *values: Any) -> None:
        for receiver in self._receivers[signal]:
            receiver(*values)

    def click(self) -> None:
        assert self.enabled, f"'{self.text}' is disabled"
        self.emit("clicked(bool)", False)


class PathEdit(Widget):
    Files, Dirs = 2, 1

    def __init__(self) -> None:
        super().__init__()
        self._path = ""
        self.history: list[str] = []

    @property
    def currentPath(self) -> str:  # noqa: N802
        return self._path

    @currentPath.setter
    def currentPath(self, path: str) -> None:  # noqa: N802
        self._path = path
        self.emit("currentPathChanged(QString)", path)

    def addCurrentPathToHistory(self) -> None:  # noqa: N802
        self.history.append(self._path)


class ComboBox(Widget):
    def __init__(self) -> None:
        super().__init__()
        self.items: list[tuple[str, Any]] = []
        self.currentIndex = 0

    def addItem(self, label: str, data: Any) -> None:  # noqa: N802
        self.items.append((label, data))

    @property
    def currentData(self) -> Any:  # noqa: N802
        return self.items[self.currentIndex][1]


class Layout:
    def __init__(self, owner: Widget | None = None) -> None:
        self.content: list[Any] = []

    def addRow(self, *content: Any) -> None:  # noqa: N802
        self.content.append(content)

    def addWidget(self, widget: Widget) -> None:  # noqa: N802
        self.content.append(widget)

    def addStretch(self, share: int) -> None:  # noqa: N802
        pass


class TransformNode:
    def __init__(self, name: str) -> None:
        self.name, self.matrix, self.attributes = name, np.eye(4), dict[str, str]()

    def GetName(self) -> str:  # noqa: N802
        return self.name

    def SetAttribute(self, name: str, value: str) -> None:  # noqa: N802
        assert isinstance(value, str) and type(value) is str, f"{name} is no plain string"
        self.attributes[name] = value

    def GetAttribute(self, name: str) -> str | None:  # noqa: N802
        return self.attributes.get(name)


class Scene:
    def __init__(self) -> None:
        self.nodes: list[TransformNode] = []

    def Clear(self) -> None:  # noqa: N802
        self.nodes.clear()

    def GenerateUniqueName(self, base: str) -> str:  # noqa: N802
        return base if not any(node.name == base for node in self.nodes) else f"{base}_{len(self.nodes)}"

    def AddNewNodeByClass(self, kind: str, name: str) -> TransformNode:  # noqa: N802
        assert kind == "vtkMRMLLinearTransformNode"
        self.nodes.append(TransformNode(name))
        return self.nodes[-1]


class ModuleBase:
    def __init__(self, parent: Any = None) -> None:
        self.parent = parent


class WidgetBase(ModuleBase):
    def setup(self) -> None:
        self.layout = Layout()


class TestBase:
    __test__ = False

    def __init__(self) -> None:
        self.messages: list[str] = []

    def assertTrue(self, value: bool) -> None:  # noqa: N802
        assert value

    def assertFalse(self, value: bool) -> None:  # noqa: N802
        assert not value

    def assertIn(self, part: str, whole: str) -> None:  # noqa: N802
        assert part in whole

    def delayDisplay(self, message: str) -> None:  # noqa: N802
        self.messages.append(message)


def install(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Put the stand-ins where `import slicer, qt, ctk` finds them; gives what tests look at afterwards."""
    seen = SimpleNamespace(scene=Scene(), errors=[], opened=[], installed=[], widgets={}, chosen_folder="")

    @contextlib.contextmanager
    def try_with_error_display(message: str, waitCursor: bool = False) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            logging.info(message)
            seen.errors.append(f"{message} {error}")
            raise

    def update_transform(node: TransformNode, matrix: np.ndarray) -> None:
        node.matrix = np.array(matrix)

    def module(name: str, **content: Any) -> ModuleType:
        made = ModuleType(name)
        made.__dict__.update(content)
        monkeypatch.setitem(__import__("sys").modules, name, made)
        return made

    util = module(
        "slicer.util",
        tryWithErrorDisplay=try_with_error_display,
        WaitCursor=contextlib.nullcontext,
        tempDirectory=lambda key: tempfile.mkdtemp(prefix=key),
        updateTransformMatrixFromArray=update_transform,
        arrayFromTransformMatrix=lambda node: node.matrix,
        getModuleWidget=lambda name: seen.widgets[name],
    )
    module("slicer", util=util, mrmlScene=seen.scene)
    module("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text)
    module(
        "slicer.packaging",
        load_requirements=lambda path: path.read_text(encoding="utf-8").splitlines(),
        pip_ensure=lambda requirements, requester: seen.installed.extend(requirements),
    )
    module(
        "slicer.ScriptedLoadableModule",
        ScriptedLoadableModule=ModuleBase,
        ScriptedLoadableModuleWidget=WidgetBase,
        ScriptedLoadableModuleLogic=ModuleBase,
        ScriptedLoadableModuleTest=TestBase,
    )
    module(
        "qt",
        QPushButton=Widget,
        QLabel=Widget,
        QComboBox=ComboBox,
        QFormLayout=Layout,
        QFileDialog=SimpleNamespace(getExistingDirectory=lambda parent, caption: seen.chosen_folder),
        QUrl=SimpleNamespace(fromLocalFile=lambda path: path),
        QDesktopServices=SimpleNamespace(openUrl=seen.opened.append),
    )
    module("ctk", ctkPathLineEdit=PathEdit, ctkCollapsibleButton=Widget)
    return seen
