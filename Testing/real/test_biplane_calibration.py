"""Real dual-fluoroscopy calibrations against beads that were picked in both views."""

import csv

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import read_camera
from DiffRegistrationLib.xray.files.point_files import read_seen_points
from DiffRegistrationLib.xray.geometry.triangulation import triangulate

pytestmark = pytest.mark.real


@pytest.mark.parametrize("number", [1, 2])
def test_beads_project_to_where_they_were_picked(real_data, number):
    folder = real_data / "wrist_biplane"
    camera = read_camera(folder / f"xr_calib_wrist_cam0{number}.txt", size=(1760, 1760)).camera
    with (folder / "beads_frame0099.csv").open() as file:
        beads = list(csv.DictReader(file))
    points = np.array([[float(bead[axis]) for axis in ("X_mm", "Y_mm", "Z_mm")] for bead in beads])
    picked = np.array([[float(bead[f"cam{number}_{axis}"]) for axis in "uv"] for bead in beads])
    assert len(beads) == 12
    assert np.linalg.norm(camera.project(points) - picked, axis=1).max() < 0.3


def test_a_calibration_of_other_images_is_refused(real_data):
    with pytest.raises(InputError, match="1760 rows × 1760 columns"):
        read_camera(real_data / "knee_biplane" / "xr_calib_left_knee_cam01.txt", size=(1024, 1024))


def test_picked_beads_triangulate_to_a_fifth_of_a_pixel(real_data):
    folder = real_data / "wrist_biplane"
    cameras = [read_camera(folder / f"xr_calib_wrist_cam0{number}.txt").camera for number in (1, 2)]
    beads = read_seen_points(folder / "beads_frame0099.csv", 2)
    found = triangulate(cameras, beads.pixels)
    assert found.found.sum() == 12 and found.mean_reprojection <= 0.2
    with (folder / "beads_frame0099.csv").open() as file:
        known = np.array([[float(bead[axis]) for axis in ("X_mm", "Y_mm", "Z_mm")] for bead in csv.DictReader(file)])
    # Published to hundredths of a millimetre.
    assert np.abs(found.points - known).max() < 0.011
