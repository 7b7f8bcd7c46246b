"""`python -m DiffRegistrationLib.worker`: reads jobs from stdin, one a line, and says on stdout how they go.

It ends when stdin does, or with the process that `--parent` names, also in the midst of a job.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from queue import SimpleQueue
from typing import NoReturn

from ..xray.errors import UNUSABLE, as_input_error
from .job import Job, job_from_dict
from .json_fields import to_json
from .messages import Finished, Heartbeat, Message, Refused, Started
from .process_tree import Parent, kill_descendants
from .readiness import ready

_BEAT_SECONDS = 1.0
# Below what a person works with, so that a window stays quick while all cores compute.
_NICENESS = 5
_FAILED = 1


class Voice:
    """What stdout was when the process began; messages alone go there."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._lock = descriptor, threading.Lock()

    def tell(self, message: Message) -> None:
        """Say a message, whole; ends the process where nobody listens any more."""
        line = (message.to_line() + "\n").encode("ascii")
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                leave(0)


def leave(code: int) -> NoReturn:
    """End this process now, from whatever thread, and all that it started."""
    with suppress(Exception):
        kill_descendants()
    with suppress(Exception):
        sys.stderr.flush()
    os._exit(code)


def own_streams() -> tuple[int, int]:
    """Stdin and stdout as they were, for us alone.

    What libraries print goes to stderr from now on, what they read is empty, and no child of ours can hold the pipes
    open. On Windows a read that waits on the process's own stdin would also stop every library that looks at it.
    """
    given, told = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return given, told


def read_lines(descriptor: int, lines: SimpleQueue[str]) -> None:
    """Pass lines on until there are no more, which means that whoever asked is gone."""
    with suppress(OSError), open(descriptor, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            lines.put(line)
    leave(0)


def beat(voice: Voice, parent: Parent | None) -> None:
    """Say every second that we live, as long as the parent does."""
    began = time.monotonic()
    while parent is None or not parent.is_gone():
        voice.tell(Heartbeat(round(time.monotonic() - began, 3)))
        time.sleep(_BEAT_SECONDS)
    leave(0)


def do(line: str, voice: Voice) -> None:
    """Do the job of a line and say how it ended; leaves with a traceback for what is a fault of the program."""
    job: Job | None = None
    try:
        job = job_from_dict(_parsed(line))
        voice.tell(Started(job.id))
        # Only now what this kind of job needs, which takes seconds to load.
        module = importlib.import_module(f"{job.package}.{job.kind}_job")
        content = module.run(job, voice.tell)
        voice.tell(Finished(job.id, to_json(content)))
    except UNUSABLE as error:
        voice.tell(Refused.because(job.id if job else "", as_input_error(error)))
    except BaseException:
        traceback.print_exc()
        leave(_FAILED)
    # What refers to itself would keep the memory of a GPU from the next job.
    gc.collect()


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def main() -> NoReturn:
    """Do jobs as they come."""
    parser = argparse.ArgumentParser(prog="python -m DiffRegistrationLib.worker", description=__doc__)
    parser.add_argument("--parent", type=int, help="Number of the process without which there is nothing to do.")
    parent = parser.parse_args().parent
    given, told = own_streams()
    # A Ctrl-C in a terminal is meant for whoever asked, who then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    voice = Voice(told)
    voice.tell(ready())
    lines: SimpleQueue[str] = SimpleQueue()
    watched = None if parent is None else Parent(parent)
    threading.Thread(target=beat, args=(voice, watched), daemon=True).start()
    threading.Thread(target=read_lines, args=(given, lines), daemon=True).start()
    while True:
        if (line := lines.get()).strip():
            do(line, voice)


if __name__ == "__main__":
    main()
