"""Real jobs of landmarks in a real worker, on the small head: the same process does them as registers."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from DiffRegistrationLib.worker.client import WorkerClient
from DiffRegistrationLib.worker.job import Job, RegisterJob
from DiffRegistrationLib.worker.job_files import write_ct, write_radiograph
from DiffRegistrationLib.worker.messages import Finished, Message, Progress, Ready, Refused
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, head, truth
from fluororeg_runs import tree as files_in
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.atlas.landmark_files import read_landmarks, write_landmarks
from LandmarkDetectionLib.atlas.landmark_set import LandmarkStatus
from LandmarkDetectionLib.detection.landmark_run import LandmarkRun, run_from_text, run_to_text
from LandmarkDetectionLib.worker.job import (
    DetectJob,
    ExposureJob,
    LandmarkTrainJob,
    SkullJob,
    StyleTrainJob,
    TransferJob,
)
from untrained_detector import untrained
from worker_runs import heard, inputs, job_folder, moved, of, worker, xray

NAMES = skull_landmarks().names
COUNT = len(NAMES)


# The template of a worker in tests: small, so that nothing takes long.
SMALL_TEMPLATE = """
import LandmarkDetectionLib.atlas.head as heads
heads.template_head = lambda: heads.phantom_head(4.0, 2)
"""


def environment(folder: Path, source: str) -> dict[str, str]:
    """One in which a worker begins with `source`."""
    (folder / "sitecustomize.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerClient]:
    """One worker for all."""
    with worker(environment=environment(tmp_path_factory.mktemp("small"), SMALL_TEMPLATE)) as one:
        yield one


@pytest.fixture(scope="module")
def landmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of the small head."""
    path = tmp_path_factory.mktemp("landmarks") / "head.mrk.json"
    write_landmarks(path, phantom_head(4.0).landmarks)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of the small head that has learnt nothing yet."""
    return untrained(tmp_path_factory.mktemp("model") / "head.pt")


def finished(messages: list[Message]) -> dict[str, Any]:
    """What the one job of these messages gave."""
    (message,) = of(Finished, messages)
    assert isinstance(message, Finished)
    return message.content


def done(client: WorkerClient, job: Job) -> dict[str, Any]:
    client.submit(job)
    return finished(heard(client))


def run_of(content: dict[str, Any]) -> LandmarkRun:
    return run_from_text(Path(content["run"]).read_text(encoding="utf-8"))


def test_landmarks_are_found_in_all_views_of_all_frames(client: WorkerClient, tmp_path: Path, model: Path) -> None:
    from LandmarkDetectionLib.detection.detector import detect
    from LandmarkDetectionLib.network.model_file import read_detector

    angles = (180.0, 90.0)
    folder = inputs(tmp_path / "Köpfe der Übung 頭", (truth(), moved(1), moved(2)), angles)
    dark = Radiograph(np.zeros((96, 96), dtype=np.float32), np.zeros((96, 96), dtype=bool), camera(90.0))
    write_radiograph(folder, 3, dark)
    job = DetectJob(
        folder=folder, model=model, views=2, numbers=(4, 6, 9), planar=(False, True), names=("AP",), depth_mm=700.0
    )
    client.submit(job)
    messages = heard(client)
    content = finished(messages)
    run = run_of(content)
    assert (run.views, run.numbers, run.planar, content["stopped"]) == (2, (4, 6, 9), (False, True), False)
    assert "one patient's head" in run.model and "head.pt" not in run.model
    (problem,) = content["problems"]
    assert (problem["frame"], problem["view"]) == (6, 1) and "view 2, frame 6" in problem["words"]
    found = [[one is not None for one in row] for row in run.found]
    assert found == [[True, True], [True, False], [True, True]]
    # What has no geometry has no depth.
    deep = detect(read_detector(model), xray(moved(2), 180.0), 700.0)
    there = run.at(9, 0)
    assert there is not None
    np.testing.assert_allclose(there.camera_points, deep.camera_points, atol=0.01)
    direct = detect(read_detector(model), xray(moved(2), 90.0))
    there = run.at(9, 1)
    assert there is not None
    np.testing.assert_allclose(there.pixels, direct.pixels, atol=0.01)
    np.testing.assert_allclose(there.camera_points, direct.camera_points, atol=0.01)
    assert (there.words, there.is_sure) == (direct.words, direct.is_sure)
    told = [m for m in messages if isinstance(m, Progress) and m.numbers]
    assert [(m.numbers["frame"], m.numbers["view"]) for m in told] == [(n, v) for n in (4, 6, 9) for v in (0, 1)]
    inside = int(there.is_shown.sum())
    assert told[-1].words.startswith(f"Frame 9, view 2: {inside} landmarks in the image")
    assert told[0].words.startswith("Frame 4, AP: ") and told[-1].part == 1.0 and told[-1].seconds_left == 0


def test_finding_stops_when_asked_and_keeps_what_there_is(client: WorkerClient, tmp_path: Path, model: Path) -> None:
    folder = inputs(tmp_path / "job", (truth(),))
    for number in range(1, 400):
        os.link(folder / "radiograph-00000.npz", folder / f"radiograph-{number:05d}.npz")
    client.submit(DetectJob(folder=folder, model=model, numbers=tuple(range(100, 500))))
    heard(client, lambda m: isinstance(m, Progress) and m.numbers.get("done", 0) > 1)
    client.stop()
    content = finished(heard(client))
    run = run_of(content)
    assert content["stopped"] and 2 <= len(run.numbers) == content["frames"] < 400
    assert run.numbers == tuple(range(100, 100 + len(run.numbers))) and all(row[0] is not None for row in run.found)


# Says where the landmarks are, with errors of a pixel: as a network would that has learnt.
KNOWING = """
import sys, types
module = types.ModuleType("LandmarkDetectionLib.detection.detector")
def detect(trained, radiograph, depth_mm=None, with_less_likely=False):
    import numpy as np
    from DiffRegistrationLib.xray.geometry import rigid
    from LandmarkDetectionLib.detection.landmark_detections import LandmarkDetections
    world = rigid.transform_points(np.array({pose!r}), trained.landmarks.points)
    count = len(world)
    pixels = radiograph.camera.project(world) + np.random.default_rng(1).normal(size=(count, 2))
    here = rigid.transform_points(radiograph.camera.camera_from_world, world)
    square, cube = np.tile(np.eye(2), (count, 1, 1)), np.tile(np.eye(3), (count, 1, 1))
    everywhere = np.ones(count), np.ones(count, dtype=bool)
    return LandmarkDetections(
        trained.landmarks.names, pixels, square, here, cube, *everywhere, pixels, square, 2.2, 0.8, True, ""
    )
module.detect = detect
sys.modules[module.__name__] = module
"""


def test_with_the_ct_landmarks_lie_where_a_registration_has_them(tmp_path: Path, model: Path) -> None:
    knowing = environment(job_folder(tmp_path / "knowing"), KNOWING.format(pose=truth().tolist()))
    folder = inputs(tmp_path / "job", (truth(),), (180.0, 90.0))
    true = camera().project(rigid.transform_points(truth(), phantom_head(4.0).landmarks.points))
    with worker(environment=knowing) as client:
        job = DetectJob(folder=folder, model=model, views=2, refine=True, planar=(False, True))
        run = run_of(done(client, job))
        placed, made_up = run.at(0, 0), run.at(0, 1)
        assert placed is not None and made_up is not None
        assert placed.is_registered and not made_up.is_registered
        assert np.abs(placed.pixels - true).max() < 0.3 < np.abs(placed.network_pixels - true).mean()
        # Another patient's CT.
        client.submit(replace(job, model=untrained(tmp_path / "other.pt", "0123456789abcdef")))
        (refused,) = of(Refused, heard(client))
        assert isinstance(refused, Refused) and "another CT" in refused.problem
        client.submit(replace(job, refine=False, template=True))
        (refused,) = of(Refused, heard(client))
        assert isinstance(refused, Refused) and "a template cannot stand" in refused.problem


def test_a_skull_lies_where_its_landmarks_do(client: WorkerClient, tmp_path: Path, model: Path) -> None:
    pytest.importorskip("vtkmodules")
    from LandmarkDetectionLib.skull_shape.extraction import skull_surface
    from LandmarkDetectionLib.skull_shape.surface_distance import surface_distance
    from LandmarkDetectionLib.skull_shape.vtk_surfaces import read_surface

    known = phantom_head(4.0)
    points = tmp_path / "points.npz"
    world = rigid.transform_points(truth(), known.landmarks.points)
    world[5:9] = np.nan
    np.savez(points, points=world, covariance=np.tile(np.eye(3), (COUNT, 1, 1)))
    out = tmp_path / "skull.vtp"
    content = done(client, SkullJob(folder=job_folder(tmp_path / "job"), out=out, points=points))
    assert content["surface"] == str(out) and 0.1 < content["mean_std_mm"] < 5
    true = skull_surface(known.ct).carried(lambda vertices: rigid.transform_points(truth(), vertices))
    assert surface_distance(read_surface(out), true).mean_mm < 2.0

    # From one view: the camera says where in the world its points are.
    folder = inputs(tmp_path / "view", (truth(),))
    found = done(client, DetectJob(folder=folder, model=model, numbers=(8,)))
    one = run_of(found).at(8, 0)
    assert one is not None
    seen = rigid.transform_points(camera().camera_from_world, np.nan_to_num(world))
    exact = replace(
        one, camera_points=np.where(np.isnan(world), np.nan, seen), camera_covariance=np.tile(np.eye(3), (COUNT, 1, 1))
    )
    run = tmp_path / "run.json"
    run.write_text(run_to_text(replace(run_of(found), found=((exact,),))), encoding="utf-8")
    again = tmp_path / "again.vtp"
    done(client, SkullJob(folder=folder, out=again, run=run, frame=8))
    np.testing.assert_allclose(read_surface(again).vertices, read_surface(out).vertices, atol=0.01)


def test_exposure_is_told_frame_by_frame(client: WorkerClient, tmp_path: Path, landmarks: Path) -> None:
    pytest.importorskip("vtkmodules")
    folder = inputs(tmp_path / "job", (truth(), truth(), truth()), (180.0, 90.0))
    # A beam that shows the head's left half alone: on the image's right, seen from in front.
    image = xray(truth())
    mask = np.zeros((96, 96), dtype=bool)
    lenses = camera().project(
        rigid.transform_points(
            truth(), [phantom_head(4.0).landmarks.point(f"eye lens {s}") for s in ("right", "left")]
        )
    )
    mask[:, int(lenses[:, 0].mean()) :] = True
    write_radiograph(folder, 4, replace(image, mask=mask))
    in_field = ["right", "left"][int(lenses[:, 0].argmax())]
    poses = tmp_path / "poses.npz"
    np.savez(poses, numbers=np.array([3, 8]), poses=np.stack([truth(), truth()]))
    out = tmp_path / "out"
    job = ExposureJob(
        folder=folder, landmarks=landmarks, out=out, poses=poses, views=2, numbers=(3, 5, 8), seconds_per_frame=0.5
    )
    content = done(client, job)
    frames = content["frames"]
    assert [(one["frame"], one["view"]) for one in frames] == [(3, 0), (8, 0), (3, 1), (8, 1)]
    whole, half = ({lens["name"]: lens for lens in frames[k]["lenses"]} for k in (0, 1))
    assert all(lens["inside"] and lens["margin_mm"] > 0 and lens["toward_source"] for lens in whole.values())
    assert {name for name, lens in half.items() if lens["inside"]} == {f"eye lens {in_field}"}
    assert set(frames[0]["regions"]) == {one["name"] for one in content["regions"]}
    assert "not a dose" in content["words"] and Path(content["surface"]).is_file()
    written = json.loads((out / "exposure.json").read_text())
    assert written["amount"] == {"unit": "s", "sum": 2.0} and written["organs"] == content["organs"]
    assert Path(content["table"]).read_text().count("view 1, frame 8") > 4


@pytest.mark.slow
def test_a_network_is_trained_for_a_patient_and_stops_with_what_there_is(
    client: WorkerClient, tmp_path: Path, landmarks: Path
) -> None:
    from LandmarkDetectionLib.network.model_file import read_detector

    folder = inputs(tmp_path / "job", (truth(),))
    out = tmp_path / "Kopf.pt"
    heads = untrained(tmp_path / "heads.pt", size=64)
    told_of = {"views": "frontal", "minutes": 60, "batch": 4, "begin_with": heads}
    client.submit(LandmarkTrainJob(folder=folder, out=out, landmarks=landmarks, **told_of))
    messages = heard(client, lambda m: isinstance(m, Progress) and m.numbers.get("step", 0) >= 1)
    client.stop()
    messages += heard(client)
    content = finished(messages)
    assert content["stopped"] and content["step"] >= 1 and content["model"] == str(out)
    assert Path(content["views"]).is_file() and content["validation"]["seen_mm"] > 0
    trained = read_detector(out)
    assert trained.is_of_patient and trained.metadata["steps"] == content["step"]
    assert trained.metadata["begun_with"]["weights"] == read_detector(heads).fingerprint
    assert trained.networks.close_up.form.size == 64
    told = [m for m in messages if isinstance(m, Progress) and m.numbers]
    assert told[-1].words.startswith(f"Step {content['step']}, loss ") and "mm where seen" in told[-1].words
    assert told[-1].numbers["seen_mm"] == content["validation"]["seen_mm"]
    assert {m.device for m in messages if isinstance(m, Ready)} - {""}
    # The same worker registers, and finds with what it has learnt.
    assert len(done(client, RegisterJob(folder=folder, start="ap", live=False))["pose"]) == 4
    assert run_of(done(client, DetectJob(folder=folder, model=out))).at(0, 0) is not None


@pytest.mark.slow
def test_a_look_is_learnt_and_stops_with_what_there_is(client: WorkerClient, tmp_path: Path, model: Path) -> None:
    from PIL import Image

    folder = inputs(tmp_path / "job", (truth(),))
    pictures = job_folder(tmp_path / "X-rays")
    for number in range(5):
        shown = xray(moved(number)).attenuation
        grey = np.rint(60000 * np.exp(-np.clip(shown, 0, None))).astype(np.uint16)
        Image.fromarray(grey).save(pictures / f"{number}.png")
    out = tmp_path / "style.pt"
    client.submit(StyleTrainJob(folder=folder, out=out, xrays=pictures, views="frontal", minutes=60, size=64, batch=1))
    messages = heard(client, lambda m: isinstance(m, Progress) and m.numbers.get("step", 0) >= 1)
    client.stop()
    messages += heard(client)
    content = finished(messages)
    assert content["stopped"] and content["step"] >= 1 and content["model"] == str(out)
    assert Path(content["preview"]).is_file() and content["validation"]["tones_before"] > 0
    assert any("X-ray images are few" in m.words for m in messages if isinstance(m, Progress))
    of_drrs = untrained(tmp_path / "plain.pt", plain=True)
    plain, translated = (run_of(done(client, DetectJob(folder=folder, model=of_drrs, style=s))) for s in (None, out))
    one, other = plain.at(0, 0), translated.at(0, 0)
    assert one is not None and other is not None and not np.allclose(one.pixels, other.pixels, atol=1e-3)


@pytest.mark.slow
def test_landmarks_are_carried_over_and_corrected_ones_stay(client: WorkerClient, tmp_path: Path) -> None:
    known = phantom_head(4.0).landmarks
    there = np.array([name in ("nasion", "menton", "inion", "vertex") for name in NAMES])
    kept = tmp_path / "kept.mrk.json"
    placed = replace(
        known,
        points=np.where(there[:, None], known.points, np.nan),
        status=tuple(LandmarkStatus.PLACED if one else LandmarkStatus.UNKNOWN for one in there),
    )
    write_landmarks(kept, placed)
    folder = job_folder(tmp_path / "job")
    write_ct(folder, head())
    client.submit(TransferJob(folder=folder, kept=kept))
    messages = heard(client)
    content = finished(messages)
    found = read_landmarks(content["landmarks"])
    assert Path(content["landmarks"]) == folder / "landmarks.mrk.json" and content["doubtful"] is False
    np.testing.assert_allclose(found.points[there], known.points[there], atol=0.01)
    assert np.nanmedian(np.linalg.norm(found.points - known.points, axis=1)) < 4.0
    parts = [m.part for m in messages if isinstance(m, Progress)]
    assert parts == sorted(parts) and len(parts) > 5


def test_bad_input_is_refused_leaves_nothing_and_the_worker_goes_on(
    client: WorkerClient, tmp_path: Path, model: Path, landmarks: Path
) -> None:
    folder = inputs(tmp_path / "job", (truth(),))
    empty = job_folder(tmp_path / "empty")
    blank = job_folder(tmp_path / "blank")
    write_radiograph(blank, 0, Radiograph(xray(truth()).attenuation, np.zeros((96, 96), dtype=bool), camera()))
    text = tmp_path / "some.txt"
    text.write_text("words")
    foreign = tmp_path / "foreign.mrk.json"
    foreign.write_text(landmarks.read_text(encoding="utf-8").replace('"nasion"', '"nose"'), encoding="utf-8")
    poses, points, other = (tmp_path / name for name in ("poses.npz", "points.npz", "other.npz"))
    np.savez(poses, numbers=np.array([7]), poses=truth()[None])
    np.savez(points, points=np.full((COUNT, 3), np.nan), covariance=np.zeros((COUNT, 3, 3)))
    np.savez(other, numbers=np.array([7]))
    out, pt, vtp = tmp_path / "out", tmp_path / "a.pt", tmp_path / "a.vtp"
    exposure = ExposureJob(folder=folder, landmarks=landmarks, out=out, poses=poses)
    jobs = [
        (TransferJob(folder=folder, kept=foreign), ("foreign.mrk.json", "nose")),
        (TransferJob(folder=empty), ("ct.npz", "does not exist")),
        (LandmarkTrainJob(folder=folder, out=out), ("out", ".pt")),
        (LandmarkTrainJob(folder=folder, out=pt, views="sideways"), ("sideways", "frontal")),
        (LandmarkTrainJob(folder=folder, out=pt, minutes=0), ("time to train", "positive")),
        (LandmarkTrainJob(folder=folder, out=pt, device="tpu"), ("tpu", "cuda")),
        (LandmarkTrainJob(folder=folder, out=pt, landmarks=foreign), ("foreign.mrk.json", "nose")),
        (LandmarkTrainJob(folder=empty, out=pt, landmarks=landmarks), ("ct.npz", "does not exist")),
        (StyleTrainJob(folder=folder, out=pt, xrays=tmp_path / "gone"), ("gone", "no such folder")),
        (StyleTrainJob(folder=folder, out=pt, xrays=empty), ("empty", "at least 4")),
        (DetectJob(folder=empty, model=model), ("X-rays of the sequence", "no whole number")),
        (DetectJob(folder=folder, model=text), ("some.txt",)),
        (DetectJob(folder=folder, model=model, style=model), ("head.pt",)),
        (DetectJob(folder=blank, model=model, numbers=(12,)), ("view 1, frame 12", "0 of its 9216 pixels")),
        (DetectJob(folder=blank, model=model, refine=True), ("ct.npz", "does not exist")),
        (DetectJob(folder=folder, model=model, refine=True, landmarks=foreign), ("foreign.mrk.json", "nose")),
        (DetectJob(folder=folder, model=model, planar=(True, False)), ("geometry", "2 views")),
        (SkullJob(folder=folder, out=vtp), ("landmarks", "none were given")),
        (SkullJob(folder=folder, out=vtp, run=text), ("some.txt", "damaged")),
        (SkullJob(folder=folder, out=vtp, points=other), ("other.npz", "holds no points")),
        (SkullJob(folder=folder, out=tmp_path / "gone" / "a.vtp", points=points), ("a.vtp", "no folder")),
        (exposure, ("poses", "none of the X-rays' frames")),
        (replace(exposure, poses=other), ("other.npz", "holds no poses")),
        (replace(exposure, poses=tmp_path / "gone.npz"), ("gone.npz",)),
        (replace(exposure, landmarks=foreign), ("foreign.mrk.json", "nose")),
        (replace(exposure, numbers=(7,), seconds_per_frame=0), ("seconds of a frame", "above zero")),
        (replace(exposure, out=text), ("some.txt", "expected a folder")),
    ]
    before = files_in(tmp_path)
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
