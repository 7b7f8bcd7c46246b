"""Training, registration and tracking on nodes: what the window, scripts and batches call.

Long work is done by a child process. What it says is applied by `poll`, which a window calls from a timer, and which
`wait=True` calls until the end; nothing else changes the scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from jaxtyping import Float32, Float64

from ..registration.inputs import check_spares
from ..registration.registration import DEFAULT_SIMILARITY
from ..worker.frames import read_frame
from ..worker.job import PreviewJob, RegisterJob, TrackJob, TrainJob
from ..xray.errors import InputError
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry import Camera
from .ct_node import world_from_ct
from .drr_node import show_drr
from .frames_to_track import FramesToTrack
from .given_start import GivenStart, start_of_job
from .job_logic import JobLogic
from .job_results import Listener, Registered, Tracked, Trained
from .pose_node import put_under_pose, write_result
from .registration_summary import RegistrationSummary
from .taken_xray import take_xray
from .xray_node import camera_of, source_file
from .xray_sequence import browser_of, take_frames


class RegistrationLogic(JobLogic):
    """CTs, X-rays and networks of the scene, by way of one worker.

    Example, in a script without a window::

        with RegistrationLogic() as logic:
            registered = logic.register(ct_node, [xray_node], start="frontal", output=Path("result"))
            print(registered.summary.verdict, registered.summary.pose)

    What waits (`wait`) keeps the caller, and a window, until the job is over.
    """

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
        prepared = self._inputs.made_ready(ct_node)
        folder = self._inputs.new_folder("preview")
        out = folder / "views.png" if picture is None else Path(picture).absolute()
        job = PreviewJob(folder=folder, ct_folder=prepared.folder, out=out, preset=preset)
        return self._runner.run(job, prepared.written, listener, lambda content: Path(content["views"]), wait)

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
        prepared = self._inputs.made_ready(ct_node)
        job = TrainJob(
            folder=self._inputs.new_folder("train"),
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

        return self._runner.run(job, prepared.written, listener, trained, wait)

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
        taken = [take_xray(node) for node in nodes]
        if not taken:
            raise InputError("X-rays", "none was given", "Give at least one X-ray image.")
        prepared = self._inputs.made_ready(ct_node)
        begin = start_of_job(start, ct_node)
        if output is not None:
            read_from = [file for node in nodes if (file := source_file(node)) is not None]
            check_spares(Path(output), [XrayFile(file) for file in read_from])
        folder = self._inputs.new_folder("register")
        views = [lambda one=one: [one.radiograph()] for one in taken]
        written = self._inputs.write(prepared, folder, views, nodes, ct_node)
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

        return self._runner.run(job, written, listener, registered, wait)

    def track(
        self,
        ct_node: Any,
        xray_nodes: Sequence[Any],
        *,
        frames: Sequence[int] | None = None,
        key_frame: int | None = None,
        start: GivenStart = "auto",
        smoothed: bool = False,
        keep_others: bool = False,
        frames_per_second: float | None = None,
        output: Path | None = None,
        wait: bool = True,
        listener: Listener | None = None,
    ) -> Tracked | None:
        """Follow the CT through the frames of X-ray sequences (one node a view, in step), from the key frame forward
        and backward. The poses become a sequence that the X-rays' browser plays, as measured or `smoothed`.

        `frames` and `key_frame` count from 0 (all frames, and a few are tried, if None); `start` is where the CT is
        searched for in the key frame. With `keep_others` frames of an earlier tracking that are not among `frames`
        keep their poses. track.json and poses.csv are written into `output`, if any; the rest is as in `register`.
        """
        nodes = list(xray_nodes)
        wanted = FramesToTrack.of(nodes, frames, key_frame)
        views = [take_frames(node, wanted.places, spare_unusable=True) for node in nodes]
        prepared = self._inputs.made_ready(ct_node)
        begin = start_of_job(start, ct_node)
        folder = self._inputs.new_folder("track")
        written = self._inputs.write(prepared, folder, views, nodes, ct_node)
        job = TrackJob(
            folder=folder,
            ct_folder=prepared.folder,
            out=None if output is None else Path(output).absolute(),
            start=begin,
            views=len(views),
            key_frame=wanted.key_frame,
            numbers=wanted.numbers,
            frames_per_second=frames_per_second,
            names=tuple(node.GetName() for node in nodes),
        )
        browser = browser_of(nodes[0])

        def tracked(content: dict[str, Any]) -> Tracked:
            _check_still_there(ct_node, "Load it and track again.")
            return wanted.put_into_scene(
                ct_node,
                content,
                browser if _in_scene(browser) else None,
                smoothed=smoothed,
                keep_others=keep_others,
                frames_per_second=frames_per_second,
            )

        return self._runner.run(job, written, listener, tracked, wait)

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
        return self._inputs.prepared(ct_node).drr(_camera(xray_node, size), pose)

    def drr_is_quick(self, ct_node: Any, xray_node: Any, *, size: int | None = None) -> bool:
        """Whether `compute_drr` of where the CT lies now would answer at once; where not, it is made ready meanwhile.

        What is the matter with the CT is raised as InputError here as well.
        """
        return self._inputs.prepared(ct_node).is_quick(_camera(xray_node, size), world_from_ct(ct_node))

    def drr_in_pieces(self, ct_node: Any, xray_node: Any) -> Iterator[Float32[np.ndarray, "rows columns"] | None]:
        """The DRR of where the CT lies now, which comes last: None after each piece, so that a window can live."""
        return self._inputs.prepared(ct_node).drr_in_pieces(_camera(xray_node, None), world_from_ct(ct_node))


def _camera(xray_node: Any, size: int | None) -> Camera:
    """The camera of an X-ray; with `size` of pixels taken together, so that the longer side has no more than that."""
    camera = camera_of(xray_node)
    return camera if size is None else camera.binned(min(-(-max(camera.size) // max(size, 1)), *camera.size))


def _in_scene(node: Any) -> bool:
    """Whether this very node is in the scene; after a change of scene another one may have its id."""
    return node is not None and bool(slicer.mrmlScene.IsNodePresent(node))


def _check_still_there(node: Any, remedy: str) -> None:
    if not _in_scene(node):
        raise InputError(node.GetName(), "was deleted while the computation ran", remedy)
