"""Whether the chosen CT moves, by whose hand ever: sliders, handles, the Transforms module, a sequence that plays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from .session import single_shot


class PoseWatch:
    """Calls each of `listeners` after the CT moved: once a turn of the event loop, however often it moved in it."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]] = []
        self._watched: tuple[Any, int] | None = None
        self._soon = single_shot(0, self._tell)

    @property
    def ct(self) -> Any:
        """The CT that is watched, or None."""
        return None if self._watched is None else self._watched[0]

    def watch(self, ct: Any) -> None:
        """Watch this CT from now on, and no other; None watches none."""
        if ct is self.ct:
            return
        self.stop()
        if ct is not None:
            # Also given when another transform, or one further up, takes the place of the CT's.
            tag = ct.AddObserver(slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._moved)
            self._watched = (ct, tag)

    def stop(self) -> None:
        """Watch nothing."""
        self._soon.stop()
        if self._watched is not None:
            ct, tag = self._watched
            ct.RemoveObserver(tag)
            self._watched = None

    def _moved(self, _caller: Any = None, _event: Any = None) -> None:
        if not self._soon.active:
            self._soon.start()

    def _tell(self) -> None:
        for listener in self.listeners:
            listener()
