"""Real jobs in a real worker: training, registration and tracking of the small head."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.registration.metrics import pose_error
from DiffRegistrationLib.registration.workflow import register_files
from DiffRegistrationLib.tracking.track_files import read_track
from DiffRegistrationLib.worker.frames import read_frame
from DiffRegistrationLib.worker.job import PreviewJob, RegisterJob, TrackJob, TrainJob
from DiffRegistrationLib.worker.job_files import write_ct, write_radiograph
from DiffRegistrationLib.worker.json_fields import to_json
from DiffRegistrationLib.worker.messages import Crashed, Finished, Frame, Heartbeat, Message, Progress, Ready, Refused
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import Case, camera, head, truth, write_case
from fluororeg_runs import tree as files_in
from worker_runs import acted, acting, alive, heard, inputs, job_folder, moved, of, tree, worker, xray


def case_inputs(folder: Path, case: Case) -> Path:
    """A job's folder with what the files of a case hold."""
    write_ct(job_folder(folder), read_ct(case.ct))
    write_radiograph(folder, 0, XrayFile(case.xray, case.camera).read())
    return folder


def finished(messages: list[Message]) -> dict:  # type: ignore[type-arg]
    """What the one job of these messages gave."""
    (message,) = of(Finished, messages)
    assert isinstance(message, Finished)
    return message.content


@pytest.mark.parametrize(
    "start", ["ap", pytest.param("pose", marks=pytest.mark.slow), pytest.param("file", marks=pytest.mark.slow)]
)
def test_a_registration_gives_what_files_give_and_shows_how_it_goes(tmp_path: Path, start: str) -> None:
    place = tmp_path / "Köpfe der Übung 頭"
    case = write_case(place)
    by_files = register_files(case.ct, [XrayFile(case.xray, case.camera)], output=place / "files", start="ap")
    given: object = start
    if start != "ap":
        pose_file = place / "files" / "pose.json"
        by_files = register_files(
            case.ct, [XrayFile(case.xray, case.camera)], output=place / "again", start=str(pose_file)
        )
        stored = json.loads(pose_file.read_text())["world_from_ct_ras_mm"]
        given = str(pose_file) if start == "file" else np.array(stored)
    folder = case_inputs(place / "job", case)
    with worker() as client:
        client.submit(RegisterJob(folder=folder, start=given, out=place / "out"))  # type: ignore[arg-type]
        messages = heard(client)
    content = finished(messages)
    np.testing.assert_allclose(content["pose"], by_files.pose, atol=1e-9)
    np.testing.assert_allclose(content["covariance"], by_files.covariance, rtol=1e-9)
    assert (content["verdict"], content["reason"]) == (by_files.verdict.value, by_files.reason)
    assert sorted(path.name for path in (place / "out").iterdir()) == sorted(
        path.name for path in (place / "files").iterdir()
    )
    assert Path(content["report"]).is_file() and content["out"] == str(place / "out")
    drr = read_frame(content["drrs"][0])
    assert drr is not None and np.array_equal(drr, by_files.drrs[0])

    progress = [m for m in messages if isinstance(m, Progress)]
    parts = [m.part for m in progress]
    assert parts == sorted(parts) and parts[0] >= 0 and parts[-1] <= 1 and all(m.words for m in progress)
    frames = [m for m in messages if isinstance(m, Frame)]
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1)) and len(frames) > 1
    np.testing.assert_array_equal(frames[-1].pose, content["pose"])
    newest = read_frame(frames[-1].path)
    shown = Projector(head()).render(camera().rays(), np.array(content["pose"]))[0].reshape(camera().size)
    assert newest is not None and np.corrcoef(newest.ravel(), shown.ravel())[0, 1] > 0.99


@pytest.mark.slow
def test_a_second_registration_of_the_same_ct_does_not_wait_for_it_again(tmp_path: Path) -> None:
    folder = inputs(tmp_path / "a", (truth(),))
    other = job_folder(tmp_path / "b")
    shutil.copy(folder / "radiograph-00000.npz", other)
    results = []
    with worker() as client:
        for job in (
            RegisterJob(folder=folder, start="ap", live=False),
            RegisterJob(folder=other, ct_folder=folder, start="ap", live=False),
        ):
            client.submit(job)
            messages = heard(client)
            assert not of(Frame, messages)
            results.append(finished(messages))
        assert results[0]["pose"] == results[1]["pose"] and results[0]["out"] is None
        # Another CT in the same place is another CT.
        write_ct(folder, replace(head(), ct_from_voxel=head().ct_from_voxel @ np.diag([1, 1, 1.1, 1])))
        client.submit(RegisterJob(folder=folder, start="ap", live=False))
        assert finished(heard(client))["pose"] != results[0]["pose"]


def test_bad_input_is_refused_leaves_nothing_and_the_worker_goes_on(tmp_path: Path) -> None:
    folder = inputs(tmp_path / "job", (truth(),))
    empty = job_folder(tmp_path / "empty")
    a_file = tmp_path / "a file"
    a_file.touch()
    blank = job_folder(tmp_path / "blank")
    write_radiograph(blank, 0, Radiograph(xray(truth()).attenuation, np.zeros((96, 96), dtype=bool), camera()))
    far = np.eye(4)
    far[:3, 3] = 1e4
    skewed = np.diag([1.0, 1.0, 1.2, 1.0])
    out = tmp_path / "out"
    jobs = [
        (RegisterJob(folder=folder, out=a_file), ("a file", "expected a folder")),
        (RegisterJob(folder=folder, out=a_file / "out"), ("a file", "cannot be written to")),
        (RegisterJob(folder=empty, out=out), ("X-rays", "at least one")),
        (RegisterJob(folder=tmp_path / "gone", out=out), ("X-rays", "at least one")),
        (RegisterJob(folder=blank, ct_folder=empty, out=out), ("ct.npz", "does not exist")),
        (RegisterJob(folder=blank, ct_folder=folder, out=out, names=("AP",)), ("AP", "0 of its 9216 pixels")),
        (RegisterJob(folder=folder, out=out, start="sideways"), ("sideways", "neither")),
        (RegisterJob(folder=folder, out=out, start=str(a_file)), ("a file",)),
        (RegisterJob(folder=folder, out=out, start=far), ("X-ray 1", "outside its view")),  # type: ignore[arg-type]
        (RegisterJob(folder=folder, out=out, start=skewed), ("start", "not rigid")),  # type: ignore[arg-type]
        (RegisterJob(folder=folder, out=out, similarity="likeness"), ("likeness", "not known")),
        (TrackJob(folder=folder, out=out, views=2), ("X-rays of the sequence", "no whole number")),
        (TrackJob(folder=folder, out=out, numbers=(4, 5)), ("numbers of the frames", "2 were given for 1 frames")),
        (TrackJob(folder=folder, out=out, key_frame=1), ("key frame 1", "count from 0")),
        (TrackJob(folder=blank, ct_folder=folder, out=out, names=("AP",)), ("AP, frame 0", "pixels")),
        (TrackJob(folder=folder, out=out, start=far), ("X-ray 1, frame 0", "outside its view")),  # type: ignore[arg-type]
        (PreviewJob(folder=folder, out=tmp_path / "gone" / "a.png"), ("a.png", "no folder")),
        (PreviewJob(folder=folder, out=tmp_path / "a.png", preset="knee"), ("knee", "head-ap")),
        (TrainJob(folder=folder, out=out), ("out", ".pt")),
        (TrainJob(folder=folder, out=tmp_path / "gone" / "a.pt"), ("a.pt", "no folder")),
        (TrainJob(folder=folder, out=tmp_path / "a.pt", minutes=0), ("time to train", "positive")),
        (TrainJob(folder=folder, out=tmp_path / "a.pt", preset="knee"), ("knee", "head-ap")),
        (TrainJob(folder=folder, out=tmp_path / "a.pt", recipe="huge"), ("huge", "compact")),
        (TrainJob(folder=folder, out=tmp_path / "a.pt", device="tpu"), ("tpu", "cuda")),
    ]
    import torch

    if not torch.cuda.is_available():
        jobs.append((TrainJob(folder=folder, out=tmp_path / "a.pt", device="cuda"), ("cuda", "is not there")))
    before = files_in(tmp_path)
    with worker() as client:
        client.start()
        first = client.pid
        for job, words in jobs:
            client.submit(job)
            (refused,) = of(Refused, heard(client))
            assert isinstance(refused, Refused) and refused.job == job.id
            assert refused.subject and refused.problem and refused.remedy
            for word in words:
                assert word in str(refused.as_error()), refused
        assert client.pid == first
    assert files_in(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="who is root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    out = job_folder(tmp_path / "out")
    out.chmod(0o500)
    with worker() as client:
        client.submit(RegisterJob(folder=inputs(tmp_path / "job", (truth(),)), out=out))
        (refused,) = of(Refused, heard(client))
        assert isinstance(refused, Refused) and "cannot be written to" in refused.problem


def error_mm(found: object, true: np.ndarray) -> float:
    """How far the corners of the head's inner box are from where they truly are, on average."""
    return pose_error(np.array(found), true, head().corners(0.5), head().centre, camera()).mtre_mm


@pytest.mark.slow
def test_tracking_goes_from_the_key_frame_both_ways_over_dark_frames(tmp_path: Path) -> None:
    # Frame 23 was dropped: what lies between is twice as long.
    numbers = (20, 21, 22, 24, 25)
    poses = tuple(moved(number - 20) for number in numbers)
    folder = inputs(tmp_path / "job", poses, (180.0, 90.0))
    dark, half_dark = 2, 4
    for time_index, view, angle in ((dark, 0, 180.0), (dark, 1, 90.0), (half_dark, 1, 90.0)):
        image = np.zeros(camera(angle).size, dtype=np.float32)
        unusable = Radiograph(image, image > 0, camera(angle))
        write_radiograph(folder, 2 * time_index + view, unusable)
    job = TrackJob(
        folder=folder,
        views=2,
        start=truth_near(poses[1]),
        key_frame=1,
        numbers=numbers,
        frames_per_second=2.0,
        out=tmp_path / "out",
    )
    with worker() as client:
        client.submit(job)
        messages = heard(client)
    content = finished(messages)
    assert (content["frames"], content["stopped"], content["key_frame"]) == (5, False, 1)
    assert content["times"] == [0, 1, 2, 3, 4]
    assert content["verdicts"][dark] == "failed" and "X-ray 1, frame 22" in content["reasons"][dark]
    assert content["std"][dark] is None and content["covariances"][dark] is None
    assert content["poses"][dark] == content["smoothed"][dark]
    assert content["views"] == [[0, 1], [0, 1], [], [0, 1], [0]]
    for step, true in enumerate(poses):
        assert error_mm(content["smoothed"][step], true) < 2.0
        if step != dark:
            assert error_mm(content["poses"][step], true) < (2.0 if step == half_dark else 1.0)
            assert len(content["std"][step]) == 6 and np.shape(content["covariances"][step]) == (6, 6)
    assert content["starts"] == ["frames after", "given pose", "", "frames before", "frames before"]
    written = read_track(tmp_path / "out")
    assert written.times == numbers and written.frames_per_second == 2.0
    assert to_json([frame.pose for frame in written.bodies[0].frames if frame.pose is not None]) == [
        pose for step, pose in enumerate(content["poses"]) if step != dark
    ]
    assert len((tmp_path / "out" / "poses.csv").read_text().splitlines()) == 6
    frames = [m for m in messages if isinstance(m, Frame)]
    assert {m.time for m in frames} == {0, 1, 3, 4} and {m.view for m in frames} == {0, 1}
    done = [m for m in messages if isinstance(m, Progress) and m.seconds_left is not None]
    assert [m.numbers["frame"] for m in done] == [1, 2, 3, 4, 0]
    assert [m.part for m in done] == [0.2, 0.4, 0.6, 0.8, 1.0] and done[-1].seconds_left == 0
    assert done[-1].numbers["failed"] == 1 and done[-1].words.startswith("Frame 20: ")


def truth_near(pose: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """A pose not far from a true one, as a job takes it."""
    centre = rigid.transform_points(pose, [head().centre])[0]
    near = rigid.move_about(centre, [0.05, -0.03, 0.04, 4.0, -3.0, 5.0], pose)
    return tuple(tuple(row) for row in near.tolist())


@pytest.mark.slow
def test_tracking_stops_when_asked_and_keeps_what_there_is(tmp_path: Path) -> None:
    poses = tuple(moved(step) for step in range(6))
    folder = inputs(tmp_path / "job", poses)
    with worker() as client:
        client.submit(TrackJob(folder=folder, start=truth_near(poses[2]), key_frame=2, out=tmp_path / "out"))
        heard(client, lambda m: isinstance(m, Progress) and m.seconds_left is not None)
        client.stop()
        content = finished(heard(client))
        reached = content["times"]
        assert content["stopped"] and reached[0] == content["key_frame"] == 2 and len(reached) < 5
        assert reached == list(range(2, 2 + content["frames"]))
        assert len(content["poses"]) == len(content["verdicts"]) == len(content["smoothed"]) == content["frames"]
        written = read_track(tmp_path / "out")
        assert written.stopped and "stopped before" in written.bodies[0].frames[0].reason
        # What was asked of one run is not asked of the next.
        client.submit(TrackJob(folder=folder, start=truth_near(poses[2]), key_frame=2, live=False))
        again = finished(heard(client))
        assert not again["stopped"] and again["frames"] == 6
        for found, true in zip(again["poses"], poses, strict=True):
            assert error_mm(found, true) < 3, found


def test_a_preview_draws_the_views(tmp_path: Path) -> None:
    folder = inputs(tmp_path / "job", ())
    picture = tmp_path / "Ansichten.png"
    with worker() as client:
        client.submit(PreviewJob(folder=folder, out=picture))
        assert finished(heard(client)) == {"views": str(picture)}
        assert picture.read_bytes().startswith(b"\x89PNG")
        picture.unlink()
        # Air shows nothing; the picture of it is there to see.
        write_ct(folder, replace(head(), attenuation=np.zeros_like(head().attenuation)))
        client.submit(PreviewJob(folder=folder, out=picture))
        (refused,) = of(Refused, heard(client))
        assert isinstance(refused, Refused) and str(picture) in str(refused.as_error()) and picture.exists()


@pytest.mark.slow
def test_a_training_shows_progress_and_stops_with_what_there_is(tmp_path: Path) -> None:
    from DiffRegistrationLib.pose_network.model_file import read_model

    folder = inputs(tmp_path / "Köpfe der Übung 頭", ())
    model = folder / "head.pt"
    job = TrainJob(folder=folder, out=model, minutes=60, size=64, batch=4)
    told: set[float] = set()

    def two_steps_told(message: Message) -> bool:
        if isinstance(message, Progress) and "step" in message.numbers:
            told.add(message.numbers["step"])
        return len(told) == 2

    with worker() as client:
        client.submit(job)
        messages = heard(client, two_steps_told)
        client.stop()
        asked = time.monotonic()
        messages += heard(client)
        assert time.monotonic() - asked < 30
        content = finished(messages)
        assert content["stopped"] and content["step"] >= 1 and content["part"] < 1
        assert content["model"] == str(model) and Path(content["views"]).is_file()
        assert read_model(model).metadata["steps"] == content["step"]
        shown = [m for m in messages if isinstance(m, Progress) and m.numbers]
        steps = [m.numbers["step"] for m in shown]
        assert steps == sorted(steps) and len(set(steps)) > 1 and shown[-1].words.startswith("Step")
        assert shown[-1].numbers["distance_mm"] == content["validation"]["distance_mm"] > 0
        devices = [m.device for m in messages if isinstance(m, Ready)]
        assert devices[0] == "" and devices[-1]
        # The network is a start, for another job of the same worker.
        write_radiograph(folder, 0, xray(truth()))
        client.submit(RegisterJob(folder=folder, start=str(model), out=tmp_path / "out"))
        assert finished(heard(client))["start"].startswith("network")
        # The same again goes on where it was; an end that came before the first step of it is none.
        again = TrainJob(folder=folder, out=model, minutes=60, size=64, batch=4)
        client.submit(again)
        again.ask_to_stop()
        messages = heard(client)
        assert finished(messages)["step"] == content["step"] + 1
        assert any("Going on after step" in m.words for m in messages if isinstance(m, Progress))


@pytest.mark.slow
def test_a_training_whose_folder_vanishes_is_refused_and_does_not_bring_it_back(tmp_path: Path) -> None:
    folder = inputs(tmp_path / "job", ())
    out = job_folder(tmp_path / "out")
    with worker() as client:
        client.submit(TrainJob(folder=folder, out=out / "head.pt", minutes=60, size=64, batch=4))
        heard(client, lambda m: isinstance(m, Progress) and "step" in m.numbers)
        shutil.rmtree(out)
        client.stop()
        (refused,) = of(Refused, heard(client))
        assert isinstance(refused, Refused) and "no folder" in refused.problem
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["numba", "torch"])
def test_a_job_is_cancelled_in_the_midst_of_its_work(tmp_path: Path, kind: str) -> None:
    folder = inputs(tmp_path / "job", (truth(),), (180.0, 90.0))
    out = tmp_path / "out"
    with worker() as client:
        if kind == "numba":
            client.submit(RegisterJob(folder=folder, start="any", out=out))
            heard(client, lambda m: isinstance(m, Progress) and m.words == "Searching…")
        else:
            job_folder(out)
            client.submit(TrainJob(folder=folder, out=out / "head.pt", minutes=60, size=64, batch=4))
            heard(client, lambda m: isinstance(m, Progress) and "step" in m.numbers)
        time.sleep(0.5)
        assert client.busy and client.pid is not None
        processes = tree(client.pid)
        began = time.monotonic()
        client.cancel()
        took = time.monotonic() - began
        assert not alive(processes) and took < 2.0
        assert kind == "torch" or not out.exists()
        client.submit(RegisterJob(folder=folder, start="ap", live=False))
        assert finished(heard(client)) and client.pid != processes[0].pid


COMPUTING = {
    "numba": """
        import numpy as np
        from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
        from DiffRegistrationLib.xray.phantom import head_phantom
        from DiffRegistrationLib.xray.projector import Projector
        projector = Projector(head_phantom(4.0).ct)
        camera = c_arm_camera(source_detector_distance=1000.0, source_object_distance=700.0,
                              pixel_spacing=(1.6, 1.6), size=(192, 192), primary_angle_deg=180.0)
        def work(amount):
            projector.render(camera.rays(), np.repeat(np.eye(4)[None], amount, axis=0))
    """,
    "torch": """
        import torch
        def work(amount):
            torch.matmul(torch.ones(64 * amount, 2000), torch.ones(2000, 2000)).sum()
    """,
}
ALL_AT_ONCE = """
import time
from DiffRegistrationLib.worker.messages import Progress
def run(job, tell):
    work(1)
    amount, took = 1, 0.0
    # One call that takes seconds, on whatever machine: as much as those before it let expect.
    while took < 3:
        began = time.monotonic()
        tell(Progress(job.id, 0.5))
        work(amount)
        took = time.monotonic() - began
        amount = 1 + round(amount * min(16, 4 / max(took, 1e-3)))
    return {"took": took}
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(COMPUTING))
def test_the_heart_beats_while_one_call_computes_for_seconds(tmp_path: Path, kind: str) -> None:
    import textwrap

    environment = acting(tmp_path, textwrap.dedent(COMPUTING[kind]) + ALL_AT_ONCE)
    beats: list[float] = []

    def note(message: Message) -> bool:
        if isinstance(message, Heartbeat):
            beats.append(time.monotonic())
        elif isinstance(message, Progress):
            # Those of the call that begins now.
            beats.clear()
        return False

    with worker(environment=environment, silence_seconds=5.0) as client:
        client.submit(acted(tmp_path))
        messages = heard(client, note)
        assert not of(Crashed, messages)
        took = finished(messages)["took"]
    assert took >= 3 and len(beats) >= int(took) - 1
    assert max(later - earlier for earlier, later in pairwise(beats)) < 2.5
