"""A folder of patients goes through to its table, whatever is wrong with one of them."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.batch import HEADING, Batch, Patient
from DiffRegistrationLib.mrml.registration_logic import RegistrationLogic
from DiffRegistrationLib.registration.workflow import register_files
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.ct_writing import write_ct
from DiffRegistrationLib.xray.files.transform_files import read_pose, write_pose
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from fluororeg_runs import camera, head, intensity, truth, write_head_series

pytestmark = pytest.mark.mrml

SCRIPT = Path(__file__).parents[1] / "batch" / "batch_register.py"
RESULTS = {"pose.tfm", "pose.h5", "pose.json", "result.json", "report.html", "made-from.json"}


def write_xray(folder: Path, name: str, camera_name: str, primary_deg: float = 180.0) -> XrayFile:
    """An X-ray of the head as a picture, and its camera."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(16 * intensity(primary_deg), 0, 65535).astype(np.uint16)).save(folder / name)
    write_camera(folder / camera_name, camera(primary_deg))
    return XrayFile(folder / name, folder / camera_name)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients: one view and a NRRD; a CT that was cut off; two views and DICOM slices."""
    folder = tmp_path_factory.mktemp("Übung") / "patients"
    for name in ("a", "b 2"):
        write_xray(folder / name, "XRAY.png", "camera.json")
        write_ct(folder / name / "ct.nrrd", head())
    whole = (folder / "b 2" / "ct.nrrd").read_bytes()
    (folder / "b 2" / "ct.nrrd").write_bytes(whole[: len(whole) // 2])
    write_xray(folder / "c", "xray-10.png", "camera-10.json", 90.0)
    write_xray(folder / "c", "xray-9.png", "xray-9.camera.json")
    write_head_series(folder / "c" / "ct", np.arange(head().size[2]) * head().voxel_size[2])
    (folder / "c" / "notes.txt").touch()
    (folder / ".hidden").mkdir()
    return folder


def run(*arguments: object, program: tuple[str, ...] = (str(SCRIPT),)) -> subprocess.CompletedProcess[str]:
    """The script on slicer-core alone, in a process of its own."""
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)], capture_output=True, encoding="utf-8", timeout=900
    )


def table(output: Path) -> dict[str, dict[str, str]]:
    """The table's lines by patient."""
    with (output / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(tuple(row) == HEADING for row in rows)
    return {row["patient"]: row for row in rows}


# As Slicer runs a script: in its own __main__, with a scene, and with a stdout that keeps what it is given.
AS_SLICER_DOES = """
import slicer, slicer.util, sys
class Kept:
    def write(self, text): pass
    def flush(self): pass
slicer.mrmlScene = slicer.vtkMRMLScene()
colours = slicer.vtkMRMLColorLogic(); colours.SetMRMLScene(slicer.mrmlScene)
sys.stdout = Kept()
sys.argv = sys.argv[1:]
__file__ = sys.argv[0]
try:
    exec(open(__file__, encoding="ascii").read(), globals())
finally:
    assert not slicer.util.getNodesByClass("vtkMRMLVolumeNode", slicer.mrmlScene)
    colours.SetMRMLScene(None)
"""


def test_one_bad_patient_stops_nothing_and_a_second_run_does_what_is_left(made: Path, tmp_path: Path) -> None:
    patients, out = tmp_path / "patients", tmp_path / "out" / "größe"
    shutil.copytree(made, patients)
    first = run(patients, out, "--start", "frontal")
    assert first.returncode == 1, first.stderr
    rows = table(out)
    assert list(rows) == ["a", "b 2", "c"]
    assert [row["verdict"] for row in rows.values()] == ["accepted", "error", "accepted"], rows
    assert "ct.nrrd" in rows["b 2"]["reason"] and "[2/3] b 2: error: " in first.stdout
    assert rows["c"]["x-rays"] == "2" and rows["c"]["report"] == "c/report.html"
    assert {path.name for path in (out / "a").iterdir()} == RESULTS | {"drr-1.nrrd"}
    assert {path.name for path in (out / "c").iterdir()} == RESULTS | {"drr-1.nrrd", "drr-2.nrrd"}
    assert not (out / "b 2").exists()
    # The same as from the files, with the first X-ray first.
    views = Patient.in_folder(patients / "c").xrays
    assert [view.path.name for view in views] == ["xray-9.png", "xray-10.png"]
    by = register_files(patients / "c" / "ct", views, output=tmp_path / "by", start="frontal")
    np.testing.assert_allclose(read_pose(out / "c" / "pose.json"), by.pose, rtol=0, atol=1e-6)
    assert float(rows["c"]["similarity"]) == pytest.approx(by.similarity, abs=1e-4)

    shutil.copy(patients / "a" / "ct.nrrd", patients / "b 2" / "ct.nrrd")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.html")}
    second = run(SCRIPT, "--", patients, out, "--start", "frontal", program=("-c", AS_SLICER_DOES))
    assert second.returncode == 0, second.stderr
    assert "[1/3] a: done before, accepted" in second.stdout and "[3/3] c: done before" in second.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before
    again = table(out)
    assert again["b 2"]["verdict"] == "accepted" and {**again, "b 2": rows["b 2"]} == rows


@pytest.fixture
def quick(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs batches on a copy of the first patient, whose registrations a test answers for."""
    shutil.copytree(made / "a", tmp_path / "in" / "a")
    write_pose(tmp_path / "in" / "a" / "start.json", truth())

    def run_batch(answer: Callable[..., None], start: str = "auto", again: bool = False) -> tuple[bool, list[str]]:
        starts: list[str] = []

        def register(self: Any, ct: Any, xrays: Any, *, start: str, output: Path, listener: Any) -> Any:
            starts.append(start)
            answer()
            output.mkdir(parents=True, exist_ok=True)
            content = {"pose": np.eye(4).tolist(), "verdict": "failed", "reason": "made up", "similarity": None,
                       "std": [None] * 6, "centre": [0, 0, 0], "start": start, "seconds": 1}  # fmt: skip
            (output / "result.json").write_text(json.dumps(content))
            (output / "drr-1.nrrd").touch()
            from types import SimpleNamespace

            from DiffRegistrationLib.mrml.registration_summary import RegistrationSummary

            return SimpleNamespace(summary=RegistrationSummary.from_dict(content))

        monkeypatch.setattr(RegistrationLogic, "register", register)
        batch = Batch(RegistrationLogic(), tmp_path / "in", tmp_path / "out", start=start, say=lambda _: None)
        return batch.run(again=again), starts

    return run_batch


def test_done_is_only_what_was_made_from_the_same_files_and_start(
    scene: Any, quick: Callable[..., Any], tmp_path: Path
) -> None:
    def fine() -> None:
        assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)

    # A verdict “failed” is a result, but not one that went well.
    assert quick(fine) == (False, ["auto"]) and quick(fine) == (False, [])
    assert table(tmp_path / "out")["a"]["verdict"] == "failed"
    assert quick(fine, again=True) == (False, ["auto"])
    assert quick(fine, start="start.json") == (False, [str(tmp_path / "in" / "a" / "start.json")])
    assert quick(fine, start="start.json") == (False, [])
    write_pose(tmp_path / "in" / "a" / "start.json", np.eye(4))
    assert len(quick(fine, start="start.json")[1]) == 1
    write_camera(tmp_path / "in" / "a" / "camera.json", camera(90.0))
    assert len(quick(fine, start="start.json")[1]) == 1
    # Results that are not whole are no results.
    (tmp_path / "out" / "a" / "result.json").write_text("{")
    assert len(quick(fine, start="start.json")[1]) == 1
    assert not slicer.util.getNodesByClass("vtkMRMLVolumeNode", scene)


def test_a_fault_of_the_program_is_that_patient_s_alone_and_leaves_no_older_result(
    scene: Any, quick: Callable[..., Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise IndexError("made up")

    quick(lambda: None)
    assert quick(broken, again=True)[0] is False
    row = table(tmp_path / "out")["a"]
    assert row["verdict"] == "error" and "IndexError('made up')" in row["reason"] and row["report"] == ""
    assert "IndexError" in capfd.readouterr().err
    assert not list((tmp_path / "out" / "a").iterdir())
    assert not slicer.util.getNodesByClass("vtkMRMLVolumeNode", scene)


def touched(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        if name.endswith("/"):
            (folder / name).mkdir()
        else:
            (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "ct", "xrays"),
    [
        ("scan.nii.gz X-Ray.DCM", "scan.nii.gz", {"X-Ray.DCM": None}),
        ("CT/ other.nrrd xray", "CT", {"xray": None}),
        ("ct.mha labels.mha xray.nrrd camera-of-lab.json", "ct.mha", {"xray.nrrd": "camera-of-lab.json"}),
        ("ct.mhd ct.raw xray2.tif xray1.tif camera2.json", "ct.mhd", {"xray1.tif": None, "xray2.tif": "camera2.json"}),
        (
            "ct/ xray-²b.png xray.png camera.json xray-²b.png.camera.json",
            "ct",
            {"xray.png": "camera.json", "xray-²b.png": "xray-²b.png.camera.json"},
        ),
    ],
)
def test_what_belongs_together_is_told_by_its_names(
    tmp_path: Path, names: str, ct: str, xrays: dict[str, str | None]
) -> None:
    found = Patient.in_folder(touched(tmp_path / "p", *names.split(), "._xray.png"))
    assert found.ct.name == ct
    assert {x.path.name: None if x.camera is None else x.camera.name for x in found.xrays} == xrays
    assert [x.path.name for x in found.xrays] == list(xrays)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("ct.nrrd",), "holds no X-ray"),
        (("xray.png",), "holds no CT"),
        (("a.nrrd", "b.nrrd", "xray.png"), "holds 2 CTs (a.nrrd, b.nrrd)"),
        (("ct/", "ct.nrrd", "xray.png"), "holds 2 CTs (ct, ct.nrrd)"),
        (("ct/", "xray-a.png", "xray-b.png", "camera.json"), "cameras belong to: camera.json"),
        (("ct/", "xray-a.png", "camera.json", "xray-b.camera.json"), "belong to: camera.json, xray-b.camera.json"),
    ],
)
def test_what_is_not_clear_is_asked_and_not_guessed(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError) as raised:
        Patient.in_folder(touched(tmp_path / "p", *names))
    assert words in str(raised.value)


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("batch_register", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_wrong_call_is_told_and_ends_with_two(
    scene: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main = script().main
    patients = tmp_path / "in"
    patients.mkdir()
    a_file = tmp_path / "file"
    a_file.touch()
    for arguments, words in (
        ((tmp_path / "gone", tmp_path / "out"), "cannot be read"),
        ((patients, tmp_path / "out"), "holds no folder"),
        ((patients, patients / "out"), "lies within the folder of the patients"),
        ((patients, a_file), "is a file"),
        ((patients, tmp_path / "out", "--start", "sideways"), "sideways"),
    ):
        if words == "lies within the folder of the patients":
            (patients / "a").mkdir()
        assert main([str(argument) for argument in arguments]) == 2
        assert words in capfd.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([str(patients)])
    assert ended.value.code == 2
    assert not (tmp_path / "out").exists()
    monkeypatch.setitem(sys.modules, "DiffRegistrationLib.mrml.batch", None)
    assert main([str(patients), str(tmp_path / "out")]) == 2
    assert "is not installed" in capfd.readouterr().out
