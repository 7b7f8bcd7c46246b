"""Jobs on their way: handed to the worker when their inputs are on disk, and told of to who gave them."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..worker.client import WorkerClient
from ..worker.frames import read_frame
from ..worker.job import Job
from ..worker.messages import Ended, Failure, Finished, Frame, Message, Progress, Ready
from ..xray.errors import UNUSABLE, InputError, as_input_error
from .job_results import Listener

# How long waiting sleeps between two looks at the worker.
_LOOK_AGAIN_SECONDS = 0.02


@dataclass(frozen=True, eq=False)
class _Pending:
    """A job that is not over; `apply` makes a result of what the worker says at its end."""

    job: Job
    listener: Listener
    apply: Callable[[dict[str, Any]], Any]


class JobRunner:
    """Runs jobs one after the other in one worker; what that says is applied by `poll`, by nothing else.

    `over` is called after each job, when it is forgotten.
    """

    def __init__(self, worker: WorkerClient, over: Callable[[], None]) -> None:
        self.worker, self._over = worker, over
        self._pending: dict[str, _Pending] = {}
        # Jobs whose inputs are not on disk yet, and what the worker said that was not applied yet.
        self._waiting: deque[tuple[Job, Future[Any]]] = deque()
        self._heard: deque[Message] = deque()
        self.engine: Ready | None = None
        """What the worker said of its packages and its device."""

    @property
    def jobs(self) -> list[Job]:
        """The jobs that run or wait."""
        return [pending.job for pending in self._pending.values()]

    @property
    def waiting(self) -> bool:
        """Whether inputs of a job are still being written."""
        return bool(self._waiting)

    def run(
        self,
        job: Job,
        written: Future[Any],
        listener: Listener | None,
        apply: Callable[[dict[str, Any]], Any],
        wait: bool,
    ) -> Any:
        """Run a job as soon as all its inputs are `written`.

        With `wait` the result of `apply` is returned, and a refusal raised as InputError; without, None is returned at
        once, and the listener is told.
        """
        told = listener or Listener()
        self._waiting.append((job, written))
        if not wait:
            self._pending[job.id] = _Pending(job, told, apply)
            self._hand_over()
            return None
        ended: list[Any] = []
        self._pending[job.id] = _Pending(
            job, Listener(told.progressed, told.frame_came, ended.append, ended.append), apply
        )
        try:
            self.poll()
            while not ended:
                if job.id not in self._pending:
                    raise _cancelled(job)
                time.sleep(_LOOK_AGAIN_SECONDS)
                self.poll()
        except BaseException:
            # Such as Ctrl-C: nobody waits for this job any more.
            if job.id in self._pending:
                self.cancel()
            raise
        if isinstance(ended[0], InputError):
            told.refused(ended[0])
            raise ended[0]
        told.finished(ended[0])
        return ended[0]

    def stop_and_keep(self) -> None:
        """Have a training or tracking end now and keep what there is. InputError while it has not begun."""
        if self._waiting:
            raise InputError(f"{self._waiting[0][0].kind} job", "has not begun yet", "Wait a moment, or cancel it.")
        self.worker.stop()

    def cancel(self) -> None:
        """End all jobs now, within two seconds; no listener is told."""
        self.worker.cancel()
        self._waiting.clear()
        folders = [job.folder for job in self.jobs]
        self._pending.clear()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._over()

    def close(self) -> None:
        """Forget all jobs and end the worker."""
        self._pending.clear()
        self._waiting.clear()
        self.worker.close()

    def poll(self) -> None:
        """Apply what the worker has said since the last call; of several DRRs of a view only the newest."""
        self._hand_over()
        self._heard.extend(self.worker.poll())
        newest = {(m.job, m.view): m for m in self._heard if isinstance(m, Frame)}
        # What a listener raises must not lose the messages after it.
        while self._heard:
            message = self._heard.popleft()
            if not isinstance(message, Frame) or newest.get((message.job, message.view)) is message:
                self._apply(message)

    def _apply(self, message: Message) -> None:
        if isinstance(message, Ready):
            self.engine = message
            return
        pending = self._pending.get(getattr(message, "job", ""))
        if pending is None:
            return
        if isinstance(message, Progress):
            pending.listener.progressed(message)
        elif isinstance(message, Frame):
            drr = read_frame(message.path)
            if drr is not None:
                pending.listener.frame_came(message.view, drr, message.pose)
        elif isinstance(message, Finished):
            self._finish(pending, message.content)
        elif isinstance(message, Failure):
            self._forget(pending)
            pending.listener.refused(message.as_error())
        elif isinstance(message, Ended):
            self._forget(pending)
            pending.listener.refused(_cancelled(pending.job))

    def _hand_over(self) -> None:
        """Give the worker the jobs whose inputs are on disk by now."""
        while self._waiting and self._waiting[0][1].done():
            job, written = self._waiting.popleft()
            pending = self._pending[job.id]
            try:
                written.result()
            except Exception as error:
                self._refuse(pending, error)
            else:
                self.worker.submit(job)

    def _finish(self, pending: _Pending, content: dict[str, Any]) -> None:
        try:
            result = pending.apply(content)
        except Exception as error:
            self._refuse(pending, error)
        else:
            self._forget(pending)
            pending.listener.finished(result)

    def _refuse(self, pending: _Pending, error: Exception) -> None:
        """Tell the listener of an error on this side; the program's own fault is raised, but leaves nobody waiting."""
        self._forget(pending)
        if isinstance(error, UNUSABLE):
            pending.listener.refused(as_input_error(error))
            return
        remedy = "Report this as a fault of the program."
        pending.listener.refused(InputError(f"{pending.job.kind} job", f"failed here: {error!r}", remedy))
        raise error

    def _forget(self, pending: _Pending) -> None:
        """Take a job that is over from the list, and its inputs from the disk."""
        self._pending.pop(pending.job.id, None)
        _remove_inputs(pending.job)
        self._over()


def _cancelled(job: Job) -> InputError:
    return InputError(f"{job.kind} job", "was cancelled", "Start it again.")


def _remove_inputs(job: Job) -> None:
    """Empty a job's folder but for the results that lie in it."""
    results = getattr(job, "out", None)
    for path in job.folder.glob("*"):
        if path.is_dir() and path != results:
            shutil.rmtree(path, ignore_errors=True)
        elif path != results:
            path.unlink(missing_ok=True)
    with suppress(OSError):
        job.folder.rmdir()
