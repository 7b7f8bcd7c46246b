"""Frames read by a thread while the one before is registered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from .frames import Frame, FrameSource

# Frames kept: the one in use, those being read, and one to come back to.
_KEPT = 4


class ReadAhead:
    """A `FrameSource` that reads on in the direction in which it is asked, one frame ahead.

    Close it, or use it in a `with` statement: its thread would outlive it.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._times = list(source.times)
        self._pool = ThreadPoolExecutor(1, "frames")
        self._read: OrderedDict[int, Future[Frame]] = OrderedDict()
        self._last: int | None = None

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __reduce__(self) -> tuple[type[ReadAhead], tuple[FrameSource]]:
        """In another process: one that reads on with a thread of its own."""
        return ReadAhead, (self._source,)

    @property
    def times(self) -> Sequence[int]:
        """Numbers of the frames."""
        return self._times

    @property
    def views(self) -> int:
        """How many views there are."""
        return self._source.views

    def frame(self, time: int) -> Frame:
        """A frame's radiographs. InputError for one that cannot be used."""
        place = self._times.index(time)
        wanted = self._wanted(time)
        if self._last is not None and self._last != place:
            following = place + (1 if place > self._last else -1)
            if 0 <= following < len(self._times):
                self._wanted(self._times[following])
        self._last = place
        return wanted.result()

    def _wanted(self, time: int) -> Future[Frame]:
        if time not in self._read:
            self._read[time] = self._pool.submit(self._source.frame, time)
        self._read.move_to_end(time)
        while len(self._read) > _KEPT:
            self._read.popitem(last=False)
        return self._read[time]
