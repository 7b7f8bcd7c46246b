"""The frames of a tracking: which there are, and the radiographs of each view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..xray.radiograph import Radiograph

# A frame's views in their order; None where a view lacks the frame.
Frame = tuple[Radiograph | None, ...]


class FrameSource(Protocol):
    """Frames by their numbers (`times`, ascending); `views` is how many views each has."""

    @property
    def times(self) -> Sequence[int]:
        """Numbers of all frames that at least one view has."""
        ...

    @property
    def views(self) -> int:
        """How many views there are."""
        ...

    def frame(self, time: int) -> Frame:
        """The radiographs of a frame. InputError for one that cannot be used."""
        ...


class FramesInMemory:
    """Frames that have been read: one tuple of views each, numbered from 0."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = tuple(frames)

    @property
    def times(self) -> Sequence[int]:
        """0, 1, …"""
        return range(len(self._frames))

    @property
    def views(self) -> int:
        """How many views there are."""
        return len(self._frames[0]) if self._frames else 0

    def frame(self, time: int) -> Frame:
        """A frame's radiographs."""
        return self._frames[time]
