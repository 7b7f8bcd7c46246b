"""What `fluororeg` gives on good input: results that agree with each other, words on stderr, paths of any name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from DiffRegistrationLib.xray.files.transform_files import read_pose, write_pose
from DiffRegistrationLib.xray.geometry import rigid
from fluororeg_runs import Case, Outcome, camera, head, run, truth, write_case, write_head_series
from page_in_browser import opened

LPS = np.diag([-1.0, -1.0, 1.0])


def in_a_process(*arguments: object, **environment: str) -> Outcome:
    """The installed command itself."""
    command = shutil.which("fluororeg", path=str(Path(sys.executable).parent))
    assert command is not None, "fluororeg is not installed beside this Python"
    done = subprocess.run(
        [command, *map(str, arguments)], capture_output=True, env={**os.environ, **environment}, timeout=120
    )
    return Outcome(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "replace"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Outcome]:
    """One registration, by the installed command, in a folder whose name is not easy."""
    case = write_case(tmp_path_factory.mktemp("runs") / "Röntgen Bilder 患者 [bold]1")
    return case, in_a_process(*case.register("--json"), FORCE_COLOR="1", PYTHONIOENCODING="cp1252")


def test_register_finds_the_pose_and_says_all_of_it_as_json(done: tuple[Case, Outcome]) -> None:
    case, outcome = done
    assert outcome.code == 0, outcome.stderr
    found = outcome.json
    pose = np.array(found["pose"])
    assert pose.shape == (4, 4)
    off = rigid.inverse(truth()) @ pose
    assert np.degrees(np.linalg.norm(rigid.rotation_log(off[:3, :3]))) < 1
    centre = [rigid.transform_points(p, [head().centre]) for p in (pose, truth())]
    assert np.abs(camera().project(centre[0]) - camera().project(centre[1])).max() < 0.3
    assert found["verdict"] == "accepted" and found["reason"]
    assert 0.8 < found["similarity"] <= 1
    assert len(found["std"]) == 6 and all(0 < value < 20 for value in found["std"])
    assert 0 < found["seconds"] < found["seconds_in_all"]
    assert found["report"] == str(case.out / "report.html") and Path(found["report"]).is_file()
    saved = json.loads((case.out / "result.json").read_text(encoding="utf-8"))
    assert {**found, **saved} == found


def test_progress_and_words_are_on_stderr_alone(done: tuple[Case, Outcome]) -> None:
    _, outcome = done
    assert outcome.json and "\x1b" not in outcome.stdout
    # As on a terminal, the spinner tells the stages.
    assert "Reading" in outcome.stderr and "Registering" in outcome.stderr
    assert "accepted" in outcome.stderr and "Traceback" not in outcome.stderr and "Warning" not in outcome.stderr


def test_all_files_of_the_pose_agree_and_mean_what_slicer_reads(done: tuple[Case, Outcome]) -> None:
    case, outcome = done
    pose = np.array(outcome.json["pose"])
    assert {path.name for path in case.out.iterdir()} == {
        "pose.tfm",
        "pose.h5",
        "pose.json",
        "drr-1.nrrd",
        "result.json",
        "report.html",
    }
    for suffix in (".tfm", ".h5", ".json"):
        np.testing.assert_allclose(read_pose(case.out / f"pose{suffix}"), pose, atol=1e-9)
    point = np.array([11.0, -23.0, 37.0])
    in_world = rigid.transform_points(pose, [point])[0]
    for suffix in (".tfm", ".h5"):
        stored = SimpleITK.ReadTransform(str(case.out / f"pose{suffix}"))
        # Slicer shows the inverse of what is stored, in LPS, as the transform to the parent.
        np.testing.assert_allclose(LPS @ stored.TransformPoint((LPS @ in_world).tolist()), point, atol=1e-6)


def test_the_drr_lies_on_the_detector_with_the_xray_s_pixels(done: tuple[Case, Outcome]) -> None:
    case, _ = done
    drr, xray = (SimpleITK.ReadImage(str(path)) for path in (case.out / "drr-1.nrrd", case.xray))
    assert drr.GetSize() == (96, 96, 1)
    np.testing.assert_allclose(drr.GetSpacing(), (3.2, 3.2, 1.0))
    for corner in ((0, 0, 0), (95, 0, 0), (0, 95, 0)):
        on_detector = camera().back_project(np.array([corner[:2]], dtype=float), 1000.0)[0]
        np.testing.assert_allclose(LPS @ drr.TransformIndexToPhysicalPoint(corner), on_detector, atol=1e-3)
    shown = SimpleITK.GetArrayFromImage(drr)[0]
    seen = -np.log(SimpleITK.GetArrayFromImage(xray)[0] / 3000)
    assert np.corrcoef(shown.ravel(), seen.ravel())[0, 1] > 0.98


def test_a_browser_shows_the_report_of_a_run(done: tuple[Case, Outcome], tmp_path: Path) -> None:
    case, outcome = done
    page = (case.out / "report.html").read_text(encoding="utf-8")
    body, shown = opened(tmp_path / "report.html", page)
    assert 'data-pictures="8/8"' in body and 'data-errors="0"' in body
    assert "Accepted" in shown and outcome.json["reason"] in shown


def test_a_pose_that_fails_ends_with_1_and_leaves_its_results(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    noise = np.random.default_rng(3).uniform(100, 3000, (96, 96)).astype(np.float32)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise), str(tmp_path / "noise.nrrd"))
    outcome = run(*case.register("--json", xray=tmp_path / "noise.nrrd"))
    assert outcome.code == 1
    assert outcome.json["verdict"] == "failed" and "does not look like the X-ray" in outcome.json["reason"]
    assert outcome.stderr.startswith("failed: ")
    assert 'class="verdict failed"' in (case.out / "report.html").read_text(encoding="utf-8")
    assert (case.out / "pose.tfm").is_file()


@pytest.mark.parametrize(
    ("heights", "tilt", "said"),
    [
        (np.arange(0, 244, 4.0), 15.0, "sheared by a tilt of 15.0°"),
        (np.concatenate([np.arange(0, 120, 4.0), np.arange(120, 244, 6.0)]), 0.0, "unevenly spaced, 4.00 to 6.00 mm"),
    ],
    ids=["tilted", "uneven"],
)
def test_tilted_and_uneven_scans_are_resampled_and_the_report_says_so(
    tmp_path: Path, heights: np.ndarray, tilt: float, said: str
) -> None:
    case = write_case(tmp_path)
    scan = write_head_series(tmp_path / "scan", heights, tilt)
    write_pose(tmp_path / "start.json", rigid.move_about(truth()[:3, 3], [0.03, 0, -0.03, 4, 0, -4], truth()))
    outcome = run(*case.register("--json", "--start", tmp_path / "start.json", ct=scan))
    assert outcome.code == 0
    for place in ([0.0, 0, 0], [60, 80, -60], [-60, -40, 60]):
        points = [
            camera().project(rigid.transform_points(p, [place])) for p in (np.array(outcome.json["pose"]), truth())
        ]
        assert np.abs(points[0] - points[1]).max() < 1.0
    told = run("info", scan, "--json").json["files"][0]["facts"]
    (grid,) = [fact for fact in told if fact["quantity"] == "grid"]
    assert said in grid["origin"] and grid["value"].startswith("resampled")
    report = (case.out / "report.html").read_text(encoding="utf-8")
    assert said in report and "resampled" in report


def test_info_describes_the_good_files_beside_a_bad_one(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    bad = tmp_path / "[red] notes.txt"
    bad.write_text("dear diary")
    files = (case.ct, bad, case.xray, case.camera)
    outcome = run("info", *files)
    assert outcome.code == 2
    for path, kind in ((case.ct, "CT"), (case.xray, "X-ray"), (case.camera, "camera")):
        assert f"{path}: {kind}\n" in outcome.stdout
    assert outcome.stderr.startswith(f"Error: {bad}: ") and f"Missing: {case.xray}: source-detector" in outcome.stderr
    told = run("info", *files, "--json").json["files"]
    assert [one["file"] for one in told] == [str(path) for path in files]
    assert [one.get("kind") for one in told] == ["CT", None, "X-ray", "camera"]
    assert told[1]["error"]["subject"] == str(bad)
    of_camera = {fact["quantity"]: fact["value"] for fact in told[3]["facts"]}
    assert of_camera["source-detector distance"] == "1000 mm" and of_camera["source"].endswith(", 700, 0) mm, RAS")
    assert all(set(fact) == {"quantity", "value", "origin", "assumed"} for fact in told[0]["facts"])


def test_info_prints_any_letters_into_any_pipe(done: tuple[Case, Outcome]) -> None:
    case, _ = done
    outcome = in_a_process("info", case.ct, PYTHONIOENCODING="ascii:strict")
    assert outcome.code == 0 and "voxel size" in outcome.stdout


def test_drr_says_what_it_wrote_and_warns_of_an_empty_one(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    out = tmp_path / "ein DRR ü.mha"
    outcome = run("drr", case.ct, "--camera", case.camera, "--view", "ap", "--out", out, "--json")
    assert outcome.code == 0
    assert outcome.json["drr"] == str(out) and outcome.json["size"] == [96, 96] and outcome.json["maximum"] > 1
    assert str(out) in outcome.stderr and "Warning" not in outcome.stderr
    write_pose(tmp_path / "away.json", rigid.rigid(np.eye(3), [0, 0, 900.0]))
    outcome = run("drr", case.ct, "--camera", case.camera, "--pose", tmp_path / "away.json", "--out", out)
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "Warning: it is empty, the CT is not in view" in outcome.stderr


@pytest.mark.parametrize("name", ["d.nrrd", "d.NRRD", "d.mha", "d.nii", "d.nii.gz", "d.1.nrrd"])
def test_drr_formats_keep_the_place(tmp_path: Path, name: str) -> None:
    case = write_case(tmp_path)
    assert run("drr", case.ct, "--camera", case.camera, "--view", "ap", "--out", tmp_path / name).code == 0
    image = SimpleITK.ReadImage(str(tmp_path / name))
    on_detector = camera().back_project(np.array([[95.0, 0]]), 1000.0)[0]
    np.testing.assert_allclose(LPS @ image.TransformIndexToPhysicalPoint((95, 0, 0)), on_detector, atol=1e-2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the cache's folder is named by XDG_CACHE_HOME on Linux alone")
def test_the_second_start_compiles_nothing(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    kept: list[dict[Path, int]] = []
    for number in (1, 2):
        outcome = in_a_process(*case.register("--json"), XDG_CACHE_HOME=str(tmp_path / "cache"))
        assert outcome.code == 0, f"start {number}"
        kept.append({path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.nb[ci]")})
    assert kept[0] and kept[1] == kept[0]
