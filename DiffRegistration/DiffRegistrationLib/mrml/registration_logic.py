"""Training, registration and tracking on nodes: what the window, scripts and batches call.

Long work is done by a child process. What it says is applied by `poll`, which a window calls from a timer, and which
`wait=True` calls until the end; nothing else changes the scene.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from jaxtyping import Float32, Float64

from ..registration.registration import DEFAULT_SIMILARITY
from ..worker.client import WorkerClient
from ..worker.frames import read_frame
from ..worker.job import Job, PreviewJob, RegisterJob, TrackJob, TrainJob
from ..worker.job_files import write_ct, write_radiograph
from ..worker.messages import Failure, Finished, Frame, Message, Progress, Ready
from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.geometry import rigid
from ..xray.projector import Projector
from .ct_node import ct_from_node, world_from_ct
from .drr_node import show_drr
from .pose_node import PoseRecord, pose_sequence, put_under_pose, write_result
from .registration_summary import RegistrationSummary
from .scene import ras_from_ijk
from .xray_node import camera_of, radiograph_from_node
from .xray_sequence import browser_of, index_values_of, radiographs_of

# Where the CT lies now, as a start beside those of `registration.starts`.
CURRENT = "current"
# How long waiting sleeps between two looks at the worker.
_LOOK_AGAIN_SECONDS = 0.02

GivenStart = str | Path | Float64[np.ndarray, "4 4"]


def _ignore(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Listener:
    """What is called as a job goes on: with a `Progress`; with the number of a view (from 0), its DRR of the moment and
    the pose; with the result; or with the InputError that ended it.
    """

    progressed: Callable[[Progress], None] = _ignore
    frame_came: Callable[[int, Float32[np.ndarray, "rows columns"], Any], None] = _ignore
    finished: Callable[[Any], None] = _ignore
    refused: Callable[[InputError], None] = _ignore


@dataclass(frozen=True, eq=False)
class Registered:
    """A registration that came to its end: what was found, the CT's pose node, and the folder of its files."""

    summary: RegistrationSummary
    transform: Any
    folder: Path
    ct_name: str
    views: int

    @property
    def report(self) -> Path:
        """The report, to be opened in a browser."""
        return self.folder / "report.html"


@dataclass(frozen=True)
class TrainedNetwork:
    """A training that came to its end: the network's file, whether it was stopped before its time, median errors on
    views that it never saw.
    """

    model: Path
    stopped: bool
    distance_mm: float
    rotation_deg: float


@dataclass(frozen=True, eq=False)
class Tracked:
    """A CT followed through frames: its pose in each, the pose node, and the browser that plays them."""

    records: tuple[PoseRecord, ...]
    transform: Any
    browser: Any


@dataclass(frozen=True, eq=False)
class _Pending:
    """A job that is not over; `apply` makes a result of what the worker says at its end."""

    job: Job
    listener: Listener
    apply: Callable[[dict[str, Any]], Any]


class RegistrationLogic:
    """CTs, X-rays and networks of the scene, by way of one worker.

    Example, in a script without a window::

        logic = RegistrationLogic()
        registered = logic.register(ct_node, [xray_node], start="frontal")
        print(registered.summary.verdict, registered.summary.pose)
    """

    def __init__(self, worker: WorkerClient | None = None) -> None:
        self._worker = worker or WorkerClient()
        self._pending: dict[str, _Pending] = {}
        self._folder: Path | None = None
        # The newest CT as it lies on disk for the worker, and as it is rendered from here.
        self._written: tuple[tuple[Any, ...], Path] | None = None
        self._projector: tuple[tuple[Any, ...], Projector] | None = None
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
        folder = self._new_folder("preview")
        job = PreviewJob(
            folder=folder, ct_folder=self._on_disk(ct_node), out=picture or folder / "views.png", preset=preset
        )
        return self._run(job, listener, lambda content: Path(content["views"]), wait)

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
    ) -> TrainedNetwork | None:
        """Train a network for the CT, or train on one of the same CT and preset.

        With `wait` the result is returned, and bad input raises InputError; without, None is returned at once and the
        listener is told. `preset` may be the path of a .toml file.
        """
        job = TrainJob(
            folder=self._new_folder("train"),
            ct_folder=self._on_disk(ct_node),
            out=Path(model),
            preset=preset,
            minutes=minutes,
            device=device,
        )

        def trained(content: dict[str, Any]) -> TrainedNetwork:
            v = content["validation"] or {}
            errors = (float(v.get(name, "nan")) for name in ("distance_mm", "rotation_deg"))
            return TrainedNetwork(Path(content["model"]), bool(content["stopped"]), *errors)

        return self._run(job, listener, trained, wait)

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

        `start` is a name of `registration.starts.START_NAMES`, "current" (where the CT lies now), a pose (world_from_ct)
        or the file of a pose or network. Pose, DRRs and report are written into `output` (a temporary folder if None).
        With `wait` the result is returned, and bad input raises InputError; without, None is returned at once and the
        listener is told.
        """
        radiographs = [radiograph_from_node(node) for node in xray_nodes]
        if not radiographs:
            raise InputError("X-rays", "none was given", "Give at least one X-ray image.")
        begin = _start(start, ct_node)
        folder = self._new_folder("register")
        for number, radiograph in enumerate(radiographs):
            write_radiograph(folder, number, radiograph)
        target = Path(output) if output is not None else folder / "result"
        job = RegisterJob(
            folder=folder,
            ct_folder=self._on_disk(ct_node),
            out=target,
            start=begin,
            similarity=similarity,
            names=tuple(node.GetName() for node in xray_nodes),
        )
        ids, ct_id, ct_name = [node.GetID() for node in xray_nodes], ct_node.GetID(), ct_node.GetName()

        def registered(content: dict[str, Any]) -> Registered:
            ct_now = _still_there(ct_id, ct_name, f"The result lies in {target}.")
            summary = RegistrationSummary.from_dict(content)
            transform = put_under_pose(ct_now, np.array(summary.pose))
            write_result(transform, summary, target / "report.html")
            for node_id, drr in zip(ids, content["drrs"], strict=True):
                node, image = slicer.mrmlScene.GetNodeByID(node_id), read_frame(drr)
                if node is not None and image is not None:
                    show_drr(node, image)
            return Registered(summary, transform, target, ct_name, len(ids))

        return self._run(job, listener, registered, wait)

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
        if not xray_nodes:
            raise InputError("X-rays", "none was given", "Give at least one X-ray sequence.")
        views = [radiographs_of(node, frames) for node in xray_nodes]
        if len({len(view) for view in views}) > 1:
            lengths = ", ".join(str(len(view)) for view in views)
            raise InputError("X-rays", f"their sequences have {lengths} frames", "Give the frames that all have.")
        numbers = index_values_of(xray_nodes[0], frames)
        begin = _start(start, ct_node)
        folder = self._new_folder("track")
        for time_index, radiographs in enumerate(zip(*views, strict=True)):
            for view, radiograph in enumerate(radiographs):
                write_radiograph(folder, time_index * len(views) + view, radiograph)
        job = TrackJob(
            folder=folder,
            ct_folder=self._on_disk(ct_node),
            out=output,
            start=begin,
            views=len(views),
            names=tuple(node.GetName() for node in xray_nodes),
        )
        ct_id, ct_name, browser_id = ct_node.GetID(), ct_node.GetName(), _id_of(browser_of(xray_nodes[0]))

        def tracked(content: dict[str, Any]) -> Tracked:
            ct_now = _still_there(ct_id, ct_name, "Load it and track again.")
            keys = {"poses": "pose", "verdicts": "verdict", "reasons": "reason", "similarities": "similarity"}
            keys |= {"std": "std", "starts": "start", "seconds": "seconds"}
            records = tuple(
                PoseRecord.from_dict({name: content[key][number] for key, name in keys.items()})
                for number in range(content["frames"])
            )
            browser = slicer.mrmlScene.GetNodeByID(browser_id) if browser_id else None
            _sequence, used = pose_sequence(ct_now, records, numbers[: len(records)], browser)
            return Tracked(records, ct_now.GetParentTransformNode(), used)

        return self._run(job, listener, tracked, wait)

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
        camera = camera_of(xray_node)
        if size is not None:
            camera = camera.binned(max(1, -(-max(camera.size) // size)))
        projector = self._projector_of(ct_node)
        pose = world_from_ct(ct_node) if pose is None else pose
        centre = rigid.transform_points(pose, [projector.ct.centre])[0]
        binning = projector.binning_for(camera.pixel_footprint_mm(centre))
        return projector.render(camera.rays(), pose, binning=binning)[0].reshape(camera.size).astype(np.float32)

    def stop_and_keep(self) -> None:
        """Have a training or tracking end now and keep what there is."""
        self._worker.stop()

    def cancel(self) -> None:
        """End all jobs now, within two seconds; the scene stays as it was."""
        self._worker.cancel()
        folders = [pending.job.folder for pending in self._pending.values()]
        self._pending.clear()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """End the worker, and remove its temporary files; for the end of a program or window."""
        self._pending.clear()
        self._worker.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._written = self._projector = None

    def poll(self) -> None:
        """Apply what the worker has said since the last call; of several DRRs of a view only the newest."""
        messages = self._worker.poll()
        newest = {(m.job, m.view): m for m in messages if isinstance(m, Frame)}
        for message in messages:
            if not isinstance(message, Frame) or newest[message.job, message.view] is message:
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
            del self._pending[message.job]
            try:
                result = pending.apply(message.content)
            except InputError as error:
                pending.listener.refused(error)
            else:
                pending.listener.finished(result)
        elif isinstance(message, Failure):
            del self._pending[message.job]
            pending.listener.refused(message.as_error())

    def _run(self, job: Job, listener: Listener | None, apply: Callable[[dict[str, Any]], Any], wait: bool) -> Any:
        told = listener or Listener()
        if not wait:
            self._pending[job.id] = _Pending(job, told, apply)
            self._worker.submit(job)
            return None
        ended: list[Any] = []
        self._pending[job.id] = _Pending(
            job, Listener(told.progressed, told.frame_came, ended.append, ended.append), apply
        )
        self._worker.submit(job)
        while not ended:
            if job.id not in self._pending:
                raise InputError(f"{job.kind} job", "was cancelled", "Start it again.")
            self.poll()
            time.sleep(_LOOK_AGAIN_SECONDS)
        if isinstance(ended[0], InputError):
            told.refused(ended[0])
            raise ended[0]
        told.finished(ended[0])
        return ended[0]

    def _on_disk(self, ct_node: Any) -> Path:
        """Folder with the CT for the worker, written once for all jobs while the node's voxels stay."""
        ct = None if self._written and self._written[0] == _state(ct_node) else ct_from_node(ct_node)
        if ct is not None:
            if self._written is not None:
                shutil.rmtree(self._written[1], ignore_errors=True)
            self._written = None
            folder = self._new_folder("ct")
            write_ct(folder, ct)
            self._written = (_state(ct_node), folder)
        assert self._written is not None
        # Where the CT lies is no part of its voxels, and must be told each time.
        world_from_ct(ct_node)
        return self._written[1]

    def _projector_of(self, ct_node: Any) -> Projector:
        """Prepared once for a CT, and again only when its voxels or grid change."""
        if self._projector is None or self._projector[0] != _state(ct_node):
            ct: CT = ct_from_node(ct_node)
            self._projector = (_state(ct_node), Projector(ct))
        return self._projector[1]

    def _new_folder(self, kind: str) -> Path:
        if self._folder is None or not self._folder.exists():
            self._folder, self._written = Path(tempfile.mkdtemp(prefix="fluororeg-")), None
        return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self._folder))


def _state(ct_node: Any) -> tuple[Any, ...]:
    """What changes when the voxels or the grid of a volume node do."""
    image = ct_node.GetImageData() if ct_node is not None and ct_node.IsA("vtkMRMLVolumeNode") else None
    if image is None:
        return ()
    return slicer.mrmlScene, ct_node.GetID(), image.GetMTime(), ras_from_ijk(ct_node).tobytes()


def _start(start: GivenStart, ct_node: Any) -> str | tuple[tuple[float, ...], ...]:
    """A start as a job takes it."""
    if isinstance(start, np.ndarray) or start == CURRENT:
        pose = world_from_ct(ct_node) if isinstance(start, str) else np.asarray(start, dtype=np.float64)
        return tuple(tuple(float(x) for x in row) for row in pose)
    return str(start)


def _still_there(node_id: str, name: str, remedy: str) -> Any:
    node = slicer.mrmlScene.GetNodeByID(node_id)
    if node is None:
        raise InputError(name, "was deleted while the computation ran", remedy)
    return node


def _id_of(node: Any) -> str | None:
    return None if node is None else str(node.GetID())
