"""`fluororeg triangulate` on files: its numbers, and what it refuses."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.geometry.lens_distortion import BrownDistortion
from fluororeg_runs import run
from test_triangulation import POINTS, seen, views


def written(folder: Path, count: int = 3) -> tuple[list[object], np.ndarray, Path]:
    """Camera options, pixels and the CSV of five points in so many views."""
    cameras = views(0.0, 50.0, 90.0)[:count]
    options: list[object] = []
    for number, camera in enumerate(cameras, start=1):
        write_camera(folder / f"cam{number}.json", camera)
        options += ["--camera", folder / f"cam{number}.json"]
    pixels = seen(cameras)[:, :5]
    points = folder / "points.csv"
    write_points(points, pixels)
    return options, pixels, points


def write_points(path: Path, pixels: np.ndarray) -> None:
    columns = [f"cam{view}_{axis}" for view in range(1, len(pixels) + 1) for axis in "uv"]
    rows = [["" if np.isnan(x) else repr(float(x)) for x in row] for row in pixels.swapaxes(0, 1).reshape(5, -1)]
    lines = [["name", *columns], *([f"bead {n}", *row] for n, row in enumerate(rows))]
    path.write_text("\n".join(",".join(line) for line in lines), encoding="utf-8")


def test_points_come_as_table_json_and_csv(tmp_path: Path) -> None:
    options, pixels, points = written(tmp_path)
    pixels[2, 1] += [30.0, 40.0]
    pixels[0, 2] = np.nan
    pixels[:2, 3] = np.nan
    write_points(points, pixels)
    done = run("triangulate", points, *options, "--outlier", 1, "--out", tmp_path / "found.csv", "--json")
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)["points"]
    for n in (0, 1, 2, 4):
        np.testing.assert_allclose(found[n]["position_mm"], POINTS[n], atol=1e-5)
    assert found[1]["name"] == "bead 1" and found[1]["left_out"] == [3]
    assert found[1]["reprojection_px"][2] == pytest.approx(50, abs=0.01)
    assert found[2]["reprojection_px"][0] is None and found[3]["position_mm"] is None
    with (tmp_path / "found.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["x_mm"]) == pytest.approx(POINTS[0, 0], abs=1e-3) and rows[3]["x_mm"] == ""
    assert rows[1]["left_out"] == "cam3" and float(rows[0]["std_x_mm"]) > 0
    table = run("triangulate", points, *options, "--outlier", 1)
    assert table.code == 0 and "bead 4" in table.stdout and "view 3" in table.stdout


def test_a_distortion_that_a_camera_file_tells_of_is_undone(tmp_path: Path) -> None:
    options, pixels, points = written(tmp_path, 2)
    bent = BrownDistortion((9.0, 0.0, 0.0), (0.0, 0.001), (2500.0, 2500.0), (399.5, 399.5))
    pixels[0] = bent.distorted(pixels[0])
    pixels[1, 4] = np.nan
    write_points(points, pixels)
    straight = run("triangulate", points, *options, "--json")
    assert json.loads(straight.stdout)["mean_reprojection_px"] > 0.3
    write_camera(tmp_path / "cam1.json", views(0.0)[0], (), bent)
    done = run("triangulate", points, *options, "--json")
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["mean_reprojection_px"] < 1e-5 and found["points"][4]["position_mm"] is None
    for n in range(4):
        np.testing.assert_allclose(found["points"][n]["position_mm"], POINTS[n], atol=1e-5)
    write_camera(tmp_path / "cam1.json", views(0.0)[0], (), replace(bent, radial=(-400.0, 0.0, 0.0)))
    refused = run("triangulate", points, *options)
    assert refused.code == 2 and "cam1.json: its distortion folds the image over" in " ".join(refused.stderr.split())


def test_a_camera_of_another_study_is_warned_of(tmp_path: Path) -> None:
    options, _pixels, points = written(tmp_path, 2)
    right = run("triangulate", points, *options, "--json")
    assert json.loads(right.stdout)["fits"] and "Warning" not in right.stderr
    # Its C-arm stood 20 mm farther along the patient.
    moved = np.eye(4)
    moved[2, 3] = 20
    write_camera(tmp_path / "cam2.json", views(50.0)[0].moved(moved))
    wrong = run("triangulate", points, *options, "--json")
    assert wrong.code == 0 and not json.loads(wrong.stdout)["fits"]
    assert "fit the views badly" in " ".join(wrong.stderr.split())


def test_what_cannot_be_triangulated_is_refused_with_a_remedy(tmp_path: Path) -> None:
    options, pixels, points = written(tmp_path, 2)

    def refused(*arguments: object) -> str:
        done = run("triangulate", *arguments)
        assert done.code == 2 and done.stdout == ""
        return " ".join(done.stderr.split())

    assert "two views are needed" in refused(points, *options[:2])
    assert "has no column cam3_u, cam3_v" in refused(points, *options, *options[:2])
    assert "is no length" in refused(points, *options, "--sigma", 0)
    assert "would be overwritten" in refused(points, *options, "--out", points)
    assert "cannot be read" in refused(tmp_path / "none.csv", *options)
    half = pixels.copy()
    half[1, 2, 0] = np.nan
    write_points(points, half)
    assert "row 3 gives one coordinate of cam2" in refused(points, *options)
    points.write_text(points.read_text(encoding="utf-8").replace("bead 0,", "bead 0,x"), encoding="utf-8")
    assert "row 1, column cam1_u" in refused(points, *options) and "is no number" in refused(points, *options)
    # The second camera's axes as another convention has them: what both see lies behind it.
    write_points(points, pixels)
    camera = views(50.0)[0]
    turned = np.diag([-1.0, 1.0, -1.0, 1.0]) @ camera.camera_from_world
    write_camera(tmp_path / "cam2.json", replace(camera, camera_from_world=turned))
    mirrored = pixels.copy()
    mirrored[1, :, 0] = 799 - pixels[1, :, 0]
    mirrored[1, :, 1] = 799 - pixels[1, :, 1]
    write_points(points, mirrored)
    assert "flipped axes" in refused(points, *options) and "calibration check" in refused(points, *options)
