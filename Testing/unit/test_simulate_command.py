"""`fluororeg simulate`: what it writes can be registered, and what cannot be simulated is refused with a reason."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from DiffRegistrationLib.command_line.main import app
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.files.camera_files import read_camera, write_camera
from DiffRegistrationLib.xray.files.ct_writing import write_ct
from DiffRegistrationLib.xray.files.transform_files import read_pose, write_pose
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.simulator import XraySettings
from DiffRegistrationLib.xray.simulator.display import Display
from DiffRegistrationLib.xray.simulator.effects import EFFECTS, OBJECTS
from DiffRegistrationLib.xray.simulator.ranges import EVALUATION, RANGES, drawn_settings
from DiffRegistrationLib.xray.simulator.settings_file import read_settings, write_settings
from fluororeg_runs import camera, head, refused, run, truth
from PIL import Image

SMALL = ("--size", "64", "--spacing", "5")
QUICK = (*SMALL, "--only", "noise,display")


def written(tmp_path: Path) -> Path:
    """A small head on disk."""
    write_ct(tmp_path / "head.nrrd", head())
    return tmp_path / "head.nrrd"


def pixels(folder: Path) -> np.ndarray:
    return np.asarray(Image.open(folder / "xray.png"))


def test_what_it_writes_registers_to_the_true_pose(tmp_path: Path) -> None:
    """A round field on a linear display, with wires and screws, but without distortion: no camera file tells of it."""
    ct, out = tmp_path / "head.nrrd", tmp_path / "simulated"
    phantom = head_phantom(2.0).ct
    write_ct(ct, phantom)
    write_pose(tmp_path / "true.tfm", truth())
    write_camera(tmp_path / "c-arm.json", camera())
    made = run(
        *("simulate", ct, "--out", out, "--camera", tmp_path / "c-arm.json", "--pose", tmp_path / "true.tfm"),
        *("--without", "distortion,vessels,guide_wire,electrodes,table", "--seed", "7", "--json"),
    )
    assert made.code == 0, made.stderr
    assert {path.name for path in out.iterdir()} == {"xray.png", "camera.json", "pose.json", "settings.json"}
    assert made.json["files"] == {path.stem: str(path) for path in out.iterdir()}
    assert (made.json["seed"], made.json["ranges"], made.json["size"]) == (7, "evaluation-1", [96, 96])
    assert 0.2 < made.json["usable"] <= 1 and made.json["seconds"] > 0
    assert "fluororeg register" in made.stderr and "Exposing" not in made.stdout
    np.testing.assert_allclose(read_pose(out / "pose.json"), truth(), atol=1e-12)
    np.testing.assert_allclose(
        read_camera(out / "camera.json").camera.camera_from_world, camera().camera_from_world, atol=1e-12
    )
    content = json.loads((out / "settings.json").read_text(encoding="utf-8"))
    assert (content["seed"], content["settings"]) == (7, made.json["settings"])
    off = np.array([0.1, -0.08, 0.06, 12, -9, 20])
    centre = rigid.transform_points(truth(), [phantom.centre])[0]
    write_pose(tmp_path / "start.json", rigid.move_about(centre, off, truth()))
    found = run(
        *("register", ct, out / "xray.png", "--camera", out / "camera.json", "--start", tmp_path / "start.json"),
        *("--out", tmp_path / "result", "--json"),
    )
    assert found.code == 0 and found.json["verdict"] == "accepted", found.stderr
    error = rigid.inverse(truth()) @ np.array(found.json["pose"])
    assert np.degrees(np.linalg.norm(rigid.rotation_log(error[:3, :3]))) < 0.5
    centres = [rigid.transform_points(p, [phantom.centre]) for p in (np.array(found.json["pose"]), truth())]
    assert np.abs(camera().project(centres[0]) - camera().project(centres[1])).max() * 3.2 < 0.5


def test_settings_and_seed_make_the_same_picture_again(tmp_path: Path) -> None:
    ct = written(tmp_path)
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    without = "vessels,guide_wire,screws,electrodes"
    drawn = ("simulate", ct, *SMALL, "--ranges", "training-1", "--without", without)
    assert run(*drawn, "--seed", "3", "--out", first).code == 0
    made = run("simulate", ct, *SMALL, "--settings", first / "settings.json", "--seed", "3", "--out", again, "--json")
    assert made.code == 0 and made.json["ranges"] is None
    np.testing.assert_array_equal(pixels(first), pixels(again))
    assert run(*drawn, "--seed", "4", "--out", other).code == 0
    assert np.mean(pixels(first) != pixels(other)) > 0.5


def test_options_choose_effects_beam_and_dose(tmp_path: Path) -> None:
    ct, out = written(tmp_path), tmp_path / "out"
    options = ("--only", "noise,blur", "--kilovolts", "64", "--kerma", "25", "--seed", "2")
    assert run("simulate", ct, *SMALL, *options, "--out", out).code == 0
    settings = read_settings(out / "settings.json")
    drawn = drawn_settings(EVALUATION, 2, (320.0, 320.0))
    assert settings.noise == replace(drawn.noise, air_kerma_nanogray=25.0) and settings.blur == drawn.blur
    assert settings.tube == replace(drawn.tube, kilovolts=64.0)
    assert settings.scatter is settings.collimator is settings.wires is None
    assert pixels(out).dtype == np.uint16


def test_a_detector_of_8_bits_gives_a_picture_of_8_bits(tmp_path: Path) -> None:
    ct, out = written(tmp_path), tmp_path / "out"
    write_settings(tmp_path / "eight.json", XraySettings(display=Display(bits=8)))
    assert run("simulate", ct, *SMALL, "--settings", tmp_path / "eight.json", "--out", out).code == 0
    assert pixels(out).dtype == np.uint8 and pixels(out).max() in (229, 230)


@pytest.mark.parametrize(
    ("options", "axis", "sign"),
    [((), 1, -1), (("--angles", "90,0"), 0, -1), (("--view", "right-lateral"), 0, 1), (("--angles", "0,0"), 1, 1)],
)
def test_the_beam_goes_where_view_and_angles_say(
    tmp_path: Path, options: tuple[str, ...], axis: int, sign: int
) -> None:
    assert run("simulate", written(tmp_path), *QUICK, *options, "--out", tmp_path / "out").code == 0
    seen, pose = read_camera(tmp_path / "out" / "camera.json").camera, read_pose(tmp_path / "out" / "pose.json")
    assert isinstance(seen, PinholeCamera)
    beam = pose[:3, :3].T @ seen.camera_from_world[2, :3]
    np.testing.assert_allclose(beam, sign * np.eye(3)[axis], atol=1e-9)
    np.testing.assert_allclose(seen.project(rigid.transform_points(pose, [head().centre]))[0], 31.5, atol=1e-6)


def test_an_xray_that_burns_out_is_written_with_a_warning(tmp_path: Path) -> None:
    write_settings(tmp_path / "bright.json", XraySettings(display=Display(exposure=1e6)))
    arguments = ("simulate", written(tmp_path), *SMALL, "--settings", tmp_path / "bright.json")
    outcome = run(*arguments, "--out", tmp_path / "out", "--json")
    assert outcome.code == 0 and outcome.json["usable"] == 0
    assert "Warning: nothing of it can be registered" in outcome.stderr
    assert pixels(tmp_path / "out").min() == 65535


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--only", "noise,sparkle"), ("--only noise,sparkle", "'sparkle' is no effect", *EFFECTS)),
        (("--only", ""), ("'' is no effect",)),
        (("--without", "tube"), ("--without tube", "'tube' is no effect")),
        (("--only", "noise", "--without", "blur"), ("--without", "beside --only")),
        (("--ranges", "training-0"), ("'training-0'", *RANGES)),
        (("--settings", "missing.json"), ("missing.json", "cannot be read")),
        (("--settings", "missing.json", "--ranges", "training-1"), ("--ranges", "beside --settings")),
        (("--kilovolts", "500"), ("--kilovolts 500", "40 to 150")),
        (("--kilovolts", "nan"), ("--kilovolts nan", "40 to 150")),
        (("--kerma", "0"), ("--kerma 0", "more than 0 nGy")),
        (("--seed", "-1"), ("--seed -1", "from 0")),
        (("--size", "0"), ("--size 0", "whole numbers from 1")),
        (("--sod", "1200"), ("source-object distance of 1200", "swapped")),
        (("--angles", "30"), ("--angles", "'30' is not 2 numbers")),
        (("--angles", "30,0", "--view", "ap"), ("--view", "beside --angles")),
        (("--view", "top"), ("--view top", "ap, pa")),
        (("--view", "ap", "--pose", "x.tfm"), ("--view", "beside --pose")),
        (("--camera", "c.json", "--angles", "0,0"), ("--angles", "beside --camera")),
    ],
)
def test_options_of_simulate_that_cannot_be(tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]) -> None:
    refused(tmp_path, ("simulate", written(tmp_path), "--out", tmp_path / "out", *options), *words)


def test_settings_with_a_slip_are_refused_by_file_and_entry(tmp_path: Path) -> None:
    ct, file = written(tmp_path), tmp_path / "mine.json"
    write_settings(file, drawn_settings(EVALUATION, 0, (300.0, 300.0)))
    file.write_text(file.read_text(encoding="utf-8").replace('"fraction"', '"part"'), encoding="utf-8")
    arguments = ("simulate", ct, "--out", tmp_path / "out", "--settings", file)
    refused(tmp_path, arguments, file, "“glare.part” is not known", "fraction, reach_mm")


def test_cts_that_cannot_be_simulated(tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out", *SMALL)
    refused(tmp_path, ("simulate", tmp_path / "none.nrrd", *out), "none.nrrd", "no such file or folder")
    (tmp_path / "text.nrrd").write_text("dear diary")
    refused(tmp_path, ("simulate", tmp_path / "text.nrrd", *out), "text.nrrd")
    block = CT.from_hounsfield(np.pad(np.zeros((8, 8, 8)), 4, constant_values=-1000), np.diag([2.0, 2, 2, 1]))
    write_ct(tmp_path / "block.nrrd", block)
    arguments = ("simulate", tmp_path / "block.nrrd", *out)
    refused(tmp_path, (*arguments, "--seed", "1"), f"--without {','.join(OBJECTS)}")
    assert run(*arguments, "--without", ",".join(OBJECTS)).code == 0


def test_cameras_that_have_no_detector(tmp_path: Path) -> None:
    ct, file = written(tmp_path), tmp_path / "camera.json"
    arguments = ("simulate", ct, "--out", tmp_path / "out", "--camera", file)
    refused(tmp_path, arguments, file, "cannot be read")
    write_camera(file, replace(camera(), pixel_spacing=None))
    refused(tmp_path, arguments, file, "does not tell the pixel spacing")
    slit = ScanningSlitCamera(
        camera_from_world=camera().camera_from_world,
        size=(64, 64),
        pixel_spacing=(3.0, 3.0),
        centre=(31.5, 31.5),
        source_object_distance=600.0,
        source_detector_distance=1000.0,
    )
    write_camera(file, slit)
    refused(tmp_path, arguments, file, "scanning slit")


def test_inputs_are_not_overwritten_and_nothing_is_left_of_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ct, out = written(tmp_path), tmp_path / "out"
    assert run("simulate", ct, *QUICK, "--out", out).code == 0
    for option, name in (("--camera", "camera.json"), ("--pose", "pose.json"), ("--settings", "settings.json")):
        refused(tmp_path, ("simulate", ct, "--out", out, option, out / name), out / name, "is one of the inputs")
    refused(tmp_path, ("simulate", ct, "--out", ct), ct, "is a file, expected a folder")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("DiffRegistrationLib.xray.simulator.simulation_files.write_pose", full)
    refused(tmp_path, ("simulate", ct, *QUICK, "--seed", "9", "--out", out), "No space left")
    refused(tmp_path, ("simulate", ct, *QUICK, "--out", tmp_path / "new"), "No space left")


def test_the_example_of_the_documentation_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    written(tmp_path)
    write_camera(tmp_path / "camera.json", camera())
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert "uint16 (96, 96)" in capsys.readouterr().out


def test_the_help_names_the_ranges_that_there_are() -> None:
    (option,) = (p for p in typer.main.get_command(app).commands["simulate"].params if p.name == "ranges")
    assert all(name in option.help for name in RANGES) and f"({EVALUATION.name})" in option.help
