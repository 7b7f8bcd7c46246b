"""Cases on the workers of a Dask cluster, of which any may die on the way."""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import __version__
from ..evaluation.record import engine_fingerprint
from ..xray.errors import InputError
from .case_run import lost_case, run_case
from .cohort_case import CaseTask, Problem
from .outcome import Ended, Outcome, Status, failed, read_outcome

_SCHEDULER_S, _FIRST_WORKER_S, _NO_WORKER_S = 10, 30, 300
_LOOK_EVERY_S = 5.0
# As often as Dask itself gives a task to a worker before it holds it for the killer.
_TRIES = 4
_ATTEMPTS = ".attempts.json"
_SAME_FOLDERS = "Workers must see manifest and output under the same paths, as on a shared disk."
_GO_ON = "What is done is kept; the same command goes on from there."

# Kernels of one process cannot run beside each other, whatever number of threads a worker has.
_one_case_at_a_time = threading.Lock()


def run_on_cluster(tasks: Sequence[CaseTask], address: str) -> Generator[Ended]:
    """Run the cases on the workers of the scheduler at `address` (tcp://host:port), in whatever order they end.

    What a dead worker was given goes to others; a case during which four died is failed. InputError where the package
    distributed is absent, no scheduler answers or it is lost, no worker is there for long, and for workers that have
    another version of the program or do not see the folders.
    """
    client = _client(address)
    try:
        _check_workers(client, address, tasks[0].source, tasks[0].output)
        yield from _Run(client, address, tasks).ended()
    finally:
        # A case that a worker has begun goes on to its outcome.
        client.close()


def _client(address: str) -> Any:
    try:
        import distributed
    except ImportError:
        raise InputError(
            f"--dask {address}",
            "the package distributed is not installed",
            "Install it: pip install 'fluororegistration[cluster]'.",
        ) from None
    try:
        return distributed.Client(address, timeout=_SCHEDULER_S, set_as_default=False, name="fluororeg")
    except (OSError, ValueError) as error:
        raise InputError(
            f"--dask {address}",
            f"no scheduler answers there ({error})",
            "Give the address that dask scheduler tells, such as tcp://host:8786, and start it before.",
        ) from None


@lru_cache
def _program() -> str:
    """The program's version, and a digest of the very files that compute."""
    return f"{__version__} ({engine_fingerprint()})"


def _look(source: str, token: str) -> tuple[str, bool]:
    """On a worker: its program, and whether it sees the folders."""
    return _program(), Path(source).is_dir() and Path(token).is_file()


def _check_workers(client: Any, address: str, source: Path, output: Path) -> None:
    subject = f"the workers of {address}"
    try:
        client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
    except TimeoutError:
        raise InputError(subject, "there is none", f"Start some: dask worker {address} --nthreads 1.") from None
    token = output / f".{uuid.uuid4().hex[:8]}"
    token.touch()
    try:
        seen = client.run(_look, str(source), str(token), on_error="return")
    except Exception as error:
        # What a worker without the program says depends on Dask's version.
        seen = {"": error}
    finally:
        token.unlink(missing_ok=True)
    for worker, said in seen.items():
        if isinstance(said, BaseException):
            problem = f"cannot load this program: {type(said).__name__}: {said}"
            raise InputError(f"{subject} {worker}".strip(), problem, "Install the same version on all of them.")
        program, sees = said
        if program != _program():
            problem = f"has version {program} of the program, here it is {_program()}"
            raise InputError(f"worker {worker}", problem, "Install the same version on all of them.")
        if not sees:
            raise InputError(f"worker {worker}", "does not see the folders of manifest and output", _SAME_FOLDERS)


def _work(task: CaseTask, run: str, program: str) -> Outcome:
    """On a worker: run a case, unless it has been done or has been the death of too many."""
    if _program() != program:
        raise RuntimeError(f"a worker has version {_program()} of the program, the command has {program}")
    with _one_case_at_a_time:
        done = read_outcome(task.folder, task.fingerprint)
        if done is not None and done.is_done:
            return done
        attempts = _attempts(task, run)
        if attempts >= _TRIES:
            cause = InputError("workers of the cluster", "died during this case", "See what the workers' logs tell.")
            return lost_case(task, cause, attempts)
        mark = task.folder / _ATTEMPTS
        task.folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(json.dumps({"run": run, "attempts": attempts + 1}), encoding="utf-8")
        outcome = run_case(task)
        mark.unlink(missing_ok=True)
        return outcome


def _attempts(task: CaseTask, run: str) -> int:
    """How often the case was begun in this run and never came to an end."""
    try:
        content = json.loads((task.folder / _ATTEMPTS).read_text(encoding="utf-8"))
        return int(content["attempts"]) if content["run"] == run else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


class _Run:
    """Cases given to a cluster; those that are lost with it are given again."""

    def __init__(self, client: Any, address: str, tasks: Sequence[CaseTask]) -> None:
        self._client, self._address = client, address
        self._name = uuid.uuid4().hex
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._pending: dict[str, tuple[Any, CaseTask]] = {}
        self._all_well = time.monotonic()
        for task in tasks:
            self._submit(task)

    def _submit(self, task: CaseTask) -> None:
        future = self._client.submit(
            _work, task, self._name, _program(), key=f"fluororeg-case-{uuid.uuid4().hex}", retries=1, pure=False
        )
        self._pending[future.key] = future, task
        future.add_done_callback(self._ended.put)

    def ended(self) -> Iterator[Ended]:
        """What came of each case."""
        while self._pending:
            try:
                future = self._ended.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                self._look_after_the_cluster()
                continue
            _, task = self._pending.pop(future.key, (None, None))
            if task is not None and (outcome := self._outcome(task, future)) is not None:
                yield Ended(task, outcome)

    def _outcome(self, task: CaseTask, future: Any) -> Outcome | None:
        """None for a case that has been given to the cluster again."""
        if future.status == "finished":
            return future.result()
        done = read_outcome(task.folder, task.fingerprint)
        if done is not None and done.is_done:
            return done
        error = future.exception() if future.status == "error" else None
        if future.status != "error" or type(error).__name__ == "KilledWorker":
            # It may only have waited on workers that died of others; the killer is known by its attempts.
            self._look_after_the_cluster()
            self._submit(task)
            return None
        # Not written, so it is run again the next time.
        problem = Problem("a worker", f"gave up: {type(error).__name__}: {error}", "See what the workers' logs tell.")
        return failed(task.case, Status.FAILED_PROGRAM, problem)

    def _look_after_the_cluster(self) -> None:
        """Give again what a new start of the scheduler has forgotten. InputError where nothing is left to wait for."""
        if self._client.status == "closed":
            raise InputError(f"the scheduler {self._address}", "is gone", _GO_ON)
        if self._client.status == "running" and self._client.nthreads():
            self._all_well = time.monotonic()
            for future, task in list(self._pending.values()):
                if future.status == "lost":
                    del self._pending[future.key]
                    self._submit(task)
        elif time.monotonic() - self._all_well > _NO_WORKER_S:
            raise InputError(f"the workers of {self._address}", "are all gone", f"Start new ones. {_GO_ON}")
