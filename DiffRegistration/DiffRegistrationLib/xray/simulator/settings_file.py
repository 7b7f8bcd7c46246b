"""Settings of a simulated X-ray to and from JSON: every physical parameter by its name, null for what is off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from sys import float_info
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..errors import InputError
from ..files.atomic import atomic_write
from .collimator import Aperture, Rectangle, Round, Shutters
from .settings import XraySettings
from .spectrum import SingleEnergy, Tube

FORMAT = "fluoro registration simulated X-ray"
_VERSION = 1
# Where a place takes one of several things, the entry "kind" says which.
_KIND = "kind"
_KINDS: Mapping[str, type] = {
    "tube": Tube,
    "single energy": SingleEnergy,
    "shutters": Shutters,
    "rectangle": Rectangle,
    "round": Round,
}
_REMEDY = "Correct the entry; docs/simulator.md lists all of them with their units."


def settings_as_dict(settings: XraySettings) -> dict[str, Any]:
    """Every field of `settings` and of what it holds, ready for `json`; `settings_from_dict` gives the same back."""
    return _entries(settings)


def settings_from_dict(content: Any, subject: object = "settings") -> XraySettings:
    """Settings of entries by name; what is left out is as by default, most of it off.

    InputError naming `subject` (the file), the entry, its value and what was expected, for entries that are unknown,
    missing or of another type, and for values that cannot be.
    """
    settings: XraySettings = _built(XraySettings, content, subject, "")
    return settings


def write_settings(path: str | Path, settings: XraySettings, *, seed: int | None = None) -> None:
    """Write `settings` as JSON, with the seed that the X-ray was made with; InputError if it cannot be written."""
    content = {"format": FORMAT, "version": _VERSION, "seed": seed, "settings": settings_as_dict(settings)}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_settings(path: str | Path) -> XraySettings:
    """The settings of a file that `write_settings` wrote or a person edited.

    The file's seed is for the reader's eyes: one file serves many seeds. InputError as of `settings_from_dict`, and
    for a file that cannot be read or is something else.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error
    except json.JSONDecodeError as error:
        raise InputError(
            path, f"line {error.lineno} is no JSON: {error.msg}", "Correct it or write it again."
        ) from None
    except UnicodeDecodeError:
        raise InputError(path, "is no JSON", "Give a settings.json of fluororeg simulate.") from None
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, _VERSION):
        raise InputError(
            path, f"is JSON, but no “{FORMAT}” of version {_VERSION}", "Give a settings.json of fluororeg simulate."
        )
    if "settings" not in content:
        raise InputError(path, "the entry “settings” is missing", "Give a settings.json of fluororeg simulate.")
    return settings_from_dict(content["settings"], path)


def alternatives(hint: Any) -> tuple[type, ...]:
    """The dataclasses that a field of this type may hold; none if it holds numbers or words."""
    if hint is Aperture:
        return Shutters, Rectangle, Round
    if get_origin(hint) in (Union, UnionType):
        return tuple(kind for part in get_args(hint) for kind in alternatives(part))
    return (hint,) if is_dataclass(hint) and isinstance(hint, type) else ()


def _entries(holder: Any, kind: str | None = None) -> dict[str, Any]:
    entries: dict[str, Any] = {} if kind is None else {_KIND: kind}
    hints = get_type_hints(type(holder))
    for field in fields(holder):
        entries[field.name] = _entry(getattr(holder, field.name), hints[field.name])
    return entries


def _entry(value: Any, hint: Any) -> Any:
    if is_dataclass(value):
        kinds = {kind: name for name, kind in _KINDS.items()}
        return _entries(value, kinds[type(value)] if len(alternatives(hint)) > 1 else None)
    if isinstance(value, tuple):
        parts = _hints_of_tuple(hint, len(value)) or ()
        return [_entry(part, below) for part, below in zip(value, parts, strict=True)]
    return value.value if isinstance(value, StrEnum) else value


def _built(kind: type, content: Any, subject: object, place: str) -> Any:
    """A dataclass of the entries `content`, which are at `place` (names joined by dots) in the file."""
    _check(isinstance(content, dict), subject, place, content, "entries by name in { }")
    hints = get_type_hints(kind)
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}
    for name in content:
        if name not in known:
            raise InputError(
                subject, f"the entry “{_below(place, name)}” is not known", f"Known there: {', '.join(known)}."
            )
    values = {}
    for name, field in known.items():
        if name in content:
            values[name] = _value(hints[name], content[name], subject, _below(place, name))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InputError(subject, f"the entry “{_below(place, name)}” is missing", _REMEDY)
    try:
        return kind(**values)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(subject, f"the entry “{place or 'settings'}” cannot be: {error}", _REMEDY) from None


def _value(hint: Any, content: Any, subject: object, place: str) -> Any:
    """What `content` says for a field of type `hint`."""
    if content is None and NoneType in get_args(hint):
        return None
    kinds = alternatives(hint)
    if len(kinds) == 1:
        return _built(kinds[0], content, subject, place)
    if kinds:
        return _of_kind({name: kind for name, kind in _KINDS.items() if kind in kinds}, content, subject, place)
    if get_origin(hint) is tuple:
        parts = _hints_of_tuple(hint, len(content)) if isinstance(content, list) else None
        _check(parts is not None, subject, place, content, _in_words(hint))
        return tuple(
            _value(below, part, subject, f"{place}[{number}]")
            for number, (part, below) in enumerate(zip(content, parts or (), strict=True))
        )
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        words = [choice.value for choice in hint]
        _check(content in words, subject, place, content, f"one of {', '.join(words)}")
    else:
        _check(_is_number(hint, content), subject, place, content, _in_words(hint))
    return hint(content)


def _is_number(hint: type, content: Any) -> bool:
    """Whether `content` is a finite number, a whole number or a truth value, whichever `hint` is."""
    if hint is bool or isinstance(content, bool):
        return hint is bool and isinstance(content, bool)
    # Whole numbers of any length are JSON; a float has an end.
    return isinstance(content, int if hint is int else int | float) and abs(content) <= float_info.max


def _of_kind(kinds: Mapping[str, type], content: Any, subject: object, place: str) -> Any:
    _check(isinstance(content, dict), subject, place, content, "entries by name in { }")
    kind = content.get(_KIND)
    _check(isinstance(kind, str) and kind in kinds, subject, _below(place, _KIND), kind, " or ".join(kinds))
    rest = {name: value for name, value in content.items() if name != _KIND}
    return _built(kinds[kind], rest, subject, place)


def _hints_of_tuple(hint: Any, length: int) -> tuple[Any, ...] | None:
    """The types of `length` values of a tuple type; None if it has another length."""
    parts = get_args(hint)
    if parts[-1] is Ellipsis:
        return (parts[0],) * length
    return parts if len(parts) == length else None


def _in_words(hint: Any) -> str:
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        return "a list in [ ]" if parts[-1] is Ellipsis else f"a list of {len(parts)} numbers in [ ]"
    return {bool: "true or false", int: "a whole number", float: "a number"}[hint]


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _check(right: bool, subject: object, place: str, content: Any, expected: str) -> None:
    """InputError unless `right`."""
    if not right:
        raise InputError(
            subject,
            f"the entry “{place or 'settings'}” is {json.dumps(content, ensure_ascii=False)[:80]}, "
            f"expected {expected}",
            _REMEDY,
        )
