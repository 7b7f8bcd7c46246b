"""Widgets tied to parameters, both ways, with ranges and choices taken from the parameter's annotations."""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable
from typing import Any

import slicer

from .parameter_annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange
from .parameter_types import PATHS, split
from .pythonqt import kind


def _first(annotations: list[Any], of: type) -> Any:
    return next((one for one in annotations if isinstance(one, of)), None)


def is_nodes(datatype: Any) -> bool:
    """Whether it is a class of nodes, or a union of such."""
    if typing.get_origin(datatype) is typing.Union:
        return all(one is type(None) or is_nodes(one) for one in typing.get_args(datatype))
    return isinstance(datatype, type) and issubclass(datatype, slicer.vtkMRMLNode)


def node_types(datatype: Any) -> list[str]:
    """The class names of what `is_nodes`."""
    kinds = typing.get_args(datatype) or (datatype,)
    return [one.__name__ for one in kinds if one is not type(None)]


class Connector:
    """Reads and writes a widget; tells when the user changes it."""

    def __init__(self, widget: Any, signal: str, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        self._widget, self._signal, self.read, self.write = widget, signal, read, write
        self._target: Callable[[], None] | None = None

    def widget(self) -> Any:
        return self._widget

    def onChanged(self, target: Callable[[], None] | None) -> None:  # noqa: N802
        if self._target is not None:
            self._widget.disconnect(self._signal, self._target)
        self._target = target
        if target is not None:
            self._widget.connect(self._signal, target)


def _set_range(widget: Any, annotations: list[Any], whole: bool) -> None:
    decimals, step = _first(annotations, Decimals), _first(annotations, SingleStep)
    if decimals is not None and not whole:
        widget.decimals = decimals.value
    if step is not None:
        widget.singleStep = step.value
    both = _first(annotations, WithinRange)
    low, high = both or _first(annotations, Minimum), both or _first(annotations, Maximum)
    if kind(widget) in ("QSlider", "ctkSliderWidget", "qMRMLSliderWidget") and (low is None or high is None):
        raise RuntimeError(f"Cannot have a connection to {kind(widget)} where the number is unbounded.")
    least, most = (-(2**31), 2**31 - 1) if whole else (float("-inf"), float("inf"))
    widget.minimum = low.minimum if low is not None else least
    widget.maximum = high.maximum if high is not None else most


def _property(widget: Any, name: str, signal: str, of: Callable[[Any], Any] = lambda value: value) -> Connector:
    def write(value: Any) -> None:
        setattr(widget, name, str(value) if of in PATHS else value)

    return Connector(widget, signal, lambda: of(getattr(widget, name)), write)


def _choices(widget: Any, labelled: list[tuple[str, Any]]) -> Connector:
    widget.clear()
    for label, _value in labelled:
        widget.addItem(label)
    values = [value for _label, value in labelled]

    def write(value: Any) -> None:
        if value not in values:
            raise ValueError(f"Unable to find value {value} in choices {values}")
        widget.currentIndex = values.index(value)

    return Connector(widget, "currentIndexChanged(int)", lambda: values[widget.currentIndex], write)


def create_connector(widget: Any, annotated: Any) -> Connector:
    """The connector of a widget for a type. RuntimeError if Slicer has none for the two."""
    of, annotations = split(annotated)
    name = kind(widget)
    if of is bool and name == "QCheckBox":
        return _property(widget, "checked", "stateChanged(int)")
    if of is bool and name == "QPushButton":
        widget.checkable = True
        return _property(widget, "checked", "toggled(bool)")
    if of is int and name in ("QSlider", "QSpinBox"):
        _set_range(widget, annotations, whole=True)
        return _property(widget, "value", "valueChanged(int)")
    if of in (int, float) and name in ("QDoubleSpinBox", "ctkSliderWidget", "qMRMLSliderWidget"):
        _set_range(widget, annotations, whole=of is int)
        return _property(widget, "value", "valueChanged(double)", of)
    if name == "QComboBox" and of in (int, float, str, bool):
        choice = _first(annotations, Choice)
        if choice is None:
            raise RuntimeError("ComboBoxToStringableConnector requires the Choice annotation to be used.")
        return _choices(widget, [(str(value), value) for value in choice.choices])
    if name == "QComboBox" and isinstance(of, type) and issubclass(of, enum.Enum):
        label = getattr(of, "label", lambda value: value.name)
        return _choices(widget, [(label(value), value) for value in of])
    if of is str and name == "QLineEdit":
        return _property(widget, "text", "textChanged(QString)")
    if of is str and name == "QTextEdit":
        return _property(widget, "plainText", "textChanged()")
    if of in PATHS and name == "ctkPathLineEdit":
        return _property(widget, "currentPath", "currentPathChanged(QString)", of)
    if of in PATHS and name == "ctkDirectoryButton":
        return _property(widget, "directory", "directoryChanged(QString)", of)
    if is_nodes(of) and name == "qMRMLNodeComboBox":
        widget.nodeTypes = node_types(of)
        signal = "currentNodeChanged(vtkMRMLNode*)"
        return Connector(widget, signal, widget.currentNode, widget.setCurrentNode)
    if is_nodes(of) and name == "qSlicerSimpleMarkupsWidget":
        return Connector(widget, "markupsNodeChanged()", widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{annotated}' to widget type '{type(widget)}'")
