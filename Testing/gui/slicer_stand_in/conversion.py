"""Values on their way between Python and Qt, as PythonQt hands them over."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QMetaProperty, QObject

# Set by pythonqt, which needs this module: how a Qt object or value is dressed, and undressed.
dress: Callable[[Any], Any] = lambda value: value  # noqa: E731
undress: Callable[[Any], Any] = lambda value: value  # noqa: E731


class EnumValue(int):
    """A Qt enumerator: an int, as in PythonQt, that still knows what PySide6 calls it."""

    member: Any

    def __new__(cls, member: enum.Enum) -> EnumValue:
        made = int.__new__(cls, int(member.value))
        made.member = member
        return made

    def _combined(self, other: Any, operation: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, EnumValue):
            try:
                return EnumValue(operation(self.member, other.member))
            except TypeError:
                pass
        return operation(int(self), int(other))

    def __or__(self, other: Any) -> Any:
        return self._combined(other, lambda a, b: a | b)

    def __and__(self, other: Any) -> Any:
        return self._combined(other, lambda a, b: a & b)


class EnumClass:
    """An enumeration under its class: makes its values of integers."""

    def __init__(self, native: type[enum.Enum]) -> None:
        self._native = native

    def __call__(self, value: int) -> EnumValue:
        return EnumValue(self._native(int(value)))


def to_python(value: Any) -> Any:
    """What a script sees of a value that Qt gives back: lists are tuples, enumerators integers."""
    if isinstance(value, enum.Enum):
        return EnumValue(value)
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return EnumClass(value)
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return tuple(to_python(item) for item in value)
    if isinstance(value, QObject) or type(value).__module__.startswith("PySide6"):
        return dress(value)
    return value


def to_qt(value: Any) -> Any:
    """What PySide6 takes for an argument of a script. ValueError for what PythonQt cannot convert."""
    if isinstance(value, EnumValue):
        return value.member
    if type(value) in (list, tuple):
        return [to_qt(item) for item in value]
    if type(value) is dict:
        return {key: to_qt(item) for key, item in value.items()}
    if isinstance(value, np.generic) and not isinstance(value, (float, str)):
        raise ValueError(f"PythonQt converts no {type(value).__name__} of numpy: make it a plain int, float or bool")
    if isinstance(value, os.PathLike):
        raise ValueError(f"PythonQt converts no path object: make '{value}' a str")
    return undress(value)


def fits_property(value: Any, kind: QMetaProperty) -> bool:
    """Whether a property of this kind takes the value; text and whole numbers more strictly than in PythonQt."""
    name = kind.typeName()
    if isinstance(value, np.generic) and not isinstance(value, (float, str)):
        return False
    if name == "QString":
        return isinstance(value, str)
    if name == "QStringList":
        return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
    if name == "bool":
        return isinstance(value, int)
    if name in ("int", "uint"):
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if name in ("double", "float"):
        return isinstance(value, (int, float))
    if kind.isEnumType() or kind.isFlagType():
        return isinstance(value, (int, str))
    return True
