"""What jobs on nodes are given: folders of their own, the CT and the radiographs in them, written by a thread."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..registration.inputs import told_apart
from ..worker.client import WorkerClient
from ..worker.job import Job
from ..worker.job_files import write_radiograph
from ..xray.radiograph import Radiograph
from .ct_node import state_of, take_ct, world_from_ct
from .prepared_ct import PreparedCT
from .scanner_session import session_of

# What the folders with CTs for the worker begin with.
_CT_KIND = "ct"


def _ignore() -> None:
    return None


class JobInputs:
    """One temporary folder, in it one of each job, and the newest CT.

    `jobs` are those that run or wait. The folder is removed by `close`; for programs that end, or lose `owner`,
    without it, `worker` is ended and the folder removed then.
    """

    def __init__(self, owner: object, worker: WorkerClient, jobs: Callable[[], Iterable[Job]]) -> None:
        self._owner, self._worker, self._jobs = weakref.ref(owner), worker, jobs
        self._folder: Path | None = None
        self._remove_folder: Callable[[], Any] = _ignore
        # The newest CT, for the worker and for DRRs from here, and the thread that makes inputs ready.
        self._prepared: tuple[tuple[Any, ...], PreparedCT] | None = None
        self._thread: ThreadPoolExecutor | None = None

    @property
    def busy(self) -> bool:
        """Whether the thread makes something of the CT."""
        return self._prepared is not None and self._prepared[1].busy

    @property
    def folder(self) -> Path | None:
        """Where all of it lies; None before there is any."""
        return self._folder

    def new_folder(self, kind: str) -> Path:
        """A new folder for a job of this kind."""
        if self._folder is None or not self._folder.exists():
            self._folder = Path(tempfile.mkdtemp(prefix="fluororeg-"))
            # There is no job before there is a folder.
            self._remove_folder = weakref.finalize(self._owner(), _end, self._worker, self._folder)
        return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self._folder))

    def made_ready(self, ct_node: Any) -> PreparedCT:
        """The CT for a job. InputError where it lies where no pose can take it."""
        if self._prepared is not None and self._prepared[1].failed:
            # As for lack of memory, which there may be now.
            self._prepared = None
        prepared = self.prepared(ct_node)
        # A pose takes the place of what the CT lies under, which must be no scale or shear.
        world_from_ct(ct_node)
        return prepared

    def prepared(self, ct_node: Any) -> PreparedCT:
        """The CT made ready once, and again only when its voxels or grid change."""
        state = state_of(ct_node)
        kept = self._prepared
        if kept is None or kept[0] != state or not kept[1].folder.exists():
            taken = take_ct(ct_node)
            # Before the new one is made: two CTs may be too many.
            self._prepared = None
            kept = (state, PreparedCT(taken.ct, self.new_folder(_CT_KIND), self._own_thread()))
            self._prepared = kept
            self.remove_old_cts()
        return kept[1]

    def write(
        self,
        prepared: PreparedCT | None,
        folder: Path,
        views: Sequence[Callable[[], list[Radiograph]]],
        nodes: Sequence[Any],
        ct_node: Any,
    ) -> Future[None]:
        """Have the radiographs of all views (those of one time side by side) written, after the CT if there is one."""
        of_ct = None if ct_node is None else session_of(ct_node)
        sessions = [session_of(node) for node in nodes]
        ct_written = None if prepared is None else prepared.written

        def write() -> None:
            if ct_written is not None:
                ct_written.result()
            for view, (make, session) in enumerate(zip(views, sessions, strict=True)):
                for time_index, radiograph in enumerate(make()):
                    number = time_index * len(views) + view
                    write_radiograph(folder, number, told_apart(radiograph, session, of_ct))

        return self._own_thread().submit(write)

    def remove_old_cts(self) -> None:
        """Remove the CTs on disk that neither the next job nor one that runs or waits needs."""
        needed = {job.ct_folder for job in self._jobs()}
        if self._prepared is not None:
            needed.add(self._prepared[1].folder)
        for folder in self._folder.glob(f"{_CT_KIND}-*") if self._folder is not None else ():
            if folder not in needed:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove all of it; the worker has ended."""
        if self._thread is not None:
            # What it writes would come after all was removed.
            self._thread.shutdown(cancel_futures=True)
        self._remove_folder()
        self._folder = self._prepared = self._thread = None

    def _own_thread(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "fluororeg-inputs")
        return self._thread


def _end(worker: WorkerClient, folder: Path) -> None:
    """End the worker, and only then remove what it may be writing to."""
    worker.close()
    shutil.rmtree(folder, ignore_errors=True)
