"""The pose from points against the pose that made them, with wrong pixels, any camera, and its stated uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.geometry.resection import resected

POINTS = np.random.default_rng(1).uniform([-60, -80, -90], [60, 80, 90], (40, 3))
# Where covariances speak of: not the points' centroid.
CENTRE = np.array([10.0, -20.0, 30.0])


def view(angle: float, distance: float = 700.0) -> PinholeCamera:
    return c_arm_camera(
        source_detector_distance=distance + 400,
        source_object_distance=distance,
        pixel_spacing=(0.4, 0.4),
        size=(1000, 1000),
        primary_angle_deg=angle,
    )


def slit() -> ScanningSlitCamera:
    """A lateral scout: the source at the patient's right (x = +570 mm), rows along the table."""
    rotation = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
    camera_from_world = rigid.rigid(rotation, -rotation @ [570.0, 0.0, 0.0])
    return ScanningSlitCamera(camera_from_world, (500, 500), (0.6, 0.5), (250.0, 250.0), 570.0, 1040.0)


def pose_of(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    axis = random.normal(size=3)
    rotation = rigid.rotation_exp(axis / np.linalg.norm(axis) * random.uniform(0, np.pi))
    return rigid.rigid(rotation, random.normal(scale=20, size=3))


def seen(cameras: list[Camera], pose: np.ndarray, points: np.ndarray = POINTS) -> np.ndarray:
    return np.stack([camera.project(rigid.transform_points(pose, points)) for camera in cameras])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cameras", [[view(0.0)], [view(0.0), view(90.0)], [slit()], [slit(), view(180.0)]])
def test_exact_pixels_give_the_exact_pose(cameras: list[Camera], seed: int) -> None:
    found = resected(cameras, seen(cameras, pose_of(seed)), POINTS)
    np.testing.assert_allclose(found.pose, pose_of(seed), atol=1e-6)
    assert found.used.all() and found.rms < 1e-6 and found.ambiguity < 0.1 and found.scale == 1


def test_four_points_are_enough_and_three_are_not() -> None:
    pixels = seen([view(0.0)], pose_of(3))
    pixels[0, 4:] = np.nan
    np.testing.assert_allclose(resected([view(0.0)], pixels, POINTS).pose, pose_of(3), atol=1e-6)
    pixels[0, 3] = np.nan
    with pytest.raises(InputError, match=r"3 of them are known.*at least 4"):
        resected([view(0.0)], pixels, POINTS)


@pytest.mark.parametrize("angles", [(0.0,), (0.0, 90.0)])
def test_wrong_pixels_are_found_and_left_out(angles: tuple[float, ...]) -> None:
    cameras, random = [view(angle) for angle in angles], np.random.default_rng(4)
    pixels = seen(cameras, pose_of(2)) + random.normal(scale=2.0, size=(len(angles), len(POINTS), 2))
    wrong = random.random(pixels.shape[:2]) < 0.4
    pixels[wrong] += random.uniform(60, 300, (int(wrong.sum()), 2))
    pixels[0, 7] = np.nan
    found = resected(cameras, pixels, POINTS, sigma_px=2.0)
    right = ~wrong
    right[0, 7] = False
    np.testing.assert_array_equal(found.used, right)
    assert np.degrees(rigid.angle_between(found.pose, pose_of(2))) < 1
    assert (found.reprojection[wrong & found.seen] > 40).all() and np.isnan(found.reprojection[0, 7])
    assert found.points_used == right.any(axis=0).sum() and 1 < found.rms < 4


@pytest.mark.parametrize("angles", [(0.0,), (0.0, 90.0)])
def test_the_stated_covariance_is_what_errors_of_pixels_and_points_do(angles: tuple[float, ...]) -> None:
    cameras, random = [view(angle) for angle in angles], np.random.default_rng(5)
    # Elongated and tilted: detectors know some landmarks only along an edge. And points are off by 2 mm in the CT.
    root = np.array([[4.0, 1.0], [0.0, 1.5]])
    covariance = np.broadcast_to(root @ root.T, (len(cameras), len(POINTS), 2, 2))
    squared = []
    for seed in range(60):
        truth = pose_of(seed)
        real = POINTS + random.normal(scale=2.0, size=POINTS.shape)
        pixels = seen(cameras, truth, real) + random.normal(size=(len(cameras), len(POINTS), 2)) @ root.T
        found = resected(cameras, pixels, POINTS, pixel_covariance=covariance, point_std_mm=2.0, centre=CENTRE)
        error = rigid.increment_between(found.centre, truth, found.pose)
        squared.append(error @ np.linalg.solve(found.covariance, error))
        np.testing.assert_allclose(found.centre, rigid.transform_points(found.pose, [CENTRE])[0])
    # Mahalanobis distances squared of six numbers: their mean is 6, here ± 0.45.
    assert abs(np.mean(squared) - 6) < 1.3


def test_a_detector_that_overstates_its_accuracy_is_found_out() -> None:
    pixels = seen([view(0.0)], pose_of(1)) + np.random.default_rng(6).normal(scale=4.0, size=(1, len(POINTS), 2))
    modest, boasting = (resected([view(0.0)], pixels, POINTS, sigma_px=sigma) for sigma in (4.0, 2.0))
    assert modest.scale == 1 and 1.5 < boasting.scale < 2.5
    np.testing.assert_allclose(boasting.std, modest.std, rtol=0.25)


def test_a_plane_seen_from_afar_may_be_tilted_either_way_and_this_is_told() -> None:
    flat, camera = POINTS * [1.0, 1.0, 0.0], view(0.0, distance=20000.0)
    tilt = rigid.rotation_exp(np.radians([0.0, 0.0, 35.0])) @ rigid.rotation_exp(np.radians([90.0, 0.0, 0.0]))
    truth = rigid.rigid(tilt @ rigid.rotation_exp(np.radians([25.0, 0.0, 0.0])), np.zeros(3))
    pixels = seen([camera], truth, flat) + np.random.default_rng(7).normal(scale=1.0, size=(1, len(flat), 2))
    found = resected([camera], pixels, flat)
    assert found.ambiguity > 0.8 and found.rival is not None
    off = [np.degrees(rigid.angle_between(pose, truth)) for pose in (found.pose, found.rival)]
    assert min(off) < 4 and max(off) > 20
    # Points that are no plane leave no doubt.
    assert resected([camera], seen([camera], truth), POINTS).ambiguity < 0.1


def test_mirrored_points_do_not_pass_for_the_true_ones() -> None:
    pixels = seen([view(0.0)], pose_of(0))
    wrong = resected([view(0.0)], pixels, POINTS * [-1.0, 1.0, 1.0])
    assert wrong.used.mean() < 0.5 and wrong.scale > 2
    assert wrong.cost > resected([view(0.0)], pixels, POINTS).cost + 500


def test_points_along_a_line_and_views_with_two_each_are_refused() -> None:
    line = np.outer(np.linspace(-80, 80, 8), [0.6, 0.0, 0.8])
    with pytest.raises(InputError, match="one line"):
        resected([view(0.0)], seen([view(0.0)], pose_of(0), line), line)
    cameras = [view(0.0), view(45.0), view(90.0)]
    pixels = np.full((3, 6, 2), np.nan)
    for number in range(3):
        pixels[number, 2 * number : 2 * number + 2] = 500.0
    with pytest.raises(InputError, match="no X-ray shows three"):
        resected(cameras, pixels, POINTS[:6])


def test_points_behind_a_source_are_told() -> None:
    cameras = [view(0.0), view(90.0)]
    # As if an axis of the calibration pointed the other way: the second source looks away from the points.
    turned = np.diag([-1.0, 1.0, -1.0, 1.0]) @ cameras[1].camera_from_world
    away = PinholeCamera(cameras[1].intrinsic, turned, cameras[1].size)
    there = rigid.transform_points(pose_of(0), POINTS)
    image = np.einsum("nj,ij->ni", np.c_[there, np.ones(len(there))], away.projection_matrix)
    pixels = np.stack([cameras[0].project(there), image[:, :2] / image[:, 2:]])
    with pytest.raises(InputError, match="behind the source of X-ray 2"):
        resected([cameras[0], away], pixels, POINTS)


def test_pixels_that_are_all_one_have_no_pose() -> None:
    with pytest.raises(InputError, match="pixels"):
        resected([view(0.0)], np.full((1, len(POINTS), 2), 400.0), POINTS)


def test_bad_shapes_and_covariances_are_refused() -> None:
    pixels = seen([view(0.0)], pose_of(0))
    with pytest.raises(ValueError, match="pixels of shape"):
        resected([view(0.0)], pixels[0], POINTS)
    with pytest.raises(ValueError, match="positive definite"):
        resected([view(0.0)], pixels, POINTS, pixel_covariance=np.zeros((1, len(POINTS), 2, 2)))
    with pytest.raises(ValueError, match="point_std_mm"):
        resected([view(0.0)], pixels, POINTS, point_std_mm=-1.0)
