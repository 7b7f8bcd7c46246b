"""Signals connected to callables by their C++ signature."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6.QtCore import SIGNAL, QMetaMethod, QMetaObject, QObject

from .conversion import to_python

# Per C++ object: its connections, until it is destroyed.
_of_object: dict[int, list[tuple[str, Any, QMetaObject.Connection]]] = {}

_signatures: dict[tuple[type, str], list[str]] = {}


def address(native: Any) -> int:
    """Where the C++ object lies."""
    return shiboken6.getCppPointer(native)[0]


def signatures(native: QObject, name: str) -> list[str]:
    """The signatures of the signals called `name`, as PySide6 knows them; the one with most arguments first."""
    key = (type(native), name)
    if key not in _signatures:
        _signatures[key] = _looked_up(native, name)
    return _signatures[key]


def _looked_up(native: QObject, name: str) -> list[str]:
    of_class = native.metaObject()
    methods = (of_class.method(index) for index in range(of_class.methodCount()))
    found = [
        bytes(method.methodSignature().data()).decode()
        for method in methods
        if method.methodType() == QMetaMethod.MethodType.Signal and bytes(method.name().data()).decode() == name
    ]
    return sorted(set(found), key=lambda signature: -len(signature))


def checked_signature(native: QObject, signal: str | bytes, class_name: str) -> str:
    """PySide6's signature for a C++ one. ValueError if the class has no such signal."""
    text = signal.decode() if isinstance(signal, bytes) else signal
    normal = bytes(QMetaObject.normalizedSignature(text).data()).decode()
    # Python-made signals carry VTK objects as Python objects; their C++ signatures are listed on the class.
    known = normal in getattr(type(native), "VTK_SIGNALS", ()) if re.search(r"vtk\w+\*", normal) else True
    inner = re.sub(r"vtk\w+\*", "PyObject", normal)
    if not known or native.metaObject().indexOfSignal(inner) < 0:
        raise ValueError(f"QObject::connect() signal '{text}' does not exist on {class_name}")
    return inner


def accepted_arguments(target: Any) -> int | None:
    """How many arguments of a signal PythonQt hands to a function or method; None for all."""
    function = target.__func__ if isinstance(target, types.MethodType) else target
    if not isinstance(function, types.FunctionType) or function.__code__.co_flags & inspect.CO_VARARGS:
        return None
    return function.__code__.co_argcount - isinstance(target, types.MethodType)


def guarded(target: Callable[..., Any]) -> Callable[..., None]:
    """A receiver that hands on as many arguments as `target` takes; what it raises goes to sys.excepthook."""
    count = accepted_arguments(target)

    def receive(*values: Any) -> None:
        try:
            target(*(to_python(value) for value in values[:count]))
        except Exception:
            sys.excepthook(*sys.exc_info())

    return receive


def connect(native: QObject, signal: str, target: Any, class_name: str) -> bool:
    """Call `target` whenever the signal is given."""
    if not callable(target):
        raise ValueError(f"QObject::connect() of '{signal}' on {class_name}: {target!r} cannot be called")
    signature = checked_signature(native, signal, class_name)
    connection = QObject.connect(native, SIGNAL(signature), guarded(target))
    place = address(native)
    if place not in _of_object:
        _of_object[place] = []
        native.destroyed.connect(lambda: _of_object.pop(place, None))
    _of_object[place].append((signature, target, connection))
    return True


def disconnect(native: QObject, signal: str, target: Any, class_name: str) -> bool:
    """Undo one connection to `target`, or all of the signal's if it is None; False if there was none."""
    signature = checked_signature(native, signal, class_name)
    made = _of_object.get(address(native), [])
    found = [one for one in made if one[0] == signature and (target is None or one[1] == target)]
    for one in found if target is None else found[:1]:
        QObject.disconnect(one[2])
        made.remove(one)
    return bool(found)


def forget_all() -> None:
    """Undo every connection that was made."""
    for made in _of_object.values():
        for _signature, _target, connection in made:
            QObject.disconnect(connection)
    _of_object.clear()
