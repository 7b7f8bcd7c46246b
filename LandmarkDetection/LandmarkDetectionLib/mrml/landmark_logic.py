"""Landmarks on nodes: what the window, scripts and batches call.

Long work is done by a child process, as in `DiffRegistrationLib.mrml.registration_logic`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.mrml.ct_node import centre_of, world_from_ct
from DiffRegistrationLib.mrml.frames_to_track import FramesToTrack
from DiffRegistrationLib.mrml.job_logic import JobLogic
from DiffRegistrationLib.mrml.job_results import Listener, Registered
from DiffRegistrationLib.mrml.pose_sequence import poses_of_frames
from DiffRegistrationLib.mrml.registration_logic import RegistrationLogic
from DiffRegistrationLib.mrml.xray_sequence import take_frames
from DiffRegistrationLib.registration.landmark_start import start_from_landmarks
from DiffRegistrationLib.worker.client import WorkerClient
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Float64

from ..atlas.landmark_files import read_landmarks, write_landmarks
from ..atlas.landmark_set import LandmarkSet
from ..detection.landmark_run import run_from_text
from ..detection.named_landmarks import known_in, seen_in
from ..worker.job import DetectJob, ExposureJob, LandmarkTrainJob, SkullJob, StyleTrainJob, TransferJob
from .ct_landmarks import landmarks_of, put_landmarks, stay_with_ct
from .exposure_nodes import exposure_model, exposure_table
from .landmark_job_results import Carried, Detected, Exposed, LandmarkPose, TrainedLandmarks, TrainedStyle
from .landmark_study import frame_of, make_study, show_frame, shown_frame
from .planar_xray import is_planar, take_frames_to_look_at
from .skull_nodes import skull_model

_NO_LANDMARKS = "Carry landmarks over to it, or load its own, first."


class LandmarkLogic(JobLogic):
    """CTs, X-rays and networks of the scene, by way of one worker.

    Example, in a script without a window::

        with LandmarkLogic() as logic:
            logic.transfer(ct_node)
            study = logic.detect(Path("patient.pt"), [front, side]).study
            logic.register(study, ct_node)

    With `wait` results are returned and bad input raises InputError; without, None is returned at once and the
    listener is told.
    """

    def __init__(self, worker: WorkerClient | None = None) -> None:
        super().__init__(worker)
        self._registration = RegistrationLogic(beside=self)

    def transfer(self, ct_node: Any, *, wait: bool = True, listener: Listener | None = None) -> Carried | None:
        """Carry the template's landmarks to the CT, into its list of points; those a person placed stay."""
        prepared = self._inputs.made_ready(ct_node)
        folder = self._inputs.new_folder("transfer")
        kept = self._landmark_file(ct_node, folder)
        job = TransferJob(folder=folder, ct_folder=prepared.folder, kept=kept)

        def carried(content: dict[str, Any]) -> Carried:
            node = put_landmarks(ct_node, read_landmarks(content["landmarks"]))
            return Carried(node, tuple(content["words"]), bool(content["doubtful"]))

        return self._runner.run(job, prepared.written, listener, carried, wait)

    def train(
        self,
        model: Path,
        *,
        ct_node: Any = None,
        views: str = "fluoroscopy",
        minutes: float = 8.0,
        device: str = "auto",
        plain: bool = False,
        begin_with: Path | None = None,
        wait: bool = True,
        listener: Listener | None = None,
    ) -> TrainedLandmarks | None:
        """Train a network for the head of a CT, with its landmarks in the scene (the template's, carried over, if it
        has none), or, without a CT, for heads in general.

        `views` is a name or the path of a .toml file; `plain` is for X-rays translated to the look of DRRs.
        `begin_with` is a network that knows other heads or views: what it has learnt need not be learnt again.
        """
        folder = self._inputs.new_folder("train")
        ready, ct_folder, landmarks = _nothing(), None, None
        if ct_node is not None:
            prepared = self._inputs.made_ready(ct_node)
            ready, ct_folder, landmarks = prepared.written, prepared.folder, self._landmark_file(ct_node, folder)
        job = LandmarkTrainJob(
            folder=folder,
            ct_folder=ct_folder,
            out=Path(model).absolute(),
            population=ct_node is None,
            landmarks=landmarks,
            views=views,
            minutes=minutes,
            begin_with=None if begin_with is None else Path(begin_with).absolute(),
            plain=plain,
            device=device,
        )

        def trained(content: dict[str, Any]) -> TrainedLandmarks:
            error = (content["validation"] or {}).get("seen_mm", "nan")
            return TrainedLandmarks(
                Path(content["model"]), Path(content["views"]), bool(content["stopped"]), float(error)
            )

        return self._runner.run(job, ready, listener, trained, wait)

    def train_style(
        self,
        xrays: Path,
        model: Path,
        *,
        ct_node: Any = None,
        method: str = "cut",
        minutes: float = 20.0,
        views: str = "fluoroscopy",
        device: str = "auto",
        wait: bool = True,
        listener: Listener | None = None,
    ) -> TrainedStyle | None:
        """Learn to translate the X-rays of a folder to the look of DRRs of the CT, or of the template heads."""
        ready, ct_folder = _nothing(), None
        if ct_node is not None:
            prepared = self._inputs.made_ready(ct_node)
            ready, ct_folder = prepared.written, prepared.folder
        job = StyleTrainJob(
            folder=self._inputs.new_folder("style"),
            ct_folder=ct_folder,
            out=Path(model).absolute(),
            xrays=Path(xrays).absolute(),
            method=method,
            minutes=minutes,
            views=views,
            device=device,
        )

        def trained(content: dict[str, Any]) -> TrainedStyle:
            return TrainedStyle(Path(content["model"]), Path(content["preview"]), bool(content["stopped"]))

        return self._runner.run(job, ready, listener, trained, wait)

    def detect(
        self,
        model: Path,
        xray_nodes: Sequence[Any],
        *,
        frames: Sequence[int] | None = None,
        style: Path | None = None,
        ct_node: Any = None,
        template: bool = False,
        depth_mm: float | None = None,
        wait: bool = True,
        listener: Listener | None = None,
    ) -> Detected | None:
        """Find landmarks in X-rays (one node a view, in step), in `frames` (places from 0; all if None), as a study.

        With `ct_node` landmarks become as sharp as a registration of it; `template` lays a template head over each
        X-ray instead, for networks of heads in general. `depth_mm` is how far the head's middle is from the source
        along the beam, where that is known. X-rays without a geometry are looked at in
        two dimensions only, which is said.
        """
        nodes = list(xray_nodes)
        wanted = FramesToTrack.of(nodes, frames)
        planar = tuple(is_planar(node) for node in nodes)
        views = [take_frames_to_look_at(node, wanted.places) for node in nodes]
        folder = self._inputs.new_folder("detect")
        prepared = None if ct_node is None else self._inputs.made_ready(ct_node)
        job = DetectJob(
            folder=folder,
            ct_folder=None if prepared is None else prepared.folder,
            model=Path(model).absolute(),
            style=None if style is None else Path(style).absolute(),
            landmarks=None if ct_node is None else self._landmark_file(ct_node, folder),
            refine=ct_node is not None,
            template=template and ct_node is None,
            depth_mm=depth_mm,
            views=len(nodes),
            numbers=wanted.numbers,
            names=tuple(node.GetName() for node in nodes),
            planar=planar,
        )
        names = [node.GetName() for node in nodes]

        def detected(content: dict[str, Any]) -> Detected:
            run = run_from_text(Path(content["run"]).read_text(encoding="utf-8"))
            study = make_study(run, nodes, ct_node)
            words = [
                f"{name} has no geometry: its landmarks are in the image only, without depth and millimetres."
                for name, flat in zip(names, planar, strict=True)
                if flat
            ]
            words += [problem["words"] for problem in content["problems"]]
            return Detected(study, bool(content["stopped"]), tuple(words))

        written = self._inputs.write(prepared, folder, views, nodes, ct_node)
        return self._runner.run(job, written, listener, detected, wait)

    def pose_from_landmarks(self, study: Any, ct_node: Any, number: int | None = None) -> LandmarkPose:
        """Where the CT lies by the landmarks of all views in a frame (the shown one if None), here and at once.

        Landmarks that are switched off take no part. InputError without landmarks of the CT, for a frame in which
        nothing was found, for views without geometry, and where too few landmarks agree.
        """
        landmarks = landmarks_of(ct_node)
        if landmarks is None:
            raise InputError(ct_node.GetName(), "has no landmarks", _NO_LANDMARKS)
        number = shown_frame(study) if number is None else number
        frame = frame_of(study, number)
        chosen = [
            (found, camera, off)
            for view, off in zip(frame.views, frame.off, strict=True)
            if (found := view.found) is not None and (camera := view.camera) is not None and not view.is_planar
        ]
        if not chosen:
            raise InputError(
                f"frame {number}",
                "has no landmarks in an X-ray whose geometry is known",
                "Find landmarks in it, or give the X-ray a geometry first.",
            )
        seen = seen_in([found for found, _, _ in chosen], [off for _, _, off in chosen])
        cameras = [camera for _, camera, _ in chosen]
        start = start_from_landmarks(known_in(landmarks), seen, centre_of(ct_node), cameras)
        words, pose = start.poses[0]
        return LandmarkPose(pose, words, start.trusted)

    def register(
        self,
        study: Any,
        ct_node: Any,
        number: int | None = None,
        *,
        output: Path | None = None,
        wait: bool = True,
        listener: Listener | None = None,
    ) -> Registered | None:
        """Register the CT to the study's X-rays of a frame (the shown one if None), from where its landmarks place it.

        That frame is shown from then on. InputError as `pose_from_landmarks` and `RegistrationLogic.register`.
        """
        placed = self.pose_from_landmarks(study, ct_node, number)
        if number is not None and number != shown_frame(study):
            show_frame(study, number)
        views = frame_of(study, shown_frame(study)).views
        nodes = [view.node for view in views if view.node is not None and not view.is_planar]
        told = listener or Listener()

        def finished(result: Registered) -> None:
            stay_with_ct(ct_node)
            told.finished(result)

        return self._registration.register(
            ct_node,
            nodes,
            start=placed.pose,
            output=output,
            wait=wait,
            listener=replace(told, finished=finished),
        )

    def skull(self, study: Any, *, wait: bool = True, listener: Listener | None = None) -> Any:
        """The template's skull warped to the study's points of the shown frame, as a model node."""
        points = frame_of(study, shown_frame(study)).points
        folder = self._inputs.new_folder("skull")
        there = folder / "points.npz"
        np.savez(there, points=points.points, covariance=points.covariance)
        # In a folder of its own, which stays when the job is over.
        out = self._inputs.new_folder("surface") / "skull.vtp"
        job = SkullJob(folder=folder, points=there, out=out)
        return self._runner.run(
            job, _nothing(), listener, lambda content: skull_model(study, Path(content["surface"])), wait
        )

    def exposure(
        self,
        ct_node: Any,
        xray_nodes: Sequence[Any],
        *,
        frames: Sequence[int] | None = None,
        seconds_per_frame: float = 1.0,
        mas: float | None = None,
        output: Path | None = None,
        wait: bool = True,
        listener: Listener | None = None,
    ) -> Exposed | None:
        """What the X-rays' frames (places from 0; all if None) shone on, on the skin of the CT.

        Where the head was says the tracking of the CT, frame by frame, or where there is none the CT's present place.
        InputError without landmarks of the CT, for X-rays without geometry, and where no frame has a pose.
        """
        if landmarks_of(ct_node) is None:
            raise InputError(
                ct_node.GetName(), "has no landmarks, by which face, jaw and eyes are told", _NO_LANDMARKS
            )
        nodes = list(xray_nodes)
        wanted = FramesToTrack.of(nodes, frames)
        views = [take_frames(node, wanted.places, spare_unusable=True) for node in nodes]
        prepared = self._inputs.made_ready(ct_node)
        folder = self._inputs.new_folder("exposure")
        landmarks = self._landmark_file(ct_node, folder)
        assert landmarks is not None
        numbers, poses = _poses(ct_node, wanted)
        there = folder / "poses.npz"
        np.savez(there, numbers=numbers, poses=poses)
        out = self._inputs.new_folder("exposed") if output is None else Path(output).absolute()
        job = ExposureJob(
            folder=folder,
            ct_folder=prepared.folder,
            landmarks=landmarks,
            out=out,
            poses=there,
            views=len(nodes),
            numbers=wanted.numbers,
            seconds_per_frame=seconds_per_frame,
            mas=mas,
        )

        def exposed(content: dict[str, Any]) -> Exposed:
            model = exposure_model(ct_node, Path(content["surface"]))
            table = exposure_table(ct_node, content["frames"])
            return Exposed(model, table, out, tuple(content["frames"]), content["words"])

        written = self._inputs.write(prepared, folder, views, nodes, ct_node)
        return self._runner.run(job, written, listener, exposed, wait)

    def _landmark_file(self, ct_node: Any, folder: Path) -> Path | None:
        """The CT's landmarks of the scene as a file for a job; None where it has none."""
        landmarks: LandmarkSet | None = landmarks_of(ct_node)
        if landmarks is None:
            return None
        path = folder / "known.mrk.json"
        write_landmarks(path, landmarks)
        return path


def _nothing() -> Future[Any]:
    """What is ready for a job that needs no inputs."""
    future: Future[Any] = Future()
    future.set_result(None)
    return future


def _poses(ct_node: Any, wanted: FramesToTrack) -> tuple[list[int], Float64[np.ndarray, "n 4 4"]]:
    """Numbers of frames, and world_from_ct in each: as tracked, else as the CT lies now."""
    tracked = poses_of_frames(ct_node)
    if tracked is None:
        now = world_from_ct(ct_node)
        return list(wanted.numbers), np.repeat(now[None], len(wanted.numbers), axis=0)
    known = [
        (number, np.array(tracked.records[value].shown(tracked.smoothed)))
        for number, value in zip(wanted.numbers, wanted.index_values, strict=True)
        if value in tracked.records
    ]
    if not known:
        raise InputError("poses", "none of these frames has one", "Follow the CT through them in DiffRegistration.")
    return [number for number, _ in known], np.stack([pose for _, pose in known])
