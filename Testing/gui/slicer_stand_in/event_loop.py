"""Qt's event loop in a test: let it turn, take a picture, measure how long the window stood still."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication

from .pythonqt import Wrapper, native


def pump(seconds: float = 0.0, until: Callable[[], Any] | None = None, timeout: float = 10.0) -> None:
    """Run the event loop: for `seconds`, or until `until()` is true. TimeoutError after `timeout` seconds."""
    begun = time.perf_counter()
    loop = QEventLoop()

    def look() -> None:
        passed = time.perf_counter() - begun
        if (until() if until is not None else passed >= seconds) or (until is not None and passed > timeout):
            loop.quit()

    ticks = QTimer()
    ticks.setInterval(2)
    ticks.timeout.connect(look)
    ticks.start()
    loop.exec()
    ticks.stop()
    QApplication.processEvents()
    if until is not None and not until():
        raise TimeoutError(f"not so after {timeout} s")


def grab(widget: Any, png: Path | str, width: int = 0, height: int = 0) -> Path:
    """Draw a widget, or a module's window, into a PNG file of at least this size."""
    shown = native(widget if isinstance(widget, Wrapper) else widget.parent)
    shown.ensurePolished()
    wanted = shown.sizeHint().expandedTo(shown.minimumSizeHint())
    if shown.isVisible():
        wanted = wanted.expandedTo(shown.size())
    shown.resize(max(wanted.width(), width), max(wanted.height(), height))
    QApplication.processEvents()
    if not shown.grab().save(str(png), "PNG"):
        raise OSError(f"{png}: could not be written")
    return Path(png)


class Meter:
    """The longest time, in seconds, that the GUI thread stood still between two turns of the event loop.

    A context manager; within it a test pumps, and what it calls itself counts as well.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = 0.0
        self._ticks = QTimer()
        self._ticks.setTimerType(Qt.TimerType.PreciseTimer)
        self._ticks.setInterval(1)
        self._ticks.timeout.connect(self._turn)

    def _turn(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last)
        self._last = now

    def __enter__(self) -> Meter:
        self._last = time.perf_counter()
        self._ticks.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._turn()
        self._ticks.stop()
