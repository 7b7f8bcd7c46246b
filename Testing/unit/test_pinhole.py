"""The cone-beam camera: pixels, rays, and what becomes of them when the image is cut, binned or resampled."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid

POINTS = np.array([[10.0, -25.0, 8.0], [-60.0, 12.0, 40.0], [0.0, 0.0, 0.0], [33.0, 70.0, -51.0]])


@pytest.fixture
def camera() -> PinholeCamera:
    """Non-square pixels, off-centre principal point, oblique pose: nothing that hides a swap."""
    pose = rigid.rigid(rigid.rotation_exp([0.4, -1.1, 0.3]), [12.0, -30.0, 800.0])
    return PinholeCamera.from_distances(1200.0, (0.5, 0.3), (400, 700), pose, principal_point=(310.25, 190.5))


def test_projection_is_k_r_t(camera):
    homogeneous = np.column_stack([POINTS, np.ones(4)]) @ camera.projection_matrix.T
    np.testing.assert_allclose(camera.project(POINTS), homogeneous[:, :2] / homogeneous[:, 2:], atol=1e-10)


def test_a_step_on_the_detector_is_a_pixel_times_its_spacing():
    camera = PinholeCamera.from_distances(1000.0, (0.5, 0.2), (100, 200), np.eye(4), principal_point=(20.0, 30.0))
    np.testing.assert_allclose(
        camera.project([[0.0, 0, 1000], [0.2, 0, 1000], [0, 0.5, 1000], [0.2, 0, 500]]) - [20.0, 30.0],
        [[0, 0], [1, 0], [0, 1], [2, 0]],
        atol=1e-12,
    )
    assert camera.source_detector_distance == pytest.approx(1000.0)
    assert camera.pixel_footprint_mm(np.array([5.0, 5.0, 500.0])) == pytest.approx(0.5 * np.sqrt(0.5 * 0.2))


def test_back_projection_undoes_projection_at_every_depth(camera):
    depth = rigid.transform_points(camera.camera_from_world, POINTS)[:, 2]
    np.testing.assert_allclose(camera.back_project(camera.project(POINTS), depth), POINTS, atol=1e-10)


def test_rays_start_at_the_source_and_pass_through_what_projects_to_their_pixel(camera):
    rays = camera.rays(camera.project(POINTS))
    np.testing.assert_allclose(rays.source, np.tile(camera.source, (4, 1)))
    direction = (rays.target - rays.source) / np.linalg.norm(rays.target - rays.source, axis=1)[:, None]
    np.testing.assert_allclose(np.cross(POINTS - rays.source, direction), 0, atol=1e-9)
    on_detector = rigid.transform_points(camera.camera_from_world, rays.target)
    np.testing.assert_allclose(on_detector[:, 2], 1200.0)


def test_all_rays_come_row_by_row(camera):
    rays = camera.rays()
    assert len(rays) == 400 * 700
    np.testing.assert_allclose(
        camera.project(rays.target[[0, 1, 700, -1]]), [[0, 0], [1, 0], [0, 1], [699, 399]], atol=1e-9
    )


def test_points_behind_the_source_have_no_pixel(camera):
    assert np.isnan(camera.project(camera.back_project(np.array([[5.0, 5.0]]), -10.0))).all()


def test_cropping_shifts_pixels(camera):
    moved = camera.cropped(40, 100, (50, 60))
    assert moved.size == (50, 60)
    assert moved.pixel_spacing == pytest.approx(camera.pixel_spacing)
    np.testing.assert_allclose(moved.project(POINTS), camera.project(POINTS) - [100, 40], atol=1e-10)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_binning_keeps_pixel_edges_in_place(camera, factor):
    binned = camera.binned(factor)
    assert binned.size == (400 // factor, 700 // factor)
    np.testing.assert_allclose(binned.project(POINTS) + 0.5, (camera.project(POINTS) + 0.5) / factor, atol=1e-10)
    assert binned.source_detector_distance == pytest.approx(1200.0)


def test_resampling_keeps_the_field_of_view(camera):
    resampled = camera.resampled((100, 350))
    np.testing.assert_allclose(
        (resampled.project(POINTS) + 0.5) / [350, 100], (camera.project(POINTS) + 0.5) / [700, 400], atol=1e-10
    )
    assert resampled.pixel_spacing == pytest.approx((2.0, 0.6))


def test_a_blob_stays_where_the_binned_camera_says():
    """Centre of mass of a real binned image: a lost half pixel would show as 1/2 − 1/(2·factor)."""
    camera = PinholeCamera.from_distances(1000.0, (0.4, 0.4), (120, 160), rigid.rigid(np.eye(3), [3.7, -5.2, 700.0]))
    point = np.zeros((1, 3))
    u, v = camera.project(point)[0]
    y, x = np.mgrid[0:120, 0:160]
    image = np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * 6.0**2))
    for factor in (2, 4, 5):
        binned = image.reshape(120 // factor, factor, 160 // factor, factor).mean(axis=(1, 3))
        by, bx = np.mgrid[0 : binned.shape[0], 0 : binned.shape[1]]
        centre = [(bx * binned).sum() / binned.sum(), (by * binned).sum() / binned.sum()]
        np.testing.assert_allclose(camera.binned(factor).project(point)[0], centre, atol=1e-6)


def test_moving_camera_and_points_together_changes_no_pixel(camera):
    motion = rigid.exp([0.5, -0.3, 0.8, 100.0, -200.0, 30.0])
    np.testing.assert_allclose(
        camera.moved(motion).project(rigid.transform_points(motion, POINTS)), camera.project(POINTS), atol=1e-9
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"intrinsic": np.diag([-1000.0, 1000.0, 1.0])},
        {"intrinsic": np.diag([1000.0, 1000.0, 2.0])},
        {"intrinsic": np.diag([1000.0, np.nan, 1.0])},
        {"camera_from_world": np.diag([1.0, -1.0, 1.0, 1.0])},
        {"size": (0, 10)},
        {"pixel_spacing": (0.0, 0.4)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_no_camera_is_refused(wrong):
    right = {"intrinsic": np.diag([1000.0, 1000.0, 1.0]), "camera_from_world": np.eye(4), "size": (10, 10)}
    PinholeCamera(**right)
    with pytest.raises(ValueError):
        PinholeCamera(**{**right, **wrong})


def test_nobody_can_change_a_camera_behind_its_back(camera):
    with pytest.raises(ValueError):
        camera.intrinsic[0, 0] = 1.0
