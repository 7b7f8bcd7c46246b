"""Frozen dataclasses to and from JSON, each field checked against its type."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_T = TypeVar("_T")


def to_json(value: Any) -> Any:
    """What `json` writes of a dataclass, a path, an array or a container of them; null for NaN and infinity."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(form: type[_T], content: Mapping[str, Any]) -> _T:
    """The dataclass of this `form` from what `to_json` made of it. TypeError naming a field that does not fit."""
    hints = get_type_hints(form)
    known = {field.name for field in fields(form)}  # type: ignore[arg-type]
    if unknown := set(content) - known:
        raise TypeError(f"{', '.join(sorted(unknown))} not known")
    values = {}
    for name, value in content.items():
        try:
            values[name] = _fitted(hints[name], value)
        except TypeError:
            raise TypeError(f"{name} does not fit") from None
    return form(**values)


def _fitted(hint: Any, value: Any) -> Any:
    """`value` as what `hint` asks for, or TypeError."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _fitted_to_any(inner, value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is tuple and isinstance(value, list):
        return tuple(_fitted(inner[0], item) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _fitted(inner[1], item) for key, item in value.items()}
    if origin is None and type(value) is hint:
        return value
    raise TypeError


def _fitted_to_any(hints: tuple[Any, ...], value: Any) -> Any:
    for hint in hints:
        try:
            return _fitted(hint, value)
        except TypeError:
            continue
    raise TypeError
