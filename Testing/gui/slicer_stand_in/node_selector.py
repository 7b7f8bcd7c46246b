"""Slicer's selectors of the scene's nodes."""

# Names are Slicer's own.
# ruff: noqa: N801, N802, N815

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from .observers import forget, observe


def _kept(name: str, kind: Any, default: Any) -> Any:
    """A property of a node selector whose list is made anew when it changes."""

    def write(self: Any, value: Any) -> None:
        self.__dict__["_" + name] = list(value) if kind == "QStringList" else value
        self._refresh()

    return Property(kind, lambda self: self.__dict__.get("_" + name, default), write)


class qMRMLNodeComboBox(QWidget):
    """A selector of the scene's nodes of some types."""

    currentNodeChanged = Signal((object,), (bool,))
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    VTK_SIGNALS = tuple(
        f"{name}(vtkMRMLNode*)"
        for name in (
            *("currentNodeChanged", "nodeActivated", "nodeAdded", "nodeAboutToBeRemoved", "nodeAddedByUser"),
            "nodeAboutToBeEdited",
        )
    )

    nodeTypes = _kept("nodeTypes", "QStringList", [])
    noneEnabled = _kept("noneEnabled", bool, False)
    addEnabled = _kept("addEnabled", bool, True)
    removeEnabled = _kept("removeEnabled", bool, True)
    editEnabled = _kept("editEnabled", bool, False)
    renameEnabled = _kept("renameEnabled", bool, False)
    showHidden = _kept("showHidden", bool, False)
    showChildNodeTypes = _kept("showChildNodeTypes", bool, True)
    hideChildNodeTypes = _kept("hideChildNodeTypes", "QStringList", [])
    selectNodeUponCreation = _kept("selectNodeUponCreation", bool, True)
    noneDisplay = _kept("noneDisplay", str, "None")
    baseName = _kept("baseName", str, "")
    interactionNodeSingletonTag = _kept("interactionNodeSingletonTag", str, "Singleton")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QComboBox(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box)
        self.box.activated.connect(self._on_activated)
        self._scene: Any = None
        self._nodes: list[Any] = []
        self._current: Any = None
        self._requested: Any = None
        self._attributes: list[tuple[str, str, Any]] = []
        self._labels: dict[str, str] = {}
        self._actions: list[Callable[[], None]] = []
        self._observed: list[tuple[Any, int]] = []
        self._watched: dict[str, tuple[Any, int]] = {}
        self._refreshing = False
        self.setEnabled(False)
        self._refresh()

    # The scene.

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        for made in (*self._observed, *self._watched.values()):
            forget(made)
        self._observed, self._watched = [], {}
        self._scene = scene
        if scene is not None:
            for event in (
                *(scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndBatchProcessEvent, scene.EndCloseEvent),
                *(scene.EndImportEvent, scene.EndRestoreEvent),
            ):
                self._observed.append(observe(scene, event, self._refresh))
        self.setEnabled(scene is not None)
        wanted, self._requested = self._requested, None
        self._refresh()
        if wanted is not None:
            self.setCurrentNode(wanted)

    # Which nodes.

    def _fits(self, node: Any) -> bool:
        kinds = [kind for kind in self.nodeTypes if node.IsA(kind)]
        if not kinds or (node.GetHideFromEditors() and not self.showHidden):
            return False
        name = node.GetClassName()
        if name not in kinds and (not self.showChildNodeTypes or name in self.hideChildNodeTypes):
            return False
        wanted = [(key, value) for kind, key, value in self._attributes if node.IsA(kind)]
        return all(
            node.GetAttribute(key) is not None if value is None else node.GetAttribute(key) == str(value)
            for key, value in wanted
        )

    def _refresh(self) -> None:
        if self._refreshing or (self._scene is not None and self._scene.IsBatchProcessing()):
            return
        self._refreshing = True
        before = self._nodes
        everything: list[Any] = []
        if self._scene is not None:
            everything = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
            everything = [node for node in everything if any(node.IsA(kind) for kind in self.nodeTypes)]
        self._watch(everything)
        self._nodes = [node for node in everything if self._fits(node)]
        current = self._current
        if current is not None and current not in self._nodes:
            # Qt goes on to the neighbour of a row that was removed.
            place = before.index(current) if current in before else 0
            current = self._nodes[min(place, len(self._nodes) - 1)] if self._nodes else None
        elif current is None and not before and self._nodes and not self.noneEnabled and not self._has_actions():
            # Qt chooses the first row that comes into an empty box; with rows for actions it is never empty.
            current = self._nodes[0]
        self._fill(current)
        self._refreshing = False
        for node in [node for node in self._nodes if node not in before]:
            self.nodeAdded.emit(node)
        self._make_current(current)

    def _watch(self, nodes: list[Any]) -> None:
        """Names, hiding and attributes change in the nodes."""
        ids = {node.GetID() for node in nodes}
        for key in [key for key in self._watched if key not in ids]:
            forget(self._watched.pop(key))
        for node in nodes:
            if node.GetID() not in self._watched:
                self._watched[node.GetID()] = observe(node, "ModifiedEvent", self._refresh)

    def _has_actions(self) -> bool:
        return self.addEnabled or self.removeEnabled or self.editEnabled or self.renameEnabled

    def _fill(self, current: Any) -> None:
        self.box.blockSignals(True)
        self.box.clear()
        self._actions = []
        if self.noneEnabled:
            self.box.addItem(self.noneDisplay)
        self.box.addItems([node.GetName() for node in self._nodes])
        if self._scene is not None and self._has_actions():
            self.box.insertSeparator(self.box.count())
            for kind in self.nodeTypes if self.addEnabled else []:
                self.box.addItem(f"Create new {self.nodeTypeLabel(kind)}")
                self._actions.append(lambda kind=kind: self._create(kind))
            if self.removeEnabled:
                self.box.addItem("Delete current " + self.nodeTypeLabel(*self.nodeTypes[:1]))
                self._actions.append(self.removeCurrentNode)
        self.box.setPlaceholderText("Select a " + self.nodeTypeLabel(*self.nodeTypes[:1]))
        self.box.setCurrentIndex(self._row(current))
        self.box.blockSignals(False)

    def _row(self, node: Any) -> int:
        if node in self._nodes:
            return self._nodes.index(node) + int(self.noneEnabled)
        return 0 if self.noneEnabled else -1

    def _on_activated(self, row: int) -> None:
        first = int(self.noneEnabled)
        if row < first + len(self._nodes):
            self._make_current(self._nodes[row - first] if row >= first else None)
            self.nodeActivated.emit(self._current)
        elif row > first + len(self._nodes):
            action = self._actions[row - first - len(self._nodes) - 1]
            self.box.setCurrentIndex(self._row(self._current))
            action()

    # The current one.

    def _make_current(self, node: Any) -> None:
        changed = node is not self._current
        self._current = node
        self.box.setCurrentIndex(self._row(node))
        if changed:
            self.currentNodeChanged[object].emit(node)
            self.currentNodeChanged[bool].emit(node is not None)
            self.currentNodeIDChanged.emit(node.GetID() if node is not None else "")

    def currentNode(self) -> Any:
        return self._current

    def setCurrentNode(self, node: Any) -> None:
        if isinstance(node, str):
            raise ValueError("setCurrentNode() takes a node; setCurrentNodeID() takes an ID")
        if self._scene is None:
            self._requested = node
        before = self._current
        self._make_current(node if node in self._nodes else None)
        if self._current is not before:
            # Slicer's selector presses Enter in its list, as a user would.
            self.nodeActivated.emit(self._current)

    def _current_id(self) -> str:
        return self._current.GetID() if self._current is not None else ""

    def setCurrentNodeID(self, node_id: str) -> None:
        self.setCurrentNode(self._scene.GetNodeByID(node_id) if self._scene is not None and node_id else None)

    currentNodeID = Property(str, _current_id, setCurrentNodeID)

    def setCurrentNodeIndex(self, index: int) -> None:
        self._make_current(self._nodes[index] if 0 <= index < len(self._nodes) else None)

    def nodeCount(self) -> int:
        return len(self._nodes)

    def nodeFromIndex(self, index: int) -> Any:
        return self._nodes[index] if 0 <= index < len(self._nodes) else None

    # What the user and the module do with nodes.

    def addAttribute(self, kind: str, name: str, value: Any = None) -> None:
        self._attributes.append((kind, name, value))
        self._refresh()

    def removeAttribute(self, kind: str, name: str) -> None:
        self._attributes = [one for one in self._attributes if one[:2] != (kind, name)]
        self._refresh()

    def nodeTypeLabel(self, kind: str = "") -> str:
        label = self._labels.get(kind, "")
        if not label and self._scene is not None and kind:
            label = self._scene.GetTypeDisplayNameByClassName(kind)
        return label or "node"

    def setNodeTypeLabel(self, label: str, kind: str) -> None:
        self._labels[kind] = label
        self._refresh()

    def addNode(self, kind: str = "") -> Any:
        kind = kind or next(iter(self.nodeTypes), "")
        if self._scene is None or kind not in self.nodeTypes:
            return None
        node = self._scene.CreateNodeByClass(kind)
        node.UnRegister(None)
        node.SetName(self._scene.GenerateUniqueName(self.baseName or self.nodeTypeLabel(kind)))
        for of_kind, name, value in self._attributes:
            if node.IsA(of_kind):
                node.SetAttribute(name, str(value or ""))
        node = self._scene.AddNode(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def _create(self, kind: str) -> None:
        self.setCurrentNode(self.addNode(kind))

    def removeCurrentNode(self) -> None:
        if self._current is not None:
            self.nodeAboutToBeRemoved.emit(self._current)
            self._scene.RemoveNode(self._current)

    def _set_adjust(self, policy: int) -> None:
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy(policy))

    sizeAdjustPolicy = Property(int, lambda self: self.box.sizeAdjustPolicy().value, _set_adjust)


class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """A selector of several nodes."""

    checkedNodesChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self._checked: set[str] = set()
        super().__init__(parent)

    def checkedNodes(self) -> list[Any]:
        return [node for node in self._nodes if node.GetID() in self._checked]

    def uncheckedNodes(self) -> list[Any]:
        return [node for node in self._nodes if node.GetID() not in self._checked]

    def allChecked(self) -> bool:
        return bool(self._nodes) and not self.uncheckedNodes()

    def noneChecked(self) -> bool:
        return not self.checkedNodes()

    def checkState(self, node: Any) -> Qt.CheckState:
        return Qt.CheckState.Checked if node.GetID() in self._checked else Qt.CheckState.Unchecked

    def setCheckState(self, node: Any, state: Any) -> None:
        before = set(self._checked)
        (self._checked.add if Qt.CheckState(state) == Qt.CheckState.Checked else self._checked.discard)(node.GetID())
        if before != self._checked:
            self.checkedNodesChanged.emit()

    def check(self, node: Any) -> None:
        self.setCheckState(node, Qt.CheckState.Checked)

    def uncheck(self, node: Any) -> None:
        self.setCheckState(node, Qt.CheckState.Unchecked)
