"""The habits of PythonQt: a Python object around each Qt object that offers what was recorded, in PythonQt's way."""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import shiboken6
from PySide6.QtCore import Property, QObject

from . import connections, conversion
from .conversion import fits_property, to_python, to_qt
from .recorded_names import members, recorded_name

CLASSES: dict[str, WrapperType] = {}
# What a class does otherwise than PySide6: (class, name) -> function(wrapper or None on the class, *arguments).
DIFFERENT: dict[tuple[str, str], Callable[..., Any]] = {}
# Properties of Qt 6 that are methods in Slicer's Qt 5.
METHODS_IN_QT5 = {"contentsMargins"}

_wrappers: weakref.WeakValueDictionary[int, Wrapper] = weakref.WeakValueDictionary()


def different(class_name: str, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: this function stands for the member `name` of the class."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        DIFFERENT[class_name, name] = function
        return function

    return keep


class Slot:
    """A method of a Qt object, bound to it; equal to another binding of the same."""

    def __init__(self, owner: Any, name: str, function: Callable[..., Any]) -> None:
        self._owner, self._name, self._function = owner, name, function

    def __call__(self, *arguments: Any) -> Any:
        given = [to_qt(argument) for argument in arguments]
        if isinstance(self._owner, Wrapper):
            self._owner.alive(f"call '{self._name}'")
        try:
            return to_python(self._function(*given))
        except TypeError as error:
            # An error inside a Python-made widget stays as it is.
            if not isinstance(self._function, types.BuiltinFunctionType):
                raise
            raise ValueError(f"Called {self._name}() with wrong arguments: {arguments}") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slot) and (self._owner, self._name) == (other._owner, other._name)

    def __hash__(self) -> int:
        return hash(self._name)


class BoundSignal:
    """A signal of a Qt object: connects, disconnects, and is given when called."""

    def __init__(self, owner: Wrapper, name: str) -> None:
        self._owner, self._name = owner, name
        self._signature = connections.signatures(native(owner), name)[0]

    def connect(self, target: Any) -> bool:
        return connections.connect(native(self._owner), self._cpp(), target, kind(self._owner))

    def disconnect(self, target: Any = None) -> bool:
        return connections.disconnect(native(self._owner), self._cpp(), target, kind(self._owner))

    def _cpp(self) -> str:
        listed = getattr(type(native(self._owner)), "VTK_SIGNALS", ())
        return next((text for text in listed if text.startswith(f"{self._name}(")), self._signature)

    def __call__(self, *values: Any) -> None:
        getattr(native(self._owner), self._name).emit(*(to_qt(value) for value in values))


class WrapperType(type):
    """The class of the wrappers' classes: enumerators and static methods are attributes of the class."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        wanted = _wanted(cls, name)
        if wanted is None:
            raise AttributeError(f"type object '{cls._recorded}' has no attribute '{name}'")
        if (cls._recorded, wanted) in DIFFERENT:
            return Slot(cls, wanted, partial(DIFFERENT[cls._recorded, wanted], None))
        value = _attribute(cls._native_class, wanted)
        if value is None:
            raise AttributeError(f"{cls._recorded}.{name} is in Slicer; the stand-in does not offer it")
        return Slot(cls, wanted, value) if callable(value) and not isinstance(value, type) else to_python(value)


def _wanted(cls: Any, name: str) -> str | None:
    return name if cls._lenient else recorded_name(name, cls._kit, cls._recorded)


def _attribute(of: Any, name: str) -> Any:
    # PySide6 writes raise_ and print_ for what are keywords or built-ins in Python.
    return getattr(of, name, getattr(of, f"{name}_", None))


class Wrapper(metaclass=WrapperType):
    """Around one Qt object or value. Plain classes take no new attributes; Python subclasses do."""

    def __init__(self, *arguments: Any) -> None:
        made_of = type(self)._native_class if _is_plain(type(self)) else _shell(type(self))
        try:
            made = made_of(*(to_qt(argument) for argument in arguments))
        except TypeError as error:
            raise ValueError(f"Could not find matching constructor of {kind(self)} for {arguments}") from error
        _adopt(self, made)

    def alive(self, to_do: str) -> Any:
        """The Qt object. ValueError if it has been destroyed."""
        made = native(self)
        if isinstance(made, QObject) and not shiboken6.isValid(made):
            raise ValueError(f"Trying to {to_do} of a destroyed {kind(self)} object")
        return made

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_native" not in self.__dict__:
            raise AttributeError(name)
        cls = type(self)
        wanted = _wanted(cls, name)
        if wanted is None:
            raise AttributeError(f"{kind(self)} has no attribute named '{name}'")
        made = self.alive(f"read '{name}'")
        if isinstance(made, QObject):
            if wanted not in METHODS_IN_QT5 and made.metaObject().indexOfProperty(wanted) >= 0:
                python_made = isinstance(getattr(type(made), wanted, None), Property)
                return to_python(getattr(made, wanted) if python_made else made.property(wanted))
            if (cls._recorded, wanted) not in DIFFERENT and connections.signatures(made, wanted):
                return BoundSignal(self, wanted)
        if (cls._recorded, wanted) in DIFFERENT:
            return Slot(self, wanted, partial(DIFFERENT[cls._recorded, wanted], self))
        if ("QObject", wanted) in DIFFERENT:
            return Slot(self, wanted, partial(DIFFERENT["QObject", wanted], self))
        value = _attribute(made, wanted)
        if value is None:
            raise AttributeError(f"{kind(self)}.{name} is in Slicer; the stand-in does not offer it")
        return Slot(self, wanted, value) if callable(value) and not isinstance(value, type) else to_python(value)

    def __setattr__(self, name: str, value: Any) -> None:
        cls = type(self)
        wanted = _wanted(cls, name)
        if wanted is None:
            if _is_plain(cls):
                raise AttributeError(
                    f"'{name}' does not exist on {kind(self)} and creating new attributes on C++ objects is not "
                    "allowed"
                )
            object.__setattr__(self, name, value)
            return
        made = self.alive(f"set '{name}'")
        index = made.metaObject().indexOfProperty(wanted) if isinstance(made, QObject) else -1
        if index < 0 or wanted in METHODS_IN_QT5:
            raise AttributeError(f"Slot '{name}' can not be overwritten on {kind(self)} object")
        property_ = made.metaObject().property(index)
        if not property_.isWritable():
            raise AttributeError(f"Property '{name}' of {kind(self)} object is not writable")
        if not fits_property(value, property_) or not _write(made, wanted, value):
            raise AttributeError(
                f"Property '{name}' of type '{property_.typeName()}' does not accept an object of type "
                f"{type(value).__name__} ({value!r})"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Wrapper):
            return False
        mine, theirs = native(self), native(other)
        return mine is theirs if isinstance(mine, QObject) else bool(mine == theirs)

    def __hash__(self) -> int:
        return id(native(self)) if isinstance(native(self), QObject) else hash(native(self))

    def __bool__(self) -> bool:
        return not isinstance(native(self), QObject) or shiboken6.isValid(native(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__} ({kind(self)} at: {id(native(self)):#x})"

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"'{kind(self)}' object is not iterable")


def _write(made: QObject, name: str, value: Any) -> bool:
    if isinstance(getattr(type(made), name, None), Property):
        setattr(made, name, conversion.undress(value))
        return True
    # Qt takes the integer of an enumerator and gives the property its type.
    plain = int(value) if isinstance(value, conversion.EnumValue) else to_qt(value)
    return bool(made.setProperty(name, plain))


def native(wrapper: Any) -> Any:
    """The PySide6 object inside a wrapper, for tests that play the user."""
    return wrapper.__dict__["_native"]


def kind(wrapper: Any) -> str:
    """The name of the wrapper's class in Slicer."""
    return type(wrapper)._recorded


def _is_plain(cls: type) -> bool:
    return "_recorded" in cls.__dict__


def _adopt(wrapper: Wrapper, made: Any) -> None:
    object.__setattr__(wrapper, "_native", made)
    if isinstance(made, QObject):
        _wrappers[connections.address(made)] = wrapper
        if not _is_plain(type(wrapper)):
            # A Python subclass lives as long as its Qt object: its attributes must not be lost.
            made.python_self = wrapper


def _shell(cls: type[Wrapper]) -> type:
    """A subclass of the Qt class whose virtual functions are those that the Python class overrides."""
    if "_shell_class" not in cls.__dict__:
        base = cls._native_class
        levels = [level for level in cls.__mro__ if level not in (Wrapper, object) and not _is_plain(level)]
        functions = {name: value for level in levels for name, value in vars(level).items()}
        overriding = [
            name
            for name, value in functions.items()
            if isinstance(value, types.FunctionType) and not name.startswith("__") and hasattr(base, name)
        ]
        cls._shell_class = type(
            cls.__name__, (base,), {name: _forward(name, getattr(base, name)) for name in overriding}
        )
    return cls._shell_class


def _forward(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def virtual(self: Any, *arguments: Any) -> Any:
        owner = getattr(self, "python_self", None)
        if owner is None:
            return original(self, *arguments)
        return to_qt(getattr(owner, name)(*(to_python(argument) for argument in arguments)))

    return virtual


def make_class(kit: str, name: str, native_class: type, lenient: bool = False) -> WrapperType:
    """The class `name` of a kit; its objects are of `native_class`. A lenient one offers whatever PySide6 has."""
    of_class = getattr(native_class, "staticMetaObject", None)
    indices = range(of_class.propertyCount()) if of_class is not None else ()
    body = {
        **{"_kit": kit, "_recorded": name, "_native_class": native_class, "_lenient": lenient, "__module__": kit},
        "_properties": frozenset(of_class.property(index).name() for index in indices),
    }
    made = WrapperType(name, (Wrapper,), body)
    CLASSES[name] = made
    return made


def _class_for(made: Any) -> WrapperType:
    if isinstance(made, QObject):
        of_class = made.metaObject()
        while of_class is not None:
            if of_class.className() in CLASSES:
                return CLASSES[of_class.className()]
            of_class = of_class.superClass()
    name = type(made).__name__
    if name not in CLASSES:
        # A value of a class whose members were not recorded, such as an event: all that PySide6 has.
        make_class("qt", name, type(made), lenient=True)
    return CLASSES[name]


def _dress(made: Any) -> Any:
    if isinstance(made, QObject):
        known = _wrappers.get(connections.address(made))
        if known is not None and shiboken6.isValid(native(known)):
            return known
    cls = _class_for(made)
    wrapper = cls.__new__(cls)
    _adopt(wrapper, made)
    return wrapper


def _undress(value: Any) -> Any:
    return value.alive("use") if isinstance(value, Wrapper) else value


conversion.dress, conversion.undress = _dress, _undress


@different("QObject", "connect")
def _connect(self: Wrapper, signal: str, target: Any, slot: str | None = None) -> bool:
    if slot is not None:
        target = getattr(to_python(target), slot.split("(")[0])
    return connections.connect(native(self), _known_signal(self, signal), target, kind(self))


@different("QObject", "disconnect")
def _disconnect(self: Wrapper, signal: str, target: Any = None) -> bool:
    return connections.disconnect(native(self), _known_signal(self, signal), target, kind(self))


def _known_signal(self: Wrapper, signal: str) -> str:
    name = (signal.decode() if isinstance(signal, bytes) else signal).split("(")[0].strip()
    if name not in members(type(self)._kit, kind(self)):
        raise ValueError(f"QObject::connect() signal '{signal}' does not exist on {kind(self)}")
    return signal


@different("QObject", "className")
def _class_name(self: Wrapper) -> str:
    return type(self).__name__


@different("QObject", "inherits")
def _inherits(self: Wrapper, name: str) -> bool:
    return bool(native(self).inherits(name))


@different("QObject", "delete")
def _delete(self: Wrapper) -> None:
    shiboken6.delete(native(self))


def _descendants(of: QObject) -> Iterator[QObject]:
    for child in of.children():
        yield child
        yield from _descendants(child)


@different("QObject", "findChildren")
def _find_children(self: Wrapper, kind_: Any, name: str = "") -> list[QObject]:
    wanted = kind_ if isinstance(kind_, str) else kind_._recorded
    found = _descendants(native(self))
    return [child for child in found if child.inherits(wanted) and (not name or child.objectName() == name)]


@different("QObject", "findChild")
def _find_child(self: Wrapper, kind_: Any, name: str = "") -> QObject | None:
    return next(iter(_find_children(self, kind_, name)), None)
