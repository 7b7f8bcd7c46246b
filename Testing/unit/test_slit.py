"""The scanning slit of a CT localizer: a fan along x, parallel along y."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.geometry import ScanningSlitCamera, rigid

POINTS = np.array([[10.0, -25.0, 8.0], [-60.0, 12.0, 40.0], [0.0, 0.0, 0.0], [33.0, 70.0, -51.0]])


@pytest.fixture
def camera() -> ScanningSlitCamera:
    pose = rigid.rigid(rigid.rotation_exp([0.4, -1.1, 0.3]), [12.0, -30.0, 560.0])
    return ScanningSlitCamera(pose, (300, 500), (0.9, 0.5), (260.5, 140.0), 570.0, 1040.0)


def test_the_fan_magnifies_across_the_travel_and_not_along_it():
    camera = ScanningSlitCamera(np.eye(4), (100, 200), (0.8, 0.5), (100.0, 50.0), 500.0, 1000.0)
    pixels = camera.project([[0.0, 0, 500], [5, 0, 500], [5, 0, 1000], [0, 8, 500], [0, 8, 1000]])
    np.testing.assert_allclose(pixels - [100, 50], [[0, 0], [10, 0], [5, 0], [0, 10], [0, 10]], atol=1e-12)
    assert camera.pixel_footprint_mm(np.array([0.0, 0.0, 1000.0])) == pytest.approx(np.sqrt(1.0 * 0.8))


def test_back_projection_undoes_projection(camera):
    depth = rigid.transform_points(camera.camera_from_world, POINTS)[:, 2]
    np.testing.assert_allclose(camera.back_project(camera.project(POINTS), depth), POINTS, atol=1e-10)


def test_each_ray_has_its_row_s_source_and_passes_through_its_point(camera):
    pixels = camera.project(POINTS)
    rays = camera.rays(pixels)
    direction = (rays.target - rays.source) / np.linalg.norm(rays.target - rays.source, axis=1)[:, None]
    np.testing.assert_allclose(np.cross(POINTS - rays.source, direction), 0, atol=1e-9)
    in_camera = rigid.transform_points(camera.camera_from_world, rays.source)
    np.testing.assert_allclose(
        in_camera, np.column_stack([np.zeros(4), (pixels[:, 1] - 140) * 0.9, np.zeros(4)]), atol=1e-9
    )


def test_points_behind_the_source_line_have_no_pixel(camera):
    assert np.isnan(camera.project(camera.back_project(np.array([[5.0, 5.0]]), -10.0))).all()


def test_cropping_binning_and_resampling_keep_the_field_of_view(camera):
    pixels = camera.project(POINTS)
    np.testing.assert_allclose(camera.cropped(40, 100, (50, 60)).project(POINTS), pixels - [100, 40], atol=1e-10)
    np.testing.assert_allclose(camera.binned(3).project(POINTS) + 0.5, (pixels + 0.5) / 3, atol=1e-10)
    np.testing.assert_allclose(
        (camera.resampled((100, 250)).project(POINTS) + 0.5) / [250, 100], (pixels + 0.5) / [500, 300], atol=1e-10
    )
    assert camera.binned(3).size == (100, 166)
    assert camera.resampled((100, 250)).pixel_spacing == pytest.approx((2.7, 1.0))


def test_moving_camera_and_points_together_changes_no_pixel(camera):
    motion = rigid.exp([0.5, -0.3, 0.8, 100.0, -200.0, 30.0])
    np.testing.assert_allclose(
        camera.moved(motion).project(rigid.transform_points(motion, POINTS)), camera.project(POINTS), atol=1e-9
    )


@pytest.mark.parametrize(("sod", "sdd"), [(0.0, 1000.0), (600.0, 500.0), (-1.0, 500.0)])
def test_distances_that_cannot_be_are_refused(sod, sdd):
    with pytest.raises(ValueError, match="distance"):
        ScanningSlitCamera(np.eye(4), (10, 10), (1.0, 1.0), (5.0, 5.0), sod, sdd)
