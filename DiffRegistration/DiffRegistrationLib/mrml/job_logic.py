"""What all logics have that hand jobs on nodes to a worker: to look at what it says, to stop it, and to end it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ..worker.client import WorkerClient
from ..worker.messages import Ready
from .job_inputs import JobInputs
from .job_runner import JobRunner


class JobLogic:
    """One worker (`worker`, or a new one), or that of another logic, `beside`, whose jobs are then its own as well."""

    _inputs: JobInputs
    _runner: JobRunner

    def __init__(self, worker: WorkerClient | None = None, *, beside: JobLogic | None = None) -> None:
        if beside is not None:
            self._inputs, self._runner = beside._inputs, beside._runner
            return
        worker = worker or WorkerClient()
        self._inputs = JobInputs(self, worker, jobs=lambda: self._runner.jobs)
        self._runner = JobRunner(worker, over=self._inputs.remove_old_cts)

    @property
    def engine(self) -> Ready | None:
        """What the worker said of its packages and its device; None before it did."""
        return self._runner.engine

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return bool(self._runner.jobs)

    @property
    def preparing(self) -> bool:
        """Whether a thread of this process makes inputs ready."""
        return self._runner.waiting or self._inputs.busy

    def stop_and_keep(self) -> None:
        """Have the running job end now and keep what there is. InputError while it has not begun."""
        self._runner.stop_and_keep()

    def cancel(self) -> None:
        """End all jobs now, within two seconds; the scene stays as it was, and no listener is told."""
        self._runner.cancel()

    def poll(self) -> None:
        """Apply what the worker has said since the last call; of several DRRs of a view only the newest."""
        self._runner.poll()

    def close(self) -> None:
        """End the worker, and remove its temporary files; for the end of a program or window."""
        self._runner.close()
        self._inputs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()
