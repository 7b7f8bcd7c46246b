"""The module `slicer.parameterNodeWrapper`: a module's typed state in a node of the scene."""

# Names are Slicer's own.
# ruff: noqa: N802

from __future__ import annotations

import typing
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import slicer
from PySide6.QtWidgets import QWidget

from . import parameter_annotations, parameter_gui
from .conversion import to_python
from .parameter_annotations import Default
from .parameter_types import Kind, kind_of, split
from .pythonqt import Wrapper, native
from .recorded_names import recorded

PROPERTY = "SlicerParameterName"


def _fields(of: type) -> dict[str, SimpleNamespace]:
    """Name, kind, default and annotated type of each field of a class."""
    found = {}
    for name, annotated in typing.get_type_hints(of, include_extras=True).items():
        try:
            kind, rest = kind_of(annotated)
        except Exception as error:
            raise Exception(f"Unable to create serializer for {of} member {name}") from error
        given = next((one.value for one in rest if isinstance(one, Default)), None)
        default = getattr(of, name) if hasattr(of, name) else given if given is not None else kind.default()
        found[name] = SimpleNamespace(
            basename=name, serializer=kind, default=Default(default), unalteredType=annotated
        )
    return found


def _reserve(of: type, name: str, value: Any) -> None:
    if hasattr(of, name):
        raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
    setattr(of, name, value)


class PackKind(Kind):
    """Keeps each member under the pack's name, a dot and its own."""

    cached = False

    def isIn(self, node: Any, name: str) -> bool:
        first = next(iter(self.of.allParameters.values()))
        return first.serializer.isIn(node, f"{name}.{first.basename}")

    def validate(self, value: Any) -> None:
        if not isinstance(value, self.of):
            raise ValueError(f"Value must be of type '{self.of}', is type '{type(value)}'")

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        with slicer.util.NodeModify(node):
            for key, field in self.of.allParameters.items():
                field.serializer.write(node, f"{name}.{key}", getattr(value, key))

    def read(self, node: Any, name: str) -> Any:
        fields = self.of.allParameters.items()
        made = self.of(**{key: field.serializer.read(node, f"{name}.{key}") for key, field in fields})
        made.__dict__["_save"] = lambda: self.write(node, name, made)
        return made

    def remove(self, node: Any, name: str) -> None:
        for key, field in self.of.allParameters.items():
            field.serializer.remove(node, f"{name}.{key}")


def _member(name: str, serializer: Kind) -> property:
    def write(self: Any, value: Any) -> None:
        serializer.validate(value)
        self.__dict__["_" + name] = value
        self.__dict__.get("_save", lambda: None)()

    return property(lambda self: self.__dict__["_" + name], write)


def _make_pack(of: type) -> type:
    fields = _fields(of)
    for name, field in fields.items():
        setattr(of, name, _member(name, field.serializer))

    def initialize(self: Any, *values: Any, **named: Any) -> None:
        given = {**dict(zip(fields, values, strict=False)), **named}
        if set(given) - set(fields):
            raise TypeError(f"__init__() got an unexpected keyword argument '{next(iter(set(given) - set(fields)))}'")
        for name, field in fields.items():
            setattr(self, name, given.get(name, field.default.value))

    def equal(self: Any, other: Any) -> bool:
        return type(self) is type(other) and all(getattr(self, name) == getattr(other, name) for name in fields)

    of.__init__, of.__eq__ = initialize, equal
    for name, value in (
        ("allParameters", fields),
        ("_is_parameterPack", True),
        ("_kind", classmethod(lambda cls: PackKind(cls, []))),
        ("getValue", lambda self, name: getattr(self, name)),
        ("setValue", lambda self, name, value: setattr(self, name, value)),
        ("dataType", staticmethod(lambda name: fields[name].unalteredType)),
    ):
        _reserve(of, name, value)
    return of


def _checked(self: Any, name: str) -> tuple[str, str | None]:
    """The field that a dotted name begins with, and the rest. ValueError if there is none."""
    top, _, rest = name.partition(".")
    if top not in self.allParameters:
        raise ValueError(f"Cannot find a param with the given name: {top}\n  Found parameters {[*self.allParameters]}")
    return top, rest or None


def _get(self: Any, name: str) -> Any:
    top, rest = _checked(self, name)
    field = self.allParameters[top]
    if not field.serializer.isIn(self.parameterNode, top):
        # Closing the scene empties the node.
        field.serializer.write(self.parameterNode, top, field.default.value)
    value = field.serializer.read(self.parameterNode, top)
    return value if rest is None else value.getValue(rest)


def _set(self: Any, name: str, value: Any) -> None:
    top, rest = _checked(self, name)
    if rest is not None:
        _get(self, top).setValue(rest, value)
        return
    with slicer.util.NodeModify(self.parameterNode):
        self.allParameters[top].serializer.write(self.parameterNode, top, value)


def _data_type(of: type) -> Callable[[str], Any]:
    def data_type(name: str) -> Any:
        top, rest = _checked(of, name)
        annotated = of.allParameters[top].unalteredType  # type: ignore[attr-defined]
        return annotated if rest is None else split(annotated)[0].dataType(rest)

    return data_type


def _connect_parameters(self: Any, mapping: dict[str, Any]) -> int:
    for name in mapping:
        _checked(self, name)
    connectors = {
        name: parameter_gui.create_connector(widget, self.dataType(name)) for name, widget in mapping.items()
    }
    tag = self._nextParameterGUIsTag
    self._nextParameterGUIsTag += 1
    self._parameterGUIs[tag] = connectors

    def take(name: str, connector: Any) -> Callable[[], None]:
        def changed() -> None:
            with slicer.util.NodeModify(self):
                if not self._updatingGUIFromParameterNode:
                    self.setValue(name, connector.read())

        return changed

    for name, connector in connectors.items():
        connector.write(self.getValue(name))
        connector.onChanged(take(name, connector))
    self.AddObserver("ModifiedEvent", lambda _caller, _event: _update_gui(self))
    return tag


def _update_gui(self: Any) -> None:
    if self._updatingGUIFromParameterNode:
        return
    self._updatingGUIFromParameterNode = True
    try:
        with slicer.util.NodeModify(self):
            for connectors in list(self._parameterGUIs.values()):
                for name, connector in connectors.items():
                    connector.write(self.getValue(name))
    finally:
        self._updatingGUIFromParameterNode = False


def _connect_gui(self: Any, gui: Any) -> None:
    """Returns nothing, as in Slicer (its issue 7547): only connectParametersToGui gives a tag to disconnect by."""
    if isinstance(gui, Wrapper):
        inside = [to_python(child) for child in native(gui).findChildren(QWidget)]
    else:
        inside = list(gui.__dict__.values())
    _connect_parameters(self, {one.property(PROPERTY): one for one in inside if one.property(PROPERTY)})


def _disconnect_gui(self: Any, tag: int | None) -> None:
    for connector in self._parameterGUIs.pop(tag, {}).values():
        connector.onChanged(None)


def _make_wrapper(of: type) -> type:
    fields = _fields(of)
    for name in fields:
        setattr(
            of, name, property(lambda self, n=name: _get(self, n), lambda self, value, n=name: _set(self, n, value))
        )

    def initialize(self: Any, parameterNode: Any, prefix: str | None = None) -> None:
        assert not prefix, "the stand-in has no prefixes of parameter nodes"
        self.parameterNode = parameterNode
        self._parameterGUIs: dict[int, Any] = {}
        self._nextParameterGUIsTag, self._updatingGUIFromParameterNode = 0, False
        for name, field in fields.items():
            if not field.serializer.isIn(parameterNode, name):
                field.serializer.write(parameterNode, name, field.default.value)

    def is_cached(self: Any, name: str) -> bool:
        return self.allParameters[_checked(self, name)[0]].serializer.cached

    of.__init__ = initialize
    for name, value in (
        ("allParameters", fields),
        ("_is_parameter_node_wrapper", True),
        ("default", lambda self, name: self.allParameters[_checked(self, name)[0]].default),
        ("isCached", is_cached),
        ("dataType", staticmethod(_data_type(of))),
        ("getValue", _get),
        ("setValue", _set),
        ("connectGui", _connect_gui),
        ("connectParametersToGui", _connect_parameters),
        ("disconnectGui", _disconnect_gui),
        ("StartModify", lambda self: self.parameterNode.StartModify()),
        ("EndModify", lambda self, before: self.parameterNode.EndModify(before)),
        (
            "AddObserver",
            lambda self, event, target, priority=0.0: self.parameterNode.AddObserver(event, target, priority),
        ),
        ("RemoveObserver", lambda self, tag: self.parameterNode.RemoveObserver(tag)),
        ("Modified", lambda self: self.parameterNode.Modified()),
    ):
        _reserve(of, name, value)
    return of


def _decorator(make: Callable[[type], type]) -> Callable[..., Any]:
    return lambda classtype=None: make if classtype is None else make(classtype)


def _find_child(widget: Any, parameter: str) -> Any:
    import qt

    return next((one for one in widget.findChildren(qt.QWidget) if one.property(PROPERTY) == parameter), None)


def make_module() -> ModuleType:
    """The module `slicer.parameterNodeWrapper`."""
    made = ModuleType("slicer.parameterNodeWrapper", "Typed parameter nodes: a stand-in")
    for name in (
        *("Choice", "Decimals", "Default", "Exclude", "IsInstance", "Label", "Maximum", "Minimum", "NotNone"),
        *("SingleStep", "Validator", "WithinRange"),
    ):
        setattr(made, name, getattr(parameter_annotations, name))
    made.__dict__.update(
        SlicerParameterNamePropertyName=PROPERTY,
        createGuiConnector=parameter_gui.create_connector,
        findChildWidgetForParameter=_find_child,
        getNodeTypes=parameter_gui.node_types,
        isNodeOrUnionOfNodes=parameter_gui.is_nodes,
        isParameterNodeWrapper=lambda of: getattr(of, "_is_parameter_node_wrapper", False),
        isParameterPack=lambda of: getattr(of, "_is_parameterPack", False),
        parameterNodeWrapper=_decorator(_make_wrapper),
        parameterPack=_decorator(_make_pack),
        splitAnnotations=split,
        unannotatedType=lambda annotated: split(annotated)[0],
    )

    def refuse(name: str) -> Any:
        known = recorded()["python"]["slicer.parameterNodeWrapper"]
        if name in known or name in known["all"]:
            raise AttributeError(f"slicer.parameterNodeWrapper.{name} is in Slicer; the stand-in does not offer it")
        raise AttributeError(f"module 'slicer.parameterNodeWrapper' has no attribute '{name}'")

    made.__dict__["__getattr__"] = refuse
    return made
