"""A cohort of small real registrations: what it writes, what it leaves alone, what a bad case costs."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer
from DiffRegistrationLib.cohort import case_run
from DiffRegistrationLib.cohort.case_run import run_case, verdict_of_track
from DiffRegistrationLib.cohort.cohort_case import CaseTask
from DiffRegistrationLib.cohort.cohort_index import write_index
from DiffRegistrationLib.cohort.manifest import read_manifest
from DiffRegistrationLib.cohort.outcome import Outcome, Status, read_outcome
from DiffRegistrationLib.cohort.workflow import Cohort, CohortProgress, run_cohort
from DiffRegistrationLib.command_line.batch import batch
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.registration.starts import pose_of_view
from DiffRegistrationLib.tracking.bodies import BodyFile
from DiffRegistrationLib.tracking.track import BodyTrack, FramePose, Track
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.ct_writing import write_ct
from DiffRegistrationLib.xray.files.radiograph_files import write_image
from DiffRegistrationLib.xray.files.transform_files import write_pose
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from fluororeg_runs import tree
from page_in_browser import opened
from typer.testing import CliRunner

COLUMNS = "case,ct,xrays,cameras,start"


@lru_cache
def small_head() -> CT:
    """A head of 6 mm voxels."""
    return head_phantom(6.0).ct


@lru_cache
def small_camera() -> PinholeCamera:
    """A C-arm's camera of 64 × 64 pixels, AP."""
    return c_arm_camera(
        source_detector_distance=1000.0,
        source_object_distance=700.0,
        pixel_spacing=(4.8, 4.8),
        size=(64, 64),
        primary_angle_deg=180.0,
    )


def truth(number: int) -> np.ndarray:
    """Where the head is in the X-ray of a case, another place for each."""
    usual = pose_of_view("ap", small_head(), small_camera())
    twist = np.random.default_rng(number).uniform(-1, 1, 6) * [0.05, 0.05, 0.05, 8, 8, 8]
    return rigid.move_about(rigid.transform_points(usual, [small_head().centre])[0], twist, usual)


def write_xray(path: Path, number: int) -> None:
    view = small_camera()
    integrals = Projector(small_head()).render(view.rays(), truth(number))[0].reshape(view.size)
    counts = np.random.default_rng(number).poisson(3000 * np.exp(-integrals.astype(np.float64)))
    write_image(path, counts.astype(np.float32) + 0.5, view)


def write_cohort(folder: Path, count: int, more: Sequence[str] = (), near: bool = False) -> Path:
    """A manifest of cases case-1 … of one head, and `more` lines; its files beside it.

    Cases start from the AP view, or `near` the truth, which needs no search and is quick.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_ct(folder / "head.nrrd", small_head())
    write_camera(folder / "camera.json", small_camera())
    lines = []
    for number in range(1, count + 1):
        write_xray(folder / f"x-{number}.nrrd", number)
        if near:
            write_pose(folder / f"start-{number}.json", rigid.rigid(np.eye(3), [2.0, -3.0, 2.0]) @ truth(number))
        start = f"start-{number}.json" if near else "ap"
        lines.append(f"case-{number},head.nrrd,x-{number}.nrrd,camera.json,{start}")
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join([COLUMNS, *lines, *more]) + "\n", encoding="utf-8")
    return manifest


def by_name(cohort: Cohort) -> dict[str, Outcome]:
    return {outcome.case: outcome for outcome in cohort.outcomes}


def run_again(manifest: Path, output: Path, **options: bool) -> tuple[Cohort, list[str]]:
    """The cohort, and the cases that were run for it."""
    told: list[CohortProgress] = []
    cohort = run_cohort(manifest, output, processes=1, watch=told.append, **options)
    return cohort, [progress.case for progress in told if progress.outcome is not None]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A cohort that has been run: two good cases, one that is no X-ray, one whose CT is not there."""
    folder = tmp_path_factory.mktemp("cohort")
    more = ("no-xray,head.nrrd,camera.json,camera.json,ap", "no-ct,away/head.nrrd,x-1.nrrd,camera.json,ap")
    manifest = write_cohort(folder / "Köpfe 1", 2, more)
    cohort, ran = run_again(manifest, folder / "out")
    assert cohort.skipped == 0 and ran == ["case-1", "case-2", "no-xray"]
    return manifest, folder / "out"


@pytest.fixture
def copied(done: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The same, to be changed."""
    manifest, output = done
    shutil.copytree(manifest.parent, tmp_path / "in")
    shutil.copytree(output, tmp_path / "out")
    return tmp_path / "in" / manifest.name, tmp_path / "out"


def test_a_bad_case_costs_nothing_but_itself(done: tuple[Path, Path]) -> None:
    _, output = done
    assert {path.name for path in output.iterdir()} == {"case-1", "case-2", "no-xray", "cohort.csv", "index.html"}
    for number in (1, 2):
        folder = output / f"case-{number}"
        outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
        assert outcome["status"] == "done" and outcome["verdict"] in ("accepted", "doubtful")
        found = rigid.transform_points(np.array(outcome["pose"]), [small_head().centre])
        expected = rigid.transform_points(truth(number), [small_head().centre])
        assert np.abs(small_camera().project(found) - small_camera().project(expected)).max() < 0.5
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert result["pose"] == outcome["pose"] and (folder / "report.html").is_file()
    bad = json.loads((output / "no-xray" / "outcome.json").read_text(encoding="utf-8"))
    assert bad["status"] == "failed-input" and bad["problem"]["subject"] == "camera.json"
    assert all(bad["problem"][part] for part in ("problem", "remedy"))


def test_the_table_holds_what_the_cases_say(done: tuple[Path, Path]) -> None:
    _, output = done
    with (output / "cohort.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["case-1", "case-2", "no-xray", "no-ct"]
    outcome = json.loads((output / "case-1" / "outcome.json").read_text(encoding="utf-8"))
    row = rows["case-1"]
    pose = [[float(row[f"pose_{i}{j}"]) for j in range(1, 5)] for i in range(1, 4)]
    np.testing.assert_allclose(pose, np.array(outcome["pose"])[:3], rtol=1e-6, atol=1e-8)
    assert (output / row["report"]).is_file()
    assert float(row["largest_std_deg"]) == pytest.approx(np.degrees(max(outcome["std"][:3])), abs=1e-3)
    assert rows["no-ct"]["status"] == "failed-input"
    assert "line 5, column ct: there is no file or folder away/head.nrrd" in rows["no-ct"]["reason"]


def test_outputs_name_no_folder_of_the_machine(done: tuple[Path, Path]) -> None:
    manifest, output = done
    for path in (*output.glob("*/outcome.json"), output / "cohort.csv", output / "index.html"):
        content = path.read_text(encoding="utf-8")
        for folder in (manifest.parent.name, str(manifest.parent.parent), output.parent.name):
            assert folder not in content, f"{folder} in {path}"


def test_the_page_leads_to_the_reports_and_escapes_names(done: tuple[Path, Path], tmp_path: Path) -> None:
    _, output = done
    page = (output / "index.html").read_text(encoding="utf-8")
    assert 'href="case-1/report.html"' in page and 'href="cohort.csv"' in page
    assert page.count("data:image/jpeg") == 2 and page.count("✕ bad input") == 3 and "http:" not in page
    case = Outcome("R&D 100% <b>", "register", Status.DONE, verdict="accepted", similarity=0.5, report="report.html")
    page = write_index(tmp_path, [case]).read_text(encoding="utf-8")
    assert "R%26D%20100%25%20%3Cb%3E/report.html" in page and "<b>" not in page


# What a user would do to the page: two clicks on the heading of the verdicts put the worst first.
HANDS = """<script>
window.addEventListener("load", function () {
  var buttons = Array.from(document.querySelectorAll("th button"));
  var verdict = buttons.find(function (one) { return one.textContent === "Verdict"; });
  verdict.click(); verdict.click();
  var names = Array.from(document.querySelectorAll("td.name")).map(function (one) { return one.textContent; });
  document.body.dataset.order = names.join(" ");
});
</script></body>"""


def test_a_browser_shows_the_page_and_sorts_it(done: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    content = (done[1] / "index.html").read_text(encoding="utf-8")
    body, _ = opened(page, content, HANDS)
    assert 'data-pictures="2/2"' in body and 'data-errors="0"' in body
    order = re.search(r'data-order="([^"]*)"', body)
    assert order is not None and order[1].split()[:2] == ["no-xray", "no-ct"], body


def test_a_second_run_does_nothing_also_where_all_was_moved(copied: tuple[Path, Path]) -> None:
    manifest, output = copied
    before = tree(output)
    again, ran = run_again(manifest, output)
    assert ran == [] and again.skipped == 3
    assert [outcome.status.value for outcome in again.outcomes] == ["done", "done", "failed-input", "failed-input"]
    kept = {name: stamp for name, stamp in tree(output).items() if "/" in name}
    assert kept == {name: stamp for name, stamp in before.items() if "/" in name}


def test_what_was_changed_is_run_again_and_nothing_else(copied: tuple[Path, Path]) -> None:
    manifest, output = copied
    first, _ = run_again(manifest, output)
    write_xray(manifest.parent / "x-2.nrrd", 7)
    (manifest.parent / "away").mkdir()
    shutil.copy2(manifest.parent / "head.nrrd", manifest.parent / "away")
    cohort, ran = run_again(manifest, output)
    assert ran == ["case-2", "no-ct"]
    before, after = by_name(first), by_name(cohort)
    assert after["case-1"] == before["case-1"] and after["case-2"].pose != before["case-2"].pose
    # With its CT back it is the case of the same X-ray.
    assert after["no-ct"].pose == after["case-1"].pose

    # A folder that is away for a while spoils nothing.
    (manifest.parent / "head.nrrd").rename(manifest.parent / "elsewhere")
    away, ran = run_again(manifest, output)
    assert ran == [] and away.counts["failed-input"] == 3
    (manifest.parent / "elsewhere").rename(manifest.parent / "head.nrrd")
    back, ran = run_again(manifest, output)
    assert ran == [] and back.outcomes == cohort.outcomes


def test_failed_cases_are_run_again_on_request(copied: tuple[Path, Path]) -> None:
    manifest, output = copied
    run_again(manifest, output)
    assert run_again(manifest, output, retry_failed=True)[1] == ["no-xray"]


def test_the_results_of_other_inputs_go_when_a_case_fails(copied: tuple[Path, Path]) -> None:
    manifest, output = copied
    (output / "case-1" / ".0123abcd").mkdir()
    (manifest.parent / "x-1.nrrd").write_text("no image", encoding="utf-8")
    cohort, _ = run_again(manifest, output)
    assert by_name(cohort)["case-1"].status == Status.FAILED_INPUT
    assert [path.name for path in (output / "case-1").iterdir()] == ["outcome.json"]


def task_of(manifest: Path, output: Path, name: str) -> CaseTask:
    listed = read_manifest(manifest)
    case = next(case for case in listed.cases if case.name == name)
    return CaseTask(case, listed.folder, output, "print")


def test_an_error_of_the_program_is_a_failed_case_without_paths(
    done: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, _ = done

    def broken(task: CaseTask, inputs: case_run.CaseInputs) -> Outcome:
        raise RuntimeError(f"cannot do {inputs.ct} into {task.folder / 'pose.tfm'}")

    monkeypatch.setattr(case_run, "_register", broken)
    outcome = run_case(task_of(manifest, tmp_path, "case-1"))
    assert outcome.status == Status.FAILED_PROGRAM and outcome.problem is not None
    assert "RuntimeError: cannot do head.nrrd into case-1" in outcome.problem.problem
    assert str(manifest.parent) not in str(outcome.problem) and str(tmp_path) not in str(outcome.problem)
    assert read_outcome(tmp_path / "case-1", "print") == outcome


def test_a_case_that_cannot_be_written_is_told_and_not_kept(done: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "case-1").write_text("a file where the folder has to be", encoding="utf-8")
    outcome = run_case(task_of(done[0], tmp_path, "case-1"))
    assert outcome.status == Status.FAILED_PROGRAM and not outcome.fingerprint
    assert outcome.problem is not None and str(tmp_path) not in str(outcome.problem)


def test_inputs_among_the_results_are_refused_and_stay(copied: tuple[Path, Path]) -> None:
    manifest, output = copied
    task = task_of(manifest, output, "case-1")
    values = dict(task.case.values)
    for column, name in (("xrays", "drr-1.nrrd"), ("start", "pose.tfm")):
        changed = tuple((values | {column: f"../out/case-1/{name}"}).items())
        outcome = run_case(replace(task, case=replace(task.case, values=changed)))
        assert outcome.status == Status.FAILED_INPUT and "lies where the results" in outcome.words
        assert (output / "case-1" / name).is_file()
    changed = tuple((values | {"ct": ".."}).items())
    assert "that the results lie in" in run_case(replace(task, case=replace(task.case, values=changed))).words


def test_a_sequence_is_handed_to_tracking_as_its_line_says(
    done: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def track_files(ct: Path, views: list[tuple[Any, ...]], **options: Any) -> Track:
        given.update(options, ct=ct, views=views)
        (options["output"] / "report.html").write_text("track", encoding="utf-8")
        frame = FramePose(0, np.eye(4), Verdict.ACCEPTED, "", 0.9, None, (0,), "", 0.1)
        return Track((BodyTrack("jaw", np.zeros(3), (frame,), np.eye(4)[None]),), (0,))

    package = "DiffRegistrationLib"
    workflow = SimpleNamespace(track_files=track_files)
    sequences = SimpleNamespace(XraySequence=lambda *values: values)
    monkeypatch.setitem(sys.modules, f"{package}.tracking.workflow", workflow)
    monkeypatch.setitem(sys.modules, f"{package}.xray.files.xray_sequences", sequences)
    manifest = done[0].with_name("sequences.csv")
    manifest.write_text(
        "case,kind,ct,xrays,cameras,key_frame,labels,bodies,joints,start\n"
        "walk,track,head.nrrd,x-*.nrrd,camera.json,1,head.nrrd,jaw=label:2,skull:jaw,lateral\n",
        encoding="utf-8",
    )
    outcome = run_case(task_of(manifest, tmp_path, "walk"))
    manifest.unlink()
    assert (outcome.status, outcome.verdict, outcome.report) == (Status.DONE, "accepted", "report.html"), outcome.words
    view = given["views"][0]
    assert (view[0].name, view[1].name, view[3:]) == ("x-*.nrrd", "camera.json", (None, None))
    assert given["ct"].name == "head.nrrd" and given["output"] == tmp_path / "walk"
    assert (given["key_frame"], given["first"], given["start"]) == (1, None, "lateral")
    assert given["bodies"] == (BodyFile("jaw", label=2),) and given["labels"].name == "head.nrrd"
    assert given["joints"] == (("skull", "jaw"),)


def test_damaged_outcomes_count_as_none(tmp_path: Path) -> None:
    for content in ("", "{", "[]", '{"fingerprint": "print"}', '{"fingerprint": "print", "status": "new"}'):
        (tmp_path / "outcome.json").write_text(content, encoding="utf-8")
        assert read_outcome(tmp_path, "print") is None


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [("aaaa", "accepted"), ("aaad", "doubtful"), ("aaff", "doubtful"), ("afff", "failed"), ("", "failed")],
)
def test_a_sequence_gets_one_verdict(verdicts: str, expected: str) -> None:
    names = {"a": Verdict.ACCEPTED, "d": Verdict.DOUBTFUL, "f": Verdict.FAILED}

    def body(letters: str) -> BodyTrack:
        frames = [
            FramePose(time, np.eye(4), names[letter], "", 0.9, None, (0,), "", 0.1)
            for time, letter in enumerate(letters)
        ]
        return BodyTrack("one", np.zeros(3), tuple(frames), np.full((len(letters), 4, 4), np.nan))

    verdict, reason = verdict_of_track(Track((body(verdicts),), tuple(range(len(verdicts)))))
    assert verdict == expected and f"{len(verdicts)} frames" in reason
    # One body that is lost is not made good by another one.
    both = Track((body("a" * len(verdicts)), body(verdicts)), tuple(range(len(verdicts))))
    assert verdict_of_track(both)[0] == expected


def command(*arguments: object) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(batch)
    ended = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.exit_code, ended.stdout, ended.stderr


def test_the_command_tells_what_failed_and_ends_so(copied: tuple[Path, Path]) -> None:
    manifest, output = copied
    code, stdout, stderr = command(manifest, "--out", output, "--processes", 1, "--json")
    content = json.loads(stdout)
    assert code == 1 and content["counts"]["done"] == 2 and content["counts"]["failed-input"] == 2
    assert [case["case"] for case in content["cases"]] == ["case-1", "case-2", "no-xray", "no-ct"]
    assert content["cases"][0]["report"] == "case-1/report.html" and content["cases"][2]["problem"]["remedy"]
    assert "no-xray: camera.json" in stderr and "no-ct: line 5" in stderr and "2 of 4" in stderr

    good = manifest.with_name("good.csv")
    good.write_text("\n".join(manifest.read_text(encoding="utf-8").splitlines()[:3]), encoding="utf-8")
    code, stdout, stderr = command(good, "--out", output)
    assert code == 0 and stdout == "" and "as they were before" in stderr


def test_the_command_refuses_what_is_no_manifest_and_leaves_nothing(done: tuple[Path, Path], tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("patient;scan\na;b\n", encoding="utf-8")
    for arguments, word in (
        ((table,), "no column case"),
        ((tmp_path / "none.csv",), "none.csv"),
        ((done[0], "--dask", "tcp://127.0.0.1:8786", "--processes", 2), "--dask"),
    ):
        code, stdout, stderr = command(*arguments, "--out", tmp_path / "out", "--json")
        assert code == 2 and word in stderr and json.loads(stdout)["error"]["remedy"]
    assert [path.name for path in tmp_path.iterdir()] == ["list.csv"]
