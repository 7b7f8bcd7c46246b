"""Observers that the stand-in's widgets put on MRML objects; they go with the widget and with the test."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import shiboken6

_made: list[tuple[Any, int]] = []


def observe(what: Any, event: int | str, method: Callable[[], None]) -> tuple[Any, int]:
    """Call a widget's method at each event, as long as there is the widget; gives what `forget` takes."""
    weak = weakref.WeakMethod(method)

    def follow(*_event: Any) -> None:
        found = weak()
        if found is not None and shiboken6.isValid(found.__self__):
            found()

    made = (what, what.AddObserver(event, follow))
    _made.append(made)
    return made


def forget(made: tuple[Any, int]) -> None:
    """Take one observer away."""
    what, tag = made
    what.RemoveObserver(tag)
    _made.remove(made)


def forget_all() -> None:
    """Take every observer away."""
    while _made:
        forget(_made[-1])
