"""Cases in processes of this machine, of which any may die without taking more than its own case along."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any

from ..worker.causes import likely_cause
from ..xray.errors import InputError
from .case_run import lost_case, run_case
from .cohort_case import CaseTask
from .outcome import Begun, Ended, Outcome, read_outcome

# Once more after a death: memory may have been short because of what else was going on.
_TRIES = 2
_THREAD_COUNTS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
_READY = "ready"
_PATIENCE_S = 1.0


def core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_process_count() -> int:
    """Half the cores: the projector keeps more than one of them busy."""
    return max(1, core_count() // 2)


def run_in_processes(tasks: Sequence[CaseTask], count: int) -> Generator[Begun | Ended]:
    """Run the cases in `count` processes, which share the cores (those of NUMBA_NUM_THREADS where it is set).

    A case whose process dies is tried once more, after all others, and then failed. The processes end with the
    iterator. InputError where processes cannot even begin.
    """
    count = max(1, min(count, len(tasks)))
    cores = int(os.environ.get("NUMBA_NUM_THREADS") or core_count())
    waiting, deaths, proven = deque(tasks), Counter[str](), False
    processes: list[_Process] = []
    try:
        while waiting or any(process.task for process in processes):
            while waiting and len(processes) < count:
                processes.append(_Process(max(1, cores // count)))
            for process in processes:
                if waiting and process.task is None:
                    process.give(given := waiting.popleft())
                    yield Begun(given)
            for process in _heard(processes):
                message, task = process.message(), process.task
                if message == _READY:
                    proven = True
                elif isinstance(message, Outcome):
                    assert task is not None
                    process.task = None
                    yield Ended(task, message)
                else:
                    processes.remove(process)
                    cause = process.cause_of_death()
                    if task is None:
                        continue
                    deaths[task.case.name] += 1
                    if not proven and deaths.total() > _TRIES * count:
                        raise InputError(
                            "the processes of the cases",
                            f"end before they begin: {cause.problem}",
                            "In a script, call run_cohort below `if __name__ == '__main__':`.",
                        )
                    outcome = read_outcome(task.folder, task.fingerprint)
                    if outcome is not None and outcome.is_done:
                        yield Ended(task, outcome)
                    elif proven and deaths[task.case.name] >= _TRIES:
                        yield Ended(task, lost_case(task, cause, _TRIES))
                    else:
                        waiting.append(task)
    finally:
        for process in processes:
            process.end()


class _Process:
    """A process that runs one case after another."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        with _thread_count(threads):
            self._process.start()
        theirs.close()
        self.task: CaseTask | None = None

    def give(self, task: CaseTask) -> None:
        """Let it run a case."""
        self.task = task
        try:
            self.connection.send(task)
        except OSError:
            # It is dead already; reading from it will tell.
            return

    def message(self) -> Any:
        """What it says; None once it is dead."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            return None

    def cause_of_death(self) -> InputError:
        """Why it died."""
        self._process.join(_PATIENCE_S)
        return likely_cause((), self._process.exitcode)

    def end(self) -> None:
        """End it, whatever it does."""
        self.connection.close()
        if self.task is not None:
            self._process.kill()
        self._process.join(_PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _heard(processes: Sequence[_Process]) -> list[_Process]:
    """Those that have something to say, or died."""
    # With a time limit, as Windows would not hear Ctrl-C before.
    ready = connection.wait([process.connection for process in processes], _PATIENCE_S)
    return [process for process in processes if process.connection in ready]


@contextmanager
def _thread_count(threads: int) -> Iterator[None]:
    """A process that begins here uses so many threads: numba and torch read it from the environment when imported."""
    before = {name: os.environ.get(name) for name in _THREAD_COUNTS}
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(theirs: connection.Connection) -> None:
    # Ctrl-C reaches all processes of a terminal; the first one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is printed must not get between what the first process says.
    sys.stdout = sys.stderr
    theirs.send(_READY)
    while True:
        try:
            task = theirs.recv()
        except EOFError:
            return
        theirs.send(run_case(task))
