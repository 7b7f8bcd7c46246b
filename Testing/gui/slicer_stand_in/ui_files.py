"""Qt Designer's files: loaded with the widgets of CTK and MRML in them, and checked against what Slicer has."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import shiboken6
from PySide6.QtCore import Property, QBuffer, QByteArray, QFile, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import QWidget

from . import connections
from .conversion import to_python
from .pythonqt import CLASSES, kind
from .recorded_names import members


class WidgetLoader(QUiLoader):
    """Qt's loader, that knows the classes of CTK and MRML."""

    def createWidget(self, name: str, parent: QWidget | None = None, object_name: str = "") -> QWidget:  # noqa: N802
        if name not in CLASSES or CLASSES[name]._kit == "qt":
            return super().createWidget(name, parent, object_name)
        made = CLASSES[name]._native_class(parent)
        made.setObjectName(object_name)
        return made


class Loader(QObject):
    """`qt.QUiLoader` as slicer.util.loadUI uses it."""

    def load(self, file: QFile, _parent: QWidget | None = None) -> QWidget:
        return load(Path(file.fileName()))


def load(path: Path) -> QWidget:
    """The top widget of a .ui file. RuntimeError for a class, property, signal or slot that Slicer has not."""
    tree = ElementTree.parse(path)
    root = tree.getroot()
    own_properties = [
        (element.attrib["name"], property_.attrib["name"], _value(property_))
        for element in root.iter("widget")
        for property_ in _taken(element, path)
    ]
    wiring = [_words(one) for one in root.iter("connection")]
    for part in root.findall("connections"):
        root.remove(part)
    buffer = QBuffer()
    buffer.setData(QByteArray(ElementTree.tostring(root)))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    top = WidgetLoader().load(buffer)
    if top is None:
        raise RuntimeError(f"{path}: could not be loaded")
    named = {child.objectName(): child for child in (top, *top.findChildren(QObject)) if child.objectName()}
    for object_name, name, value in own_properties:
        setattr(to_python(named[object_name]), name, value)
    for wire in wiring:
        _wire(named, wire, path)
    return top


def _taken(element: Element, path: Path) -> list[Element]:
    """Check a widget's class and properties; take out those that the widgets of CTK and MRML add."""
    name, object_name = element.attrib["class"], element.attrib["name"]
    if name not in CLASSES:
        if name.startswith("Q"):
            return []
        raise RuntimeError(f"{path.name}: '{object_name}' is a {name}, which the stand-in does not offer")
    cls = CLASSES[name]
    taken = []
    for property_ in element.findall("property"):
        key = property_.attrib["name"]
        if key not in members(cls._kit, name):
            # Designer marks dynamic properties, and all of a custom widget, so.
            if property_.attrib.get("stdset") != "0":
                raise RuntimeError(f"{path.name}: '{object_name}' sets '{key}', which {name} has not")
        elif isinstance(getattr(cls._native_class, key, None), Property):
            taken.append(property_)
            element.remove(property_)
        elif key not in cls._properties:
            element.remove(property_)
    return taken


def _value(property_: Element) -> Any:
    content = property_[0]
    text = content.text or ""
    if content.tag == "bool":
        return text == "true"
    if content.tag == "number":
        return int(text)
    if content.tag == "double":
        return float(text)
    if content.tag == "stringlist":
        return [item.text or "" for item in content.findall("string")]
    if content.tag in ("enum", "set"):
        value = 0
        for word in text.split("|"):
            scope, _, key = word.rpartition("::")
            holder = CLASSES.get(scope.split("::")[0])
            value |= int(getattr(holder, key) if holder is not None else _qt_value(scope, key))
        return value
    return text


def _qt_value(scope: str, key: str) -> int:
    from PySide6.QtCore import Qt

    assert scope.split("::")[0] in ("Qt", ""), f"unknown scope '{scope}' of '{key}'"
    return int(getattr(Qt, key).value)


def _words(connection: Element) -> dict[str, str]:
    return {key: connection.findtext(key, "") for key in ("sender", "signal", "receiver", "slot")}


def _wire(named: dict[str, QObject], wire: dict[str, str], path: Path) -> None:
    sender, receiver = to_python(named[wire["sender"]]), named[wire["receiver"]]
    shown = to_python(receiver)
    slot, given = wire["slot"].rstrip(")").split("(")
    if slot not in members(type(shown)._kit, kind(shown)):
        raise RuntimeError(f"{path.name}: {kind(shown)} '{wire['receiver']}' has no slot {wire['slot']}")
    count = len([argument for argument in given.split(",") if argument])

    def hand_on(*values: Any) -> None:
        if shiboken6.isValid(receiver):
            getattr(to_python(receiver), slot)(*values[:count])

    try:
        connections.connect(named[wire["sender"]], wire["signal"], hand_on, kind(sender))
    except ValueError as error:
        raise RuntimeError(f"{path.name}: {error}") from error
