"""Which frame a browser of X-rays shows, by whose hand ever: slider, table, a sequence that plays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..mrml.pose_sequence import shown_frame
from .session import single_shot


class FrameWatch:
    """Calls `told` after a browser shows another frame: once a turn of the event loop, however many it ran through."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._watched: tuple[Any, int] | None = None
        self._frame: str | None = None
        self._soon = single_shot(0, self._tell)

    @property
    def browser(self) -> Any:
        """The browser that is watched, or None."""
        return None if self._watched is None else self._watched[0]

    def watch(self, browser: Any) -> None:
        """Watch this browser from now on, and no other; None watches none."""
        if browser is self.browser:
            return
        self.stop()
        if browser is not None:
            self._watched = (browser, browser.AddObserver("ModifiedEvent", self._changed))
            self._frame = shown_frame(browser)

    def stop(self) -> None:
        """Watch nothing."""
        self._soon.stop()
        if self._watched is not None:
            browser, tag = self._watched
            browser.RemoveObserver(tag)
            self._watched = None

    def _changed(self, _caller: Any = None, _event: Any = None) -> None:
        if not self._soon.active:
            self._soon.start()

    def _tell(self) -> None:
        frame = shown_frame(self.browser)
        if frame != self._frame:
            self._frame = frame
            self._told()
