"""One worker process as its client sees it: started, listened to by threads, spoken to, ended."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from ..xray.errors import InputError
from .job import Job
from .messages import Message, message_from_line
from .process_tree import kill_orphans, kill_tree

_KEPT_LINES = 40
# A process that is dead may still have words on their way, and an heir that holds the pipe.
_LAST_WORDS_SECONDS = 1.0
# Who asks rarely, or slept together with the machine, has not been waiting all that time.
_LONGEST_WAIT = 2.0
# Where the jobs come from that one worker does; the second package need not be there.
_PACKAGES = ("DiffRegistrationLib", "LandmarkDetectionLib")


def worker_python(environment: Mapping[str, str]) -> str:
    """The Python to work with: Slicer's, if there is one on the path, else this one.

    PythonSlicer is a launcher that need not pass stdin on. In an environment that Slicer has made already, the
    interpreter beside it runs by itself, as Slicer runs its own command line modules.
    """
    path = environment.get("PATH")
    slicer = shutil.which("PythonSlicer", path=path)
    if slicer is None:
        return sys.executable
    beside = shutil.which("python-real", path=str(Path(slicer).parent))
    return beside if beside is not None and "PYTHONHOME" in environment else slicer


def package_folders() -> list[str]:
    """Folders that hold the packages of jobs, to be searched by a worker; nothing is imported for it."""
    found = [importlib.util.find_spec(name) for name in _PACKAGES]
    places = [str(Path(spec.origin).parents[1]) for spec in found if spec is not None and spec.origin is not None]
    return list(dict.fromkeys(places))


class WorkerProcess:
    """A running `python -m DiffRegistrationLib.worker`. InputError where there is no such Python."""

    def __init__(self, python: str | None, environment: Mapping[str, str] | None) -> None:
        environment = dict(os.environ if environment is None else environment)
        python = python or worker_python(environment)
        before = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([*package_folders(), *([before] if before else [])])
        # A torch.py in the current folder must not stand for the package; a fault in compiled code tells where it was.
        environment |= {"PYTHONSAFEPATH": "1", "PYTHONUTF8": "1", "PYTHONFAULTHANDLER": "1"}
        try:
            self._process = subprocess.Popen(
                [python, "-m", "DiffRegistrationLib.worker", "--parent", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                encoding="utf-8",
                errors="replace",
                # A group of its own: its children can be found even after its death (POSIX).
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0)
                | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
            )
        except OSError as error:
            raise InputError(
                python, f"cannot be started: {error.strerror or error}", "Name a Python that has the packages needed."
            ) from error
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._silent, self._asked = 0.0, time.monotonic()
        self._died: float | None = None
        self._listeners = [threading.Thread(target=each, daemon=True) for each in (self._listen, self._keep_lines)]
        for listener in self._listeners:
            listener.start()

    @property
    def pid(self) -> int:
        """Number of the process that was started."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines on stderr since the last job was sent."""
        return tuple(self._lines)

    @property
    def silent_seconds(self) -> float:
        """How long `messages` has been asked in vain."""
        return self._silent

    def send(self, job: Job) -> bool:
        """Hand a job over; False where the process takes none any more."""
        self._lines.clear()
        self._silent = 0.0
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(job.to_dict(), allow_nan=False) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def messages(self) -> list[Message]:
        """What was said since the last call."""
        new = []
        while True:
            try:
                new.append(self._messages.get_nowait())
            except Empty:
                break
        now = time.monotonic()
        self._silent = 0.0 if new else self._silent + min(now - self._asked, _LONGEST_WAIT)
        self._asked = now
        return new

    def has_ended(self) -> bool:
        """Whether the process is dead and nothing more will come of it."""
        if self.returncode is None:
            return False
        now = time.monotonic()
        self._died = now if self._died is None else self._died
        return now - self._died > _LAST_WORDS_SECONDS or not any(each.is_alive() for each in self._listeners)

    def kill(self, seconds: float = 2.0) -> None:
        """End the process and all that it started; within `seconds`, unless the system itself holds them."""
        if self.returncode is None:
            kill_tree(self.pid, seconds)
        else:
            kill_orphans(self.pid, seconds)
        for listener in self._listeners:
            listener.join(0.1)
        # To close a pipe that a thread reads would wait for the thread.
        for stream, reader in zip((self._process.stdout, self._process.stderr), self._listeners, strict=True):
            if stream is not None and not reader.is_alive():
                stream.close()
        assert self._process.stdin is not None
        # What was not sent yet never will be.
        with suppress(OSError):
            self._process.stdin.close()
        # Buries it, so that it does not stay in the list of processes.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.1)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._messages.put(message_from_line(line))

    def _keep_lines(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append(line.rstrip("\n"))
