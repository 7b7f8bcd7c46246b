"""Training, registration and tracking on nodes: what the window, scripts and batches call.

Long work is done by a child process. What it says is applied by `poll`, which a window calls from a timer, and which
`wait=True` calls until the end; nothing else changes the scene.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import slicer
from jaxtyping import Float32, Float64
from numpy.typing import ArrayLike

from ..registration.inputs import check_spares
from ..registration.registration import DEFAULT_SIMILARITY
from ..registration.starts import START_NAMES
from ..worker.causes import UNUSABLE, as_input_error
from ..worker.client import WorkerClient
from ..worker.frames import read_frame
from ..worker.job import Job, PreviewJob, RegisterJob, TrackJob, TrainJob
from ..worker.job_files import write_radiograph
from ..worker.messages import Ended, Failure, Finished, Frame, Message, Progress, Ready
from ..xray.errors import InputError
from ..xray.files.ct_files import frame_of_reference
from ..xray.files.rigid_values import rigid_from_file
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry import Camera
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph, WorldFrame
from .ct_node import state_of, take_ct, world_from_ct
from .drr_node import show_drr
from .job_results import Listener, Registered, Tracked, Trained
from .pose_node import PoseRecord, pose_sequence, put_under_pose, write_result
from .prepared_ct import PreparedCT
from .registration_summary import RegistrationSummary
from .xray_node import camera_of, radiograph_from_node, source_file
from .xray_sequence import browser_of, index_values_of, radiographs_of

# Where the CT lies now, as a start beside those of `registration.starts`.
CURRENT = "current"
# What the folders with CTs for the worker begin with.
_CT_KIND = "ct"
# How long waiting sleeps between two looks at the worker.
_LOOK_AGAIN_SECONDS = 0.02

# A name, a file, or a pose (4×4 world_from_ct, RAS mm).
GivenStart = str | Path | ArrayLike


def _ignore(*_: Any) -> None:
    return None


@dataclass(frozen=True, eq=False)
class _Pending:
    """A job that is not over; `apply` makes a result of what the worker says at its end."""

    job: Job
    listener: Listener
    apply: Callable[[dict[str, Any]], Any]


class RegistrationLogic:
    """CTs, X-rays and networks of the scene, by way of one worker.

    Example, in a script without a window::

        with RegistrationLogic() as logic:
            registered = logic.register(ct_node, [xray_node], start="frontal", output=Path("result"))
            print(registered.summary.verdict, registered.summary.pose)

    What waits (`wait`) keeps the caller, and a window, until the job is over.
    """

    def __init__(self, worker: WorkerClient | None = None) -> None:
        self._worker = worker or WorkerClient()
        self._pending: dict[str, _Pending] = {}
        self._folder: Path | None = None
        self._remove_folder: Callable[[], Any] = _ignore
        # The newest CT, for the worker and for DRRs from here, and the thread that makes it ready.
        self._prepared: tuple[tuple[Any, ...], PreparedCT] | None = None
        self._thread: ThreadPoolExecutor | None = None
        # Jobs whose CT is not on disk yet, and what the worker said that was not applied yet.
        self._waiting: deque[tuple[Job, Future[Path]]] = deque()
        self._heard: deque[Message] = deque()
        self.engine: Ready | None = None
        """What the worker said of its packages and its device."""

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return bool(self._pending)

    def preview(
        self,
        ct_node: Any,
        picture: Path | None = None,
        *,
        preset: str = "head-ap",
        wait: bool = True,
        listener: Listener | None = None,
    ) -> Path | None:
        """Draw views of a preset into `picture` (a temporary file if None), to be looked at before a training.

        InputError, which names the picture, where the views mostly miss the CT.
        """
        prepared = self._made_ready(ct_node)
        folder = self._new_folder("preview")
        out = folder / "views.png" if picture is None else Path(picture).absolute()
        job = PreviewJob(folder=folder, ct_folder=prepared.folder, out=out, preset=preset)
        return self._run(job, prepared, listener, lambda content: Path(content["views"]), wait)

    def train(
        self,
        ct_node: Any,
        model: Path,
        *,
        preset: str = "head-ap",
        minutes: float = 8.0,
        device: str = "auto",
        wait: bool = True,
        listener: Listener | None = None,
    ) -> Trained | None:
        """Train a network for the CT, or train on one of the same CT and preset.

        With `wait` the result is returned, and bad input raises InputError; without, None is returned at once and the
        listener is told. `preset` may be the path of a .toml file.
        """
        prepared = self._made_ready(ct_node)
        job = TrainJob(
            folder=self._new_folder("train"),
            ct_folder=prepared.folder,
            out=Path(model).absolute(),
            preset=preset,
            minutes=minutes,
            device=device,
        )

        def trained(content: dict[str, Any]) -> Trained:
            v = content["validation"] or {}
            errors = (float(v.get(name, "nan")) for name in ("distance_mm", "rotation_deg"))
            return Trained(Path(content["model"]), bool(content["stopped"]), *errors)

        return self._run(job, prepared, listener, trained, wait)

    def register(
        self,
        ct_node: Any,
        xray_nodes: Sequence[Any],
        *,
        start: GivenStart = "auto",
        output: Path | None = None,
        similarity: str = DEFAULT_SIMILARITY,
        wait: bool = True,
        listener: Listener | None = None,
    ) -> Registered | None:
        """Find the pose that explains all X-rays, and put the CT under it.

        `start` is a name of `registration.starts.START_NAMES`, "current" (where the CT lies now), a pose
        (world_from_ct) or the file of a pose or network. Pose, DRRs and report are written into `output`; if that is
        None, into a temporary folder that `close` removes. With `wait` the result is returned, and bad input raises
        InputError; without, None is returned at once and the listener is told.
        """
        nodes = list(xray_nodes)
        radiographs = [radiograph_from_node(node) for node in nodes]
        if not radiographs:
            raise InputError("X-rays", "none was given", "Give at least one X-ray image.")
        prepared = self._made_ready(ct_node)
        begin = _start(start, ct_node)
        if output is not None:
            read_from = [file for node in nodes if (file := source_file(node)) is not None]
            check_spares(Path(output), [XrayFile(file) for file in read_from])
        folder = self._new_folder("register")
        for number, radiograph in enumerate(radiographs):
            write_radiograph(folder, number, _told_apart(radiograph, ct_node))
        target = Path(output).absolute() if output is not None else folder / "result"
        job = RegisterJob(
            folder=folder,
            ct_folder=prepared.folder,
            out=target,
            start=begin,
            similarity=similarity,
            names=tuple(node.GetName() for node in nodes),
        )

        def registered(content: dict[str, Any]) -> Registered:
            _check_still_there(ct_node, f"The result lies in {target}.")
            summary = RegistrationSummary.from_dict(content)
            transform = put_under_pose(ct_node, np.array(summary.pose))
            write_result(transform, summary, target / "report.html")
            for node, drr in zip(nodes, content["drrs"], strict=True):
                image = read_frame(drr)
                # An X-ray that became something else meanwhile has no use for it.
                with suppress(InputError):
                    if image is not None and _in_scene(node):
                        show_drr(node, image)
            return Registered(summary, transform, target, ct_node.GetName(), len(nodes))

        return self._run(job, prepared, listener, registered, wait)

    def track(
        self,
        ct_node: Any,
        xray_nodes: Sequence[Any],
        *,
        frames: Sequence[int] | None = None,
        start: GivenStart = "auto",
        output: Path | None = None,
        wait: bool = True,
        listener: Listener | None = None,
    ) -> Tracked | None:
        """Follow the CT through the frames of X-ray sequences (one node a view, in step), each frame from the pose
        before it. The poses become a sequence that the X-rays' browser plays.

        `frames` count from 0 (all if None); the rest is as in `register`.
        """
        nodes = list(xray_nodes)
        if not nodes:
            raise InputError("X-rays", "none was given", "Give at least one X-ray sequence.")
        views = [radiographs_of(node, frames) for node in nodes]
        if len({len(view) for view in views}) > 1:
            lengths = ", ".join(str(len(view)) for view in views)
            raise InputError("X-rays", f"their sequences have {lengths} frames", "Give the frames that all have.")
        numbers = index_values_of(nodes[0], frames)
        prepared = self._made_ready(ct_node)
        begin = _start(start, ct_node)
        folder = self._new_folder("track")
        for time_index, radiographs in enumerate(zip(*views, strict=True)):
            for view, radiograph in enumerate(radiographs):
                write_radiograph(folder, time_index * len(views) + view, _told_apart(radiograph, ct_node))
        job = TrackJob(
            folder=folder,
            ct_folder=prepared.folder,
            out=None if output is None else Path(output).absolute(),
            start=begin,
            views=len(views),
            names=tuple(node.GetName() for node in nodes),
        )
        browser = browser_of(nodes[0])

        def tracked(content: dict[str, Any]) -> Tracked:
            _check_still_there(ct_node, "Load it and track again.")
            keys = {"poses": "pose", "verdicts": "verdict", "reasons": "reason", "similarities": "similarity"}
            keys |= {"std": "std", "starts": "start", "seconds": "seconds"}
            records = tuple(
                PoseRecord.from_dict({name: content[key][number] for key, name in keys.items()})
                for number in range(content["frames"])
            )
            slider = browser if _in_scene(browser) else None
            _sequence, used = pose_sequence(ct_node, records, numbers[: len(records)], slider)
            return Tracked(records, ct_node.GetParentTransformNode(), used)

        return self._run(job, prepared, listener, tracked, wait)

    def compute_drr(
        self,
        ct_node: Any,
        xray_node: Any,
        *,
        pose: Float64[np.ndarray, "4 4"] | None = None,
        size: int | None = None,
    ) -> Float32[np.ndarray, "rows columns"]:
        """The DRR (line integrals) of the CT at `pose`, or where it lies now, on the X-ray's pixels.

        With `size` the longer side has no more pixels than that; X-ray pixels are then taken together.
        """
        pose = world_from_ct(ct_node) if pose is None else pose
        return self._prepared_of(ct_node).drr(_camera(xray_node, size), pose)

    def drr_is_quick(self, ct_node: Any, xray_node: Any, *, size: int | None = None) -> bool:
        """Whether `compute_drr` of where the CT lies now would answer at once; where not, it is made ready meanwhile.

        What is the matter with the CT is raised as InputError here as well.
        """
        return self._prepared_of(ct_node).is_quick(_camera(xray_node, size), world_from_ct(ct_node))

    def drr_in_pieces(self, ct_node: Any, xray_node: Any) -> Iterator[Float32[np.ndarray, "rows columns"] | None]:
        """The DRR of where the CT lies now, which comes last: None after each piece, so that a window can live."""
        return self._prepared_of(ct_node).drr_in_pieces(_camera(xray_node, None), world_from_ct(ct_node))

    def stop_and_keep(self) -> None:
        """Have a training or tracking end now and keep what there is. InputError while it has not begun."""
        if self._waiting:
            raise InputError(f"{self._waiting[0][0].kind} job", "has not begun yet", "Wait a moment, or cancel it.")
        self._worker.stop()

    def cancel(self) -> None:
        """End all jobs now, within two seconds; the scene stays as it was, and no listener is told."""
        self._worker.cancel()
        self._waiting.clear()
        folders = [pending.job.folder for pending in self._pending.values()]
        self._pending.clear()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._remove_old_cts()

    def close(self) -> None:
        """End the worker, and remove its temporary files; for the end of a program or window."""
        self._pending.clear()
        self._waiting.clear()
        self._worker.close()
        if self._thread is not None:
            # What it writes would come after all was removed.
            self._thread.shutdown(cancel_futures=True)
        self._remove_folder()
        self._folder = self._prepared = self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def poll(self) -> None:
        """Apply what the worker has said since the last call; of several DRRs of a view only the newest."""
        self._hand_over()
        self._heard.extend(self._worker.poll())
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
        """Give the worker the jobs whose CT is on disk by now."""
        while self._waiting and self._waiting[0][1].done():
            job, written = self._waiting.popleft()
            pending = self._pending[job.id]
            try:
                written.result()
            except Exception as error:
                self._refuse(pending, error)
            else:
                self._worker.submit(job)

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
        self._remove_old_cts()

    def _run(
        self,
        job: Job,
        prepared: PreparedCT,
        listener: Listener | None,
        apply: Callable[[dict[str, Any]], Any],
        wait: bool,
    ) -> Any:
        told = listener or Listener()
        self._waiting.append((job, prepared.written))
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

    def _made_ready(self, ct_node: Any) -> PreparedCT:
        """The CT for a job. InputError where it lies where no pose can take it."""
        if self._prepared is not None and self._prepared[1].failed:
            # As for lack of memory, which there may be now.
            self._prepared = None
        prepared = self._prepared_of(ct_node)
        # A pose takes the place of what the CT lies under, which must be no scale or shear.
        world_from_ct(ct_node)
        return prepared

    def _prepared_of(self, ct_node: Any) -> PreparedCT:
        """The CT made ready once, and again only when its voxels or grid change."""
        state = state_of(ct_node)
        kept = self._prepared
        if kept is None or kept[0] != state or not kept[1].folder.exists():
            taken = take_ct(ct_node)
            # Before the new one is made: two CTs may be too many.
            self._prepared = None
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "fluororeg-ct")
            kept = (state, PreparedCT(taken.ct, self._new_folder(_CT_KIND), self._thread))
            self._prepared = kept
            self._remove_old_cts()
        return kept[1]

    def _remove_old_cts(self) -> None:
        """Remove the CTs on disk that neither the next job nor one that runs or waits needs."""
        needed = {pending.job.ct_folder for pending in self._pending.values()}
        if self._prepared is not None:
            needed.add(self._prepared[1].folder)
        for folder in self._folder.glob(f"{_CT_KIND}-*") if self._folder is not None else ():
            if folder not in needed:
                shutil.rmtree(folder, ignore_errors=True)

    def _new_folder(self, kind: str) -> Path:
        if self._folder is None or not self._folder.exists():
            self._folder = Path(tempfile.mkdtemp(prefix="fluororeg-"))
            # For programs that end, or lose this object, without `close`. There is no job before there is a folder.
            self._remove_folder = weakref.finalize(self, _end, self._worker, self._folder)
        return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self._folder))


def _camera(xray_node: Any, size: int | None) -> Camera:
    """The camera of an X-ray; with `size` of pixels taken together, so that the longer side has no more than that."""
    camera = camera_of(xray_node)
    return camera if size is None else camera.binned(min(-(-max(camera.size) // max(size, 1)), *camera.size))


def _start(start: GivenStart, ct_node: Any) -> str | tuple[tuple[float, ...], ...]:
    """A start as a job takes it. InputError for a pose that is not rigid."""
    if isinstance(start, str | Path) and str(start) != CURRENT:
        path = Path(start).expanduser()
        # The worker may have begun in another folder.
        return str(path.absolute()) if str(start) not in START_NAMES and path.exists() else str(start)
    pose = world_from_ct(ct_node) if isinstance(start, str | Path) else rigid_from_file("start", "the pose", start)
    return tuple(tuple(float(x) for x in row) for row in pose)


def _told_apart(radiograph: Radiograph, ct_node: Any) -> Radiograph:
    """As the file workflow does: a CT whose file tells no frame of reference need not share a localizer's."""
    storage = ct_node.GetStorageNode()
    if radiograph.world != WorldFrame.SCANNER or storage is None or not storage.GetFileName():
        return radiograph
    if frame_of_reference(storage.GetFullNameFromFileName()) is not None:
        return radiograph
    line = Provenance("frame of reference", "not shared by CT and X-ray", "FrameOfReferenceUID (0020,0052)")
    return replace(radiograph, world=WorldFrame.PATIENT, provenance=(*radiograph.provenance, line))


def _in_scene(node: Any) -> bool:
    """Whether this very node is in the scene; after a change of scene another one may have its id."""
    return node is not None and bool(slicer.mrmlScene.IsNodePresent(node))


def _check_still_there(node: Any, remedy: str) -> None:
    if not _in_scene(node):
        raise InputError(node.GetName(), "was deleted while the computation ran", remedy)


def _end(worker: WorkerClient, folder: Path) -> None:
    """End the worker, and only then remove what it may be writing to."""
    worker.close()
    shutil.rmtree(folder, ignore_errors=True)


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
