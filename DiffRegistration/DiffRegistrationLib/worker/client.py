"""The side that asks: hands jobs to a worker, tells how they go, and ends it when told to."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ..xray.errors import InputError
from .causes import likely_cause
from .job import Job
from .messages import Crashed, Ended, Finished, Message, Progress, Ready, Refused, Started
from .worker_process import WorkerProcess


class WorkerClient:
    """Jobs run one after another in one worker process, which is started for the first and kept for the next.

    Nothing here waits but for a process to be ended, two seconds at most. It is for one thread, which calls `poll`
    ten times a second or so. `python` is the interpreter (by default `worker_python`), `environment` what it starts
    in, instead of this process's own. A worker from which nothing is heard for `silence_seconds` is ended; while it
    starts and while it loads what a job needs, it has `start_seconds`.
    """

    def __init__(
        self,
        python: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        silence_seconds: float = 15.0,
        start_seconds: float = 60.0,
    ) -> None:
        self._python, self._environment = None if python is None else str(python), environment
        self._silence_seconds, self._start_seconds = silence_seconds, max(start_seconds, silence_seconds)
        self._process: WorkerProcess | None = None
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._sent = 0.0
        self._ready = self._started = self._loaded = False
        self._kept: list[Message] = []

    @property
    def busy(self) -> bool:
        """Whether there is a job whose end `poll` has not told yet."""
        return self._running is not None or bool(self._waiting) or bool(self._kept)

    @property
    def idle(self) -> bool:
        """Not `busy`."""
        return not self.busy

    @property
    def running(self) -> Job | None:
        """The job that runs."""
        return self._running

    @property
    def pid(self) -> int | None:
        """Number of the worker's process; None while there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the worker before there is a job, to save the first one the time. InputError where it cannot be."""
        if self._process is not None and self._process.returncode is not None:
            self._forget_process()
        if self._process is None:
            self._process = WorkerProcess(self._python, self._environment)
            self._ready = False

    def submit(self, job: Job) -> None:
        """Have a job done when those before it are; `poll` tells how it goes and how it ended."""
        with suppress(OSError):
            job.forget_stop()
        self._waiting.append(job)
        self._send_next()

    def stop(self) -> None:
        """Ask the running job to stop and keep what there is; a registration takes no notice."""
        if self._running is not None:
            self._running.ask_to_stop()

    def poll(self) -> list[Message]:
        """What was said since the last call, oldest first; never waits.

        Each job ends with one Finished, Refused, Crashed or Ended.
        """
        said = self._kept
        self._kept = []
        said += self._heard()
        self._send_next()
        said += self._kept
        self._kept = []
        return said

    def cancel(self) -> None:
        """End the running job with its process, and forget those that wait; the next job starts a new process."""
        self._kept += self._heard()
        if self._running is not None:
            self._forget_process()
        for job in (self._running, *self._waiting):
            if job is not None:
                self._kept.append(Ended(job.id))
        self._running = None
        self._waiting.clear()

    def close(self) -> None:
        """End the worker and all jobs; the client can be used again."""
        self.cancel()
        self._forget_process()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _heard(self) -> list[Message]:
        """What the process said, and what is to be said of it."""
        process = self._process
        if process is None:
            return []
        # First whether it has ended: what it said before is complete then.
        ended = process.has_ended()
        messages = [self._noted(message) for message in process.messages()]
        if ended:
            cause = likely_cause(process.lines, process.returncode)
        elif (silent := process.silent_seconds) > self._patience:
            cause = InputError(
                "the computation", f"gave no sign of life for {silent:.0f} s and was ended", "Start it again."
            )
        elif self._running and self._ready and not self._started and self._waits_for > self._start_seconds:
            cause = InputError("the computation", "did not begin", "Start it again.")
        else:
            return messages
        return [*messages, *self._lost(cause)]

    def _noted(self, message: Message) -> Message:
        match message:
            case Ready():
                self._ready = True
            case Started():
                self._started = True
            case Progress():
                self._loaded = True
            case Refused(job="") if self._running is not None:
                # It did not understand what it was given, so it could not say what.
                message = Refused(self._running.id, message.subject, message.problem, message.remedy)
        if isinstance(message, Finished | Refused) and self._running is not None and message.job == self._running.id:
            self._running = None
        return message

    @property
    def _patience(self) -> float:
        loading = not self._ready or (self._running is not None and not self._loaded)
        return self._start_seconds if loading else self._silence_seconds

    @property
    def _waits_for(self) -> float:
        return time.monotonic() - self._sent

    def _lost(self, cause: InputError) -> list[Message]:
        """The process is no use any more. Without a job nobody need know."""
        assert self._process is not None
        lines, returncode = self._process.lines, self._process.returncode
        self._forget_process()
        job, self._running = self._running, None
        if job is None:
            return []
        return [Crashed(job.id, cause.subject, cause.problem, cause.remedy, lines, returncode)]

    def _forget_process(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _send_next(self) -> None:
        """Give the process the next job if it has none, and start it if need be."""
        while self._running is None and self._waiting:
            job = self._waiting.popleft()
            try:
                self.start()
            except InputError as error:
                self._kept.append(Crashed(job.id, error.subject, error.problem, error.remedy))
                continue
            assert self._process is not None
            self._started = self._loaded = False
            self._running, self._sent = job, time.monotonic()
            # Where it cannot be sent, the process has ended and `poll` will say so.
            self._process.send(job)
