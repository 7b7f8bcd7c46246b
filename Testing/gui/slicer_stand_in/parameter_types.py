"""How the parameter node keeps typed values in a vtkMRMLScriptedModuleNode: as Slicer names and writes them."""

# Names are Slicer's own.
# ruff: noqa: N802

from __future__ import annotations

import collections.abc
import enum
import pathlib
import typing
from collections.abc import Callable
from typing import Any

import slicer

from .parameter_annotations import IsInstance, NotNone, Validator

PATHS = (pathlib.Path, pathlib.PosixPath, pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath)


def split(annotated: Any) -> tuple[Any, list[Any]]:
    """A type and its annotations."""
    if typing.get_origin(annotated) is typing.Annotated:
        inner, *annotations = typing.get_args(annotated)
        return inner, annotations
    return annotated, []


class Kind:
    """Reads and writes one type. The plain one keeps text under the parameter's own name."""

    cached = True

    def __init__(self, of: Any, validators: list[Validator]) -> None:
        self.of, self.validators = of, validators

    def default(self) -> Any:
        return self.of()

    def isIn(self, node: Any, name: str) -> bool:
        return node.HasParameter(name)

    def validate(self, value: Any) -> None:
        for validator in self.validators:
            validator.validate(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, self.text(value))

    def text(self, value: Any) -> str:
        return str(value)

    def read(self, node: Any, name: str) -> Any:
        return self.of(node.GetParameter(name))

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class BoolKind(Kind):
    def read(self, node: Any, name: str) -> bool:
        return node.GetParameter(name) == "True"


class NumberKind(Kind):
    def default(self) -> int:
        return 0


class EnumKind(Kind):
    def default(self) -> Any:
        return next(iter(self.of))

    def text(self, value: Any) -> str:
        return value.name

    def read(self, node: Any, name: str) -> Any:
        return self.of[node.GetParameter(name)]


class NodeKind(Kind):
    """A node reference; the empty parameter beside it says that it was set, be it to None."""

    def default(self) -> None:
        return None

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class NoneKind(Kind):
    def text(self, _value: Any) -> str:
        return "True"

    def read(self, _node: Any, _name: str) -> None:
        return None


class Kept(collections.abc.MutableSequence):
    """A list that is written whenever it changes."""

    def __init__(self, values: list[Any], save: Callable[[list[Any]], None]) -> None:
        self._values, self._save = values, save

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]

    def __len__(self) -> int:
        return len(self._values)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._changed([*self._values], lambda values: values.__setitem__(index, value))

    def __delitem__(self, index: Any) -> None:
        self._changed([*self._values], lambda values: values.__delitem__(index))

    def insert(self, index: int, value: Any) -> None:
        self._changed([*self._values], lambda values: values.insert(index, value))

    def _changed(self, values: list[Any], change: Callable[[list[Any]], None]) -> None:
        change(values)
        self._save(values)
        self._values = values

    def __eq__(self, other: object) -> bool:
        return self._values == (other._values if isinstance(other, Kept) else other)

    def __repr__(self) -> str:
        return f"ObservedList({self._values})"


class ListKind(Kind):
    def __init__(self, element: Kind) -> None:
        super().__init__(list, [])
        self.element = element
        self.cached = element.cached

    def isIn(self, node: Any, name: str) -> bool:
        return node.HasParameter(f"{name}_len")

    def _length(self, node: Any, name: str) -> int:
        return int(node.GetParameter(f"{name}_len")) if self.isIn(node, name) else 0

    def write(self, node: Any, name: str, value: Any) -> None:
        for item in value:
            self.element.validate(item)
        with slicer.util.NodeModify(node):
            for index in range(len(value), self._length(node, name)):
                self.element.remove(node, f"{name}_{index}")
            for index, item in enumerate(value):
                self.element.write(node, f"{name}_{index}", item)
            node.SetParameter(f"{name}_len", str(len(value)))

    def read(self, node: Any, name: str) -> Kept:
        values = [self.element.read(node, f"{name}_{index}") for index in range(self._length(node, name))]
        return Kept(values, lambda changed: self.write(node, name, changed))

    def remove(self, node: Any, name: str) -> None:
        for index in range(self._length(node, name)):
            self.element.remove(node, f"{name}_{index}")
        node.UnsetParameter(f"{name}_len")


class TupleKind(Kind):
    def __init__(self, elements: list[Kind]) -> None:
        super().__init__(tuple, [])
        self.elements = elements
        self.cached = all(element.cached for element in elements)

    def default(self) -> tuple[Any, ...]:
        return tuple(element.default() for element in self.elements)

    def isIn(self, node: Any, name: str) -> bool:
        return self.elements[0].isIn(node, f"{name}_0")

    def write(self, node: Any, name: str, value: Any) -> None:
        if len(tuple(value)) != len(self.elements):
            raise ValueError("Unexpected number of tuple values")
        with slicer.util.NodeModify(node):
            for index, (element, item) in enumerate(zip(self.elements, value, strict=True)):
                element.write(node, f"{name}_{index}", item)

    def read(self, node: Any, name: str) -> tuple[Any, ...]:
        return tuple(element.read(node, f"{name}_{index}") for index, element in enumerate(self.elements))

    def remove(self, node: Any, name: str) -> None:
        for index, element in enumerate(self.elements):
            element.remove(node, f"{name}_{index}")


class KeptDict(collections.abc.MutableMapping):
    """A dict that is written whenever it changes."""

    def __init__(self, values: dict[Any, Any], save: Callable[[dict[Any, Any]], None]) -> None:
        self._values, self._save = values, save

    def __getitem__(self, key: Any) -> Any:
        return self._values[key]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._save({**self._values, key: value})
        self._values[key] = value

    def __delitem__(self, key: Any) -> None:
        self._save({one: value for one, value in self._values.items() if one != key})
        del self._values[key]


class DictKind(Kind):
    """Kept as a list of pairs."""

    def __init__(self, key: Kind, value: Kind) -> None:
        super().__init__(dict, [])
        self.pairs = ListKind(TupleKind([key, value]))
        self.cached = self.pairs.cached

    def isIn(self, node: Any, name: str) -> bool:
        return self.pairs.isIn(node, name)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.pairs.write(node, name, list(value.items()))

    def read(self, node: Any, name: str) -> KeptDict:
        return KeptDict(dict(self.pairs.read(node, name)), lambda changed: self.write(node, name, changed))

    def remove(self, node: Any, name: str) -> None:
        self.pairs.remove(node, name)


class UnionKind(Kind):
    """Kept under the name with the place of the type that is there."""

    def __init__(self, kinds: list[Kind]) -> None:
        super().__init__(None, [])
        self.kinds = kinds
        self.cached = all(kind.cached for kind in kinds)

    def default(self) -> Any:
        optional = len(self.kinds) == 2 and isinstance(self.kinds[1], NoneKind)
        return None if optional else self.kinds[0].default()

    def _present(self, node: Any, name: str) -> int | None:
        places = range(len(self.kinds))
        return next((place for place in places if self.kinds[place].isIn(node, f"{name}_{place}")), None)

    def isIn(self, node: Any, name: str) -> bool:
        return self._present(node, name) is not None

    def write(self, node: Any, name: str, value: Any) -> None:
        refusal: Exception = TypeError(f"Unable to write value '{value}' of type '{type(value)}'")
        for place, kind in enumerate(self.kinds):
            if isinstance(kind, NoneKind) != (value is None):
                continue
            try:
                kind.validate(value)
            except (TypeError, ValueError) as error:
                refusal = error
                continue
            with slicer.util.NodeModify(node):
                self.remove(node, name)
                kind.write(node, f"{name}_{place}", value)
            return
        raise refusal

    def read(self, node: Any, name: str) -> Any:
        place = self._present(node, name)
        return None if place is None else self.kinds[place].read(node, f"{name}_{place}")

    def remove(self, node: Any, name: str) -> None:
        for place, kind in enumerate(self.kinds):
            kind.remove(node, f"{name}_{place}")


def kind_of(annotated: Any) -> tuple[Kind, list[Any]]:
    """The kind of a type, and the annotations that are no validators. TypeError for a type that Slicer cannot keep."""
    of, annotations = split(annotated)
    validators = [one for one in annotations if isinstance(one, Validator)]
    rest = [one for one in annotations if not isinstance(one, Validator)]
    kind = _bare_kind(of)
    kind.validators = [*kind.validators, *validators]
    return kind, rest


def _bare_kind(of: Any) -> Kind:
    origin, arguments = typing.get_origin(of), typing.get_args(of)
    inner = [kind_of(argument)[0] for argument in arguments] if origin in (list, tuple, dict, typing.Union) else []
    if of is bool:
        return BoolKind(bool, [NotNone(), IsInstance(bool)])
    if of in (int, float):
        return NumberKind(of, [NotNone(), IsInstance((int, float) if of is float else int)])
    if of is str or of in PATHS:
        return Kind(of, [NotNone(), IsInstance(of)])
    if of is type(None):
        return NoneKind(of, [])
    if origin is list:
        return ListKind(inner[0])
    if origin is tuple:
        return TupleKind(inner)
    if origin is dict:
        return DictKind(*inner)
    # Slicer knows Optional[X] and Union[X, Y], but no X | Y.
    if origin is typing.Union:
        return UnionKind(inner)
    if isinstance(of, type) and issubclass(of, enum.Enum):
        return EnumKind(of, [IsInstance(of)])
    if isinstance(of, type) and issubclass(of, slicer.vtkMRMLNode):
        return NodeKind(of, [IsInstance(of)])
    if getattr(of, "_is_parameterPack", False):
        return of._kind()
    raise TypeError(f"Unable to create serializer for type: {of}")
