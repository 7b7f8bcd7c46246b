"""`fluororeg calibration` on files: its verdicts and exit codes, its conversions, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from DiffRegistrationLib.command_line.calibration import app
from DiffRegistrationLib.xray.files.camera_files import read_camera, write_camera
from DiffRegistrationLib.xray.files.camera_writing import FORMATS, write_camera_as
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.geometry.lens_distortion import BrownDistortion
from DiffRegistrationLib.xray.geometry.pixel_grid import all_pixels
from fluororeg_runs import Outcome
from test_triangulate_command import written
from test_triangulation import POINTS, views
from typer.testing import CliRunner


def run(*arguments: object) -> Outcome:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def test_check_says_whether_cameras_belong_together(tmp_path: Path) -> None:
    _options, _pixels, points = written(tmp_path, 2)
    files = tmp_path / "cam1.json", tmp_path / "cam2.json"
    right = run("check", *files, "--points", points)
    assert right.code == 0 and "The cameras fit the points" in " ".join(right.stdout.split())
    as_json = run("check", *files, "--points", points, "--json")
    assert as_json.code == 0 and as_json.json["fits"]
    (pair,) = as_json.json["pairs"]
    assert pair["views"] == [1, 2] and pair["points"] == 5 and pair["median_px"] < 1e-6
    assert pair["of_points"][3]["name"] == "bead 3" and pair["of_points"][3]["behind"] == [False, False]

    write_camera(files[1], views(50.0)[0].moved(rigid.exp([0.1, 0.1, -0.2, 0, 5.0, 20.0])))
    wrong = run("check", *files, "--points", points, "--json")
    assert wrong.code == 1 and not wrong.json["fits"] and "do not belong together" in wrong.json["verdict"]
    assert run("check", *files, "--points", points).code == 1
    assert run("check", *files, "--points", points, "--limit", 1000).code == 0

    write_camera(files[1], views(50.0)[0].moved(np.diag([-1.0, -1, 1, 1])))
    lps = run("check", *files, "--points", points, "--json")
    assert lps.code == 1 and any("LPS" in one["if"] for one in lps.json["explanations"])


def test_check_undoes_what_a_camera_file_tells_of_distortion(tmp_path: Path) -> None:
    _options, pixels, points = written(tmp_path, 2)
    files = tmp_path / "cam1.json", tmp_path / "cam2.json"
    bent = BrownDistortion((40.0, 0, 0), (0, 0), (2500.0, 2500.0), (399.5, 399.5))
    write_camera(files[0], views(0.0)[0], (), bent)
    assert run("check", *files, "--points", points).code == 1
    text = points.read_text(encoding="utf-8").splitlines()
    for n, (u, v) in enumerate(bent.distorted(pixels[0]), start=1):
        name, _, _, *rest = text[n].split(",")
        text[n] = ",".join([name, repr(float(u)), repr(float(v)), *rest])
    points.write_text("\n".join(text), encoding="utf-8")
    done = run("check", *files, "--points", points, "--json")
    assert done.code == 0 and done.json["pairs"][0]["median_px"] < 1e-5


def test_check_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    _options, _pixels, points = written(tmp_path, 2)
    one = tmp_path / "cam1.json"
    for arguments, words in (
        ((one, "--points", points), "two are needed"),
        ((one, one, "--points", points), "have one source"),
        ((one, tmp_path / "cam2.json", "--points", points, "--limit", 0), "is no length"),
        ((one, tmp_path / "cam2.json", "--points", one), "has no column cam1_u"),
    ):
        done = run("check", *arguments)
        assert done.code == 2 and words in " ".join(done.stderr.split()) and done.stdout == ""
        assert run("check", *arguments, "--json").json["error"]["remedy"]


def test_convert_goes_through_every_format_and_back(tmp_path: Path) -> None:
    (camera,) = views(35.0)
    write_camera(tmp_path / "0", camera)
    # A projection matrix knows no pixel spacing, MayaCam neither; xReg needs it.
    for number, name in enumerate(("xreg", "json", "mayacam1", "mayacam2", "projection-matrix"), start=1):
        assert name in FORMATS
        done = run("convert", tmp_path / f"{number - 1}", tmp_path / f"{number}", "--to", name, "--json")
        assert done.code == 0, done.stderr
        assert done.json["format"] == name and done.json["size_rows_columns_px"] == [800, 800]
    last = run("convert", tmp_path / "5", tmp_path / "6", "--to", "json", "--size", "800,800")
    assert last.code == 0 and "assumed: the file names no anatomical axes" in " ".join(last.stderr.split())
    np.testing.assert_allclose(
        read_camera(tmp_path / "6").camera.project(POINTS), camera.project(POINTS), rtol=0, atol=1e-6
    )


def test_convert_measures_a_distortion_on_beads(tmp_path: Path) -> None:
    (camera,) = views(35.0)
    write_camera_as(tmp_path / "cam.txt", camera, "mayacam2")
    bent = BrownDistortion((1.0, 0, 0), (0, 0.01), (2500.0, 2500.0), (399.5, 399.5))
    true = all_pixels((17, 17)) * 50.0
    for name, points in (("x_INPTS.csv", bent.distorted(true)), ("x_BSPTS.csv", true)):
        (tmp_path / name).write_text("".join(f"{u:.6f},{v:.6f}\n" for u, v in points), encoding="utf-8")
    beads = ("--beads-seen", tmp_path / "x_INPTS.csv", "--beads-true", tmp_path / "x_BSPTS.csv")
    done = run("convert", tmp_path / "cam.txt", tmp_path / "cam.json", "--to", "json", *beads, "--json")
    assert done.code == 0, done.stderr
    assert done.json["distortion_fit_px"]["maximum"] < 0.05
    read = read_camera(tmp_path / "cam.json")
    assert read.distortion is not None
    np.testing.assert_allclose(read.distortion.undistorted(bent.distorted(true + 7)[:200]), true[:200] + 7, atol=0.05)

    def refused(*arguments: object) -> str:
        before = sorted(tmp_path.iterdir())
        failed = run("convert", *arguments)
        assert failed.code == 2 and sorted(tmp_path.iterdir()) == before
        return " ".join(failed.stderr.split())

    text, out = tmp_path / "cam.txt", tmp_path / "out"
    assert "holds no distortion" in refused(text, out, "--to", "mayacam2", *beads)
    assert "has a distortion already" in refused(tmp_path / "cam.json", out, "--to", "json", *beads)
    assert "without the other" in refused(text, out, "--to", "json", *beads[:2])
    assert "degree 9 needs 55" in refused(text, out, "--to", "json", *few(tmp_path), "--degree", 9)
    assert "would be overwritten" in refused(text, text, "--to", "json")
    assert "Use one of json" in refused(text, out, "--to", "xromm")
    assert "calibrates images of 800 rows" in refused(text, out, "--to", "json", "--size", "400,800")
    assert "expected whole numbers" in refused(text, out, "--to", "json", "--size", "0,800")
    assert "no projections" in refused(text, out, "--to", "json", "--projection", 1)


def few(folder: Path) -> tuple[object, ...]:
    """Options with ten beads."""
    lines = (folder / "x_BSPTS.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "few.csv").write_text("".join(lines[:10]), encoding="utf-8")
    return "--beads-seen", folder / "few.csv", "--beads-true", folder / "few.csv"
