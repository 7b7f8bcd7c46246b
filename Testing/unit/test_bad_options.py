"""Options and output places that cannot be: nothing is computed for nothing, and nothing is left half-written."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from DiffRegistrationLib.registration import workflow
from DiffRegistrationLib.xray.files.transform_files import write_pose
from DiffRegistrationLib.xray.geometry import rigid
from fluororeg_runs import intensity, refused, run, solved, tree, truth, write_case


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver's answer is there at once."""
    monkeypatch.setattr(workflow, "register_sound_views", lambda *_, **__: solved())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--start", "sideways"), ("sideways", "auto, ap, pa", "pose")),
        (("--similarity", "ncc"), ("ncc", "auto, local-ncc, global-ncc, gradient-ncc, mutual-information")),
        (("--camera", "again.json"), ("--camera", "2 times for 1 X-ray", "once per X-ray")),
        (("--mask", "a.png", "--mask", "b.png"), ("--mask", "2 times for 1 X-ray")),
        (("--sdd", "1000"), ("--sdd", "beside --camera", "Leave out")),
        (("--angles", "0,0", "--spacing", "1"), ("--spacing, --angles", "beside --camera")),
    ],
)
def test_options_of_register_that_cannot_be(tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]) -> None:
    refused(tmp_path, write_case(tmp_path).register(*options), *words)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--sdd", "0", ("--sdd", "more than zero")),
        ("--sdd", "-1000", ("--sdd", "more than zero")),
        ("--sdd", "nan", ("--sdd", "more than zero")),
        ("--sod", "inf", ("--sod", "more than zero")),
        ("--sod", "1200", ("source-object distance of 1200 mm", "swapped")),
        ("--spacing", "0.5,0", ("--spacing", "more than zero")),
        ("--spacing", "fine", ("--spacing", "'fine' is not 2 numbers", "1.5,1.5")),
        ("--spacing", "1,2,3", ("--spacing", "'1,2,3' is not 2 numbers")),
        ("--angles", "30", ("--angles", "'30' is not 2 numbers")),
        ("--angles", "left", ("--angles", "'left'")),
        ("--angles", "nan,0", ("--angles", "'nan,0'")),
    ],
)
def test_geometry_that_no_c_arm_has(tmp_path: Path, option: str, value: str, words: tuple[str, ...]) -> None:
    case = write_case(tmp_path)
    options = {"--sdd": "1000", "--sod": "700", "--spacing": "3.2", "--angles": "180,0", option: value}
    given = [part for pair in options.items() for part in pair]
    refused(tmp_path, case.register(*given, camera=None), *words)


def test_angles_may_be_negative(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    given = ("--sdd", "1000", "--sod", "700", "--spacing", "3.2", "--angles", "-180,-0.5", "--start", "auto", "--json")
    outcome = run(*case.register(*given, camera=None))
    assert outcome.code == 0
    np.testing.assert_allclose(outcome.json["pose"][0][:3], truth()[0, :3], atol=0.05)


def test_poses_that_are_none(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    pose = tmp_path / "pose.json"

    def check(*words: object) -> None:
        refused(tmp_path, case.register("--start", pose), pose, *words)
        refused(tmp_path, ("drr", case.ct, "--pose", pose, "--out", tmp_path / "drr.nrrd"), pose, *words)

    for content, said in (
        ("dear diary", "holds no transform"),
        ("", "is empty"),
        ("{}", "is JSON, but no"),
        ("{", ""),
    ):
        pose.write_text(content)
        check(said)
    pose.write_bytes(case.camera.read_bytes())
    check("Give a pose, not a camera")
    write_pose(pose, np.eye(4))
    content = json.loads(pose.read_text())
    pose.write_text(json.dumps({**content, "world_from_ct_ras_mm": np.diag([1.0, 1, 2, 1]).tolist()}))
    check("not rigid", "Remove scale and shear")
    pose.write_text(json.dumps({**content, "world_from_ct_ras_mm": [[1, 2], [3, 4]]}))
    check("not 4×4 finite numbers")
    refused(tmp_path, case.register("--start", case.xray), case.xray, "holds no transform")
    refused(tmp_path, case.register("--start", tmp_path), tmp_path, "cannot be read")
    for suffix in (".tfm", ".h5"):
        (tmp_path / f"pose{suffix}").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(40))
        broken = tmp_path / f"pose{suffix}"
        refused(tmp_path, case.register("--start", broken), broken, "no transform that ITK can read")


@pytest.mark.parametrize("away", [(0, 5000, 0), (0, 690, 0), (0, 709, 0), (0, 900, 0), (500, 0, 0), (0, 0, -250)])
def test_a_pose_that_puts_the_head_out_of_view(tmp_path: Path, away: tuple[float, ...]) -> None:
    case = write_case(tmp_path)
    write_pose(tmp_path / "pose.json", rigid.rigid(np.eye(3), away) @ truth())
    words = (case.xray, "pose file pose.json", "the CT lies outside its view", "--start")
    refused(tmp_path, case.register("--start", tmp_path / "pose.json"), *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", "wide"), ("--size", "'wide' is not 2 numbers")),
        (("--size", "nan"), ("--size", "'nan'")),
        (("--size", "0"), ("--size 0", "whole numbers from 1 to")),
        (("--size", "-5,5"), ("--size -5,5", "whole numbers")),
        (("--size", "10.5"), ("--size 10.5", "whole numbers")),
        (("--size", "1e9"), ("--size 1e9", "from 1 to 5000")),
        (("--view", "top"), ("--view top", "ap, pa, left-lateral")),
        (("--view", "ap", "--pose", "x.tfm"), ("--view", "beside --pose")),
        (("--sdd", "500"), ("source-detector distance", "more than the source-object distance of 700")),
        (("--sdd", "0"), ("--sdd", "more than zero")),
        (("--camera", "camera.json", "--spacing", "1"), ("--spacing", "beside --camera")),
    ],
)
def test_options_of_drr_that_cannot_be(tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]) -> None:
    case = write_case(tmp_path)
    refused(tmp_path, ("drr", case.ct, "--out", tmp_path / "drr.nrrd", *options), *words)


@pytest.mark.parametrize("name", ["drr.png", "drr.dcm", "drr.nhdr", "drr", "drr.nrrd.zip"])
def test_a_drr_in_a_format_that_loses_its_place(tmp_path: Path, name: str) -> None:
    case = write_case(tmp_path)
    refused(tmp_path, ("drr", case.ct, "--out", tmp_path / name), tmp_path / name, ".nrrd, .mha, .nii")


def test_a_drr_that_cannot_be_written_there(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    (tmp_path / "folder.nrrd").mkdir()
    for out, said in (
        (tmp_path / "folder.nrrd", "is a folder"),
        (tmp_path / "new" / "drr.nrrd", "there is no folder"),
        (case.camera / "drr.nrrd", "there is no folder"),
        (case.ct, "is one of the inputs"),
    ):
        refused(tmp_path, ("drr", case.ct, "--out", out), out, said)


def test_an_output_folder_that_cannot_be_made(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    for out, said in (
        (case.camera, "is a file, expected a folder"),
        (case.camera / "out", "cannot be written to: Not a directory"),
        (case.camera / "deep" / "out", "cannot be written to: Not a directory"),
        (tmp_path / ("x" * 300), "cannot be written to: File name too long"),
        (tmp_path / "new" / ("x" * 300) / "out", "cannot be written to: File name too long"),
    ):
        refused(tmp_path, case.register("--out", out), out, said, "Choose another output folder")


def test_an_output_folder_without_the_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = write_case(tmp_path)
    make = Path.mkdir

    def forbidden(path: Path, *arguments: Any, **options: Any) -> None:
        if path.parent == case.out:
            make(path.parent, exist_ok=True)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        make(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", forbidden)
    refused(tmp_path, case.register(), case.out, "Permission denied", "Choose another output folder")


def test_an_xray_among_the_results_is_not_overwritten(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    case.out.mkdir()
    drr = case.xray.rename(case.out / "drr-1.nrrd")
    refused(tmp_path, case.register(xray=drr), drr, "is one of the inputs")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), MemoryError()])
def test_a_crash_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    case = write_case(tmp_path)

    def crash(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("DiffRegistrationLib.report.write_report", crash)
    said = "No space left on device" if isinstance(error, OSError) else "not enough"
    refused(tmp_path, case.register(), said)
    case.out.mkdir()
    (case.out / "pose.tfm").write_text("of an earlier run")
    refused(tmp_path, case.register(), said)


@pytest.mark.usefixtures("quick")
def test_a_bug_while_writing_leaves_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = write_case(tmp_path)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "write_image", crash)
    before = tree(tmp_path)
    assert run(*case.register()).code not in (0, 1, 2)
    assert tree(tmp_path) == before


@pytest.mark.usefixtures("quick")
def test_results_that_cannot_all_move_into_place_move_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = write_case(tmp_path)
    case.out.mkdir()
    for name in ("pose.tfm", "report.html"):
        (case.out / name).write_text("of an earlier run")
    replace = Path.replace

    def held_open(path: Path, target: Path) -> Path:
        if Path(target) == case.out / "report.html" and path.name == "report.html":
            raise PermissionError(errno.EACCES, "The process cannot access the file", str(target))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", held_open)
    outcome = run(*case.register())
    assert outcome.code == 2
    assert f"{case.out / 'report.html'}: cannot be replaced" in outcome.stderr
    assert sorted(path.name for path in case.out.iterdir()) == ["pose.tfm", "report.html"]
    assert {path.read_text() for path in case.out.iterdir()} == {"of an earlier run"}


@pytest.mark.usefixtures("quick")
def test_a_folder_in_the_place_of_a_result(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    (case.out / "report.html").mkdir(parents=True)
    outcome = run(*case.register())
    assert outcome.code == 2 and f"{case.out / 'report.html'}: is a folder" in outcome.stderr
    assert [path.name for path in case.out.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("register",),
        ("register", "ct.nrrd"),
        ("register", "ct.nrrd", "x.png", "--frame", "first"),
        ("register", "ct.nrrd", "x.png", "--no-such-option"),
        ("drr", "ct.nrrd"),
        ("drr", "ct.nrrd", "--out", "d.nrrd", "--sdd", "far"),
        ("info",),
        ("registre", "ct.nrrd"),
    ],
    ids=" ".join,
)
def test_words_that_make_no_command(arguments: tuple[str, ...]) -> None:
    plain, as_json = run(*arguments), run(*arguments, "--json")
    assert (plain.code, as_json.code, plain.stdout) == (2, 2, "")
    assert "--help" in plain.stderr
    error = as_json.json["error"]
    assert error["subject"].startswith("fluororeg") and error["problem"] and "--help" in error["remedy"]


def test_two_xrays_need_two_cameras(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    second = tmp_path / "second.png"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(intensity().astype(np.uint16)), str(second))
    refused(tmp_path, case.register(second), "--camera", "1 times for 2 X-rays", "in the same order")
