"""What a process does that follows one way through a sequence beside another process, and what it says.

It is an interpreter that knows of no main program, so that scripts need no guard against being run once more.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import numba

from ..xray.errors import UNUSABLE, as_input_error
from .bodies import Body
from .follower import Follower, FrameDone
from .frames import FrameSource
from .history import History
from .journal import Found, Journal
from .registrations import Registrations
from .track import FramePose

_FAILED = 1
# What the kernel of Linux adds to a process's size (per mille) when it looks for one to end for want of memory.
_READILY_ENDED = "1000"


@dataclass(frozen=True)
class Way:
    """Frames in the order in which they are followed; `direction` is 1 for forward, -1 for backward."""

    times: tuple[int, ...]
    direction: int


@dataclass(frozen=True, eq=False)
class WayTask:
    """What the other process needs."""

    bodies: tuple[Body, ...]
    source: FrameSource
    journal: Journal
    similarity: str
    weights: Sequence[float] | None
    asked: dict[tuple[int, int], int]
    histories: list[History]
    way: Way
    cores: int


@dataclass(frozen=True)
class WayFailed:
    """It cannot go on: no memory, or something that is met in this process as well."""

    problem: str


@dataclass(frozen=True)
class WayBegun:
    """The other process has all that it needs."""


@dataclass(frozen=True, eq=False)
class Registered:
    """A registration is done."""

    name: str
    found: Found


@dataclass(frozen=True, eq=False)
class FrameFollowed:
    """A frame is done."""

    time: int
    found: dict[int, FramePose]


@dataclass(frozen=True, eq=False)
class WayDone:
    """All frames are done."""

    histories: list[History]
    asked: dict[tuple[int, int], int]
    unusable: set[int]


def say(to: IO[bytes] | None, what: object, whole: memoryview | None = None) -> None:
    """Send `what`, and then the bytes `whole`; OSError where nobody listens any more."""
    assert to is not None
    pickle.dump(what, to, protocol=5)
    if whole is not None:
        to.write(whole)
    to.flush()


def follow_beside() -> NoReturn:
    """What the other process does."""
    from ..worker.__main__ import own_streams

    # Ctrl-C reaches all processes of a terminal; the first one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where memory runs out, this one shall go: the other one can do without it.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_READILY_ENDED, encoding="ascii")
    given, told = own_streams()
    heard, said = os.fdopen(given, "rb"), os.fdopen(told, "wb")
    try:
        task = _received(heard)
    except Exception:
        # The other one is gone, or speaks of what only its own program knows.
        os._exit(_FAILED)
    try:
        _follow(task, heard, said)
    except UNUSABLE as error:
        with suppress(OSError):
            say(said, WayFailed(as_input_error(error).problem))
    except BaseException:
        traceback.print_exc()
        os._exit(_FAILED)
    os._exit(0)


def _received(heard: IO[bytes]) -> WayTask:
    head, parts = pickle.load(heard), []
    while (size := pickle.load(heard)) is not None:
        part = bytearray(size)
        if heard.readinto(part) != size:  # type: ignore[attr-defined]
            raise EOFError
        parts.append(part)
    task: WayTask = pickle.loads(head, buffers=parts)
    return task


def _follow(task: WayTask, heard: IO[bytes], said: IO[bytes]) -> None:
    cores = [task.cores]

    def listen() -> None:
        with suppress(Exception):
            while True:
                cores.append(pickle.load(heard))
        # Nobody is there any more.
        os._exit(_FAILED)

    threading.Thread(target=listen, daemon=True).start()
    say(said, WayBegun())
    journal = _JournalBeside(task.journal, lambda name, found: say(said, Registered(name, found)))
    registrations = Registrations(task.bodies, journal, task.similarity, task.weights)
    registrations.asked = task.asked
    done: FrameDone = lambda time, found: say(said, FrameFollowed(time, dict(found)))  # noqa: E731
    follower = Follower(task.source, registrations, task.histories, done, set())
    for time in task.way.times:
        numba.set_num_threads(cores[-1])
        follower.follow(time, task.way.direction, range(len(task.bodies)))
    say(said, WayDone(follower.histories, registrations.asked, follower.unusable))


class _JournalBeside(Journal):
    """What the other process knows; what is added is said to it."""

    def __init__(self, known: Journal, add: Callable[[str, Found], None]) -> None:
        super().__init__()
        self._before, self._add = known, add

    def find(self, name: str) -> Found | None:
        """What is known of a registration."""
        return self._before.find(name)

    def add(self, name: str, found: Found) -> None:
        """Say a registration."""
        self._add(name, found)
