"""Both ways from a key frame followed at once: the other one in a process of its own, which shares the cores.

The kernels must not be called by two threads at once, and a process cannot take this one along if it dies. It says
each registration and each frame as they are done; this process alone writes and tells. What it could not finish can be
done here again: whatever it failed in is met here, too.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import numba

from ..worker.causes import likely_cause
from .follower import FrameDone
from .frames import FrameSource
from .history import History
from .journal import Found
from .registrations import Registrations
from .way_beside import FrameFollowed, Registered, Way, WayBegun, WayDone, WayFailed, WayTask, follow_beside, say

# With fewer frames to follow either way the other process has hardly begun when this one is done.
_LEAST_FRAMES = 10
_PACKAGES = Path(__file__).parents[2]
# A process whose pipe is closed is dead, or will be in a moment.
_PATIENCE_S = 1.0


def pays(one: Way, other: Way, registrations: Registrations) -> bool:
    """Whether both ways are long enough to be followed at once, and there are cores and a Python for it."""
    # Embedded in another program, Python names that one.
    is_python = Path(sys.executable or "").stem.lower().startswith("py")
    # A GPU works for one process at a time.
    if any(body.projector.on_device is not None for body in registrations.bodies):
        return False
    if not is_python or min(len(one.times), len(other.times)) < _LEAST_FRAMES or numba.get_num_threads() < 2:
        return False
    return all(sum(not registrations.knows(t) for t in way.times) >= _LEAST_FRAMES for way in (one, other))


class ProcessBeside:
    """A process that follows `way` from `histories` on, with half of the cores.

    `histories` are what is known of its way so far; with `is_done` that is all of it, `asked` is what it has asked for
    and `unusable` the frames that it could not use. `lost` says why it ended before that. Use `end` in any case.
    """

    def __init__(self, source: FrameSource, registrations: Registrations, histories: list[History], way: Way) -> None:
        """Errors of `pickle` for what cannot be sent to another process; OSError where none can be started."""
        self._cores = numba.get_num_threads()
        its_cores = max(1, self._cores // 2)
        self._rest = max(1, self._cores - its_cores)
        self.histories = [history.copy() for history in histories]
        self.asked = {key: count for key, count in registrations.asked.items() if key[1] in way.times}
        self.unusable: set[int] = set()
        task = WayTask(
            registrations.bodies,
            source,
            registrations.journal.without_file(),
            registrations.similarity,
            registrations.weights,
            self.asked,
            self.histories,
            way,
            its_cores,
        )
        # The arrays apart, from where they lie: a CT is large.
        self._parts: list[pickle.PickleBuffer] = []
        self._head = pickle.dumps(task, protocol=5, buffer_callback=self._parts.append)
        self._process = _started(self._cores)
        self.is_running, self.is_done, self.lost = True, False, ""
        self._has_begun = False
        self._said: SimpleQueue[object] = SimpleQueue()
        self._talk = threading.Thread(target=self._converse, daemon=True)
        self._talk.start()

    def hear(self, add: Callable[[str, Found], None], done: FrameDone, wait_s: float = 0.0) -> None:
        """Pass on what it has said meanwhile or begins to say within `wait_s`: registrations and frames."""
        while self.is_running:
            try:
                said = self._said.get(wait_s > 0, wait_s or None)
            except Empty:
                return
            wait_s = 0.0
            match said:
                case WayBegun():
                    self._has_begun = True
                    numba.set_num_threads(self._rest)
                case Registered():
                    add(said.name, said.found)
                case FrameFollowed():
                    for number, frame in said.found.items():
                        self.histories[number].found[said.time] = frame
                    done(said.time, said.found)
                case WayDone():
                    self.histories, self.asked, self.unusable = said.histories, said.asked, said.unusable
                    self.is_done = True
                    self.end()
                case WayFailed():
                    self.lost = said.problem
                    self.end()
                case _:
                    with suppress(subprocess.TimeoutExpired):
                        self._process.wait(_PATIENCE_S)
                    self.end()
                    # One that could not even begin has lost nothing.
                    self.lost = likely_cause((), self._process.returncode).problem if self._has_begun else ""

    def leave_cores(self) -> None:
        """All cores are for that process now; one that has not even begun is ended."""
        if self.is_running and not self._has_begun:
            self.end()
        elif self.is_running:
            with suppress(OSError):
                say(self._process.stdin, self._cores)

    def end(self) -> None:
        """End it, whatever it does; all cores are for this process again."""
        if not self.is_running:
            return
        self.is_running = False
        if not self.is_done:
            self._process.kill()
        self._process.wait()
        self._talk.join()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdout.close()
        with suppress(OSError):
            self._process.stdin.close()
        numba.set_num_threads(self._cores)

    def _converse(self) -> None:
        """Say what there is to do, then keep what is said; None at its end."""
        try:
            say(self._process.stdin, self._head)
            while self._parts:
                whole = self._parts.pop(0).raw()
                say(self._process.stdin, whole.nbytes, whole)
            say(self._process.stdin, None)
            assert self._process.stdout is not None
            while True:
                self._said.put(pickle.load(self._process.stdout))
        except Exception:
            # It is gone, in the midst of a word perhaps.
            self._said.put(None)


def begin_beside(
    source: FrameSource, registrations: Registrations, histories: list[History], way: Way
) -> ProcessBeside | None:
    """A process that follows `way`; None where the frames cannot be sent to another one, or none can be started."""
    try:
        return ProcessBeside(source, registrations, histories, way)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, OSError):
        return None


def _started(cores: int) -> subprocess.Popen[bytes]:
    paths = [str(_PACKAGES), *(path or str(Path.cwd()) for path in sys.path)]
    environment = {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONSAFEPATH": "1",
        "NUMBA_NUM_THREADS": str(cores),
    }
    return subprocess.Popen(
        [sys.executable, "-c", f"from {follow_beside.__module__} import follow_beside; follow_beside()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | environment,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
