"""Real dual fluoroscopy: its own cameras fit its beads, those of another study are told, its files round-trip."""

from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.command_line.calibration import app
from DiffRegistrationLib.xray.files.camera_files import read_camera
from DiffRegistrationLib.xray.files.camera_writing import write_camera_as
from DiffRegistrationLib.xray.files.point_files import read_seen_points
from DiffRegistrationLib.xray.geometry.calibration_check import calibration_check
from typer.testing import CliRunner

pytestmark = pytest.mark.real


def wrist_files(data: Path) -> list[Path]:
    return [data / "wrist_biplane" / f"xr_calib_wrist_cam0{number}.txt" for number in (1, 2)]


def knee_files(data: Path) -> list[Path]:
    return [data / "knee_biplane" / f"xr_calib_left_knee_cam0{number}.txt" for number in (1, 2)]


def beads(data: Path) -> np.ndarray:
    return read_seen_points(data / "wrist_biplane" / "beads_frame0099.csv", 2).pixels


def test_the_wrist_s_cameras_fit_its_beads(real_data):
    found = calibration_check([read_camera(path).camera for path in wrist_files(real_data)], beads(real_data))
    (pair,) = found.pairs
    assert found.fits and pair.geometry.count == 12 and pair.geometry.behind == 0
    assert pair.geometry.median < 0.3 and pair.geometry.maximum < 0.5


@pytest.mark.parametrize("replaced", [0, 1])
def test_a_knee_s_camera_beside_the_wrist_s_is_told(real_data, replaced):
    files = wrist_files(real_data)
    files[replaced] = knee_files(real_data)[replaced]
    found = calibration_check([read_camera(path).camera for path in files], beads(real_data))
    assert not found.fits and not found.explanations
    assert found.pairs[0].geometry.median > 100 and "different studies" in found.verdict
    points = real_data / "wrist_biplane" / "beads_frame0099.csv"
    done = CliRunner().invoke(app, ["check", *map(str, files), "--points", str(points)])
    assert done.exit_code == 1 and "do not belong together" in " ".join(done.stdout.split())


def test_the_wrist_s_own_mistakes_are_told_as_they_are(real_data):
    cameras = [read_camera(path).camera for path in wrist_files(real_data)]
    lps = calibration_check([cameras[0], cameras[1].moved(np.diag([-1.0, -1, 1, 1]))], beads(real_data))
    assert "the world of view 2 is LPS" in lps.verdict
    upside_down = beads(real_data)
    upside_down[1, :, 1] = 1759 - upside_down[1, :, 1]
    assert "the image of view 2 is upside down" in calibration_check(cameras, upside_down).verdict
    assert "stand in each other's place" in calibration_check(cameras[::-1], beads(real_data)).verdict


@pytest.mark.parametrize("format_name", ["json", "mayacam2", "projection-matrix"])
def test_real_cameras_survive_a_round_trip(real_data, tmp_path, format_name):
    points = np.random.default_rng(0).uniform([100, 130, 90], [140, 170, 130], (50, 3))
    for path in (*wrist_files(real_data), *knee_files(real_data)):
        camera = read_camera(path).camera
        write_camera_as(tmp_path / path.name, camera, format_name)
        again = read_camera(tmp_path / path.name, size=(1760, 1760)).camera
        np.testing.assert_allclose(again.project(points), camera.project(points), rtol=0, atol=1e-6)
