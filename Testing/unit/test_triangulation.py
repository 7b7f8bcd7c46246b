"""Triangulated points against points that are known, and their stated uncertainty against what noise does."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.geometry.pinhole import PinholeCamera
from DiffRegistrationLib.xray.geometry.triangulation import triangulate

POINTS = np.random.default_rng(1).uniform(-60, 60, (50, 3))


def views(*angles: float) -> list[PinholeCamera]:
    return [
        c_arm_camera(
            source_detector_distance=1000.0,
            source_object_distance=700.0,
            pixel_spacing=(0.4, 0.4),
            size=(800, 800),
            primary_angle_deg=angle,
        )
        for angle in angles
    ]


def seen(cameras: list[PinholeCamera], sigma: float = 0.0, seed: int = 0) -> np.ndarray:
    exact = np.stack([camera.project(POINTS) for camera in cameras])
    return exact + np.random.default_rng(seed).normal(scale=sigma, size=exact.shape) if sigma else exact


@pytest.mark.parametrize("angles", [(0.0, 90.0), (0.0, 40.0), (0.0, 60.0, 100.0)])
def test_exact_pixels_give_exact_points(angles: tuple[float, ...]) -> None:
    cameras = views(*angles)
    found = triangulate(cameras, seen(cameras))
    np.testing.assert_allclose(found.points, POINTS, atol=1e-7)
    assert found.used.all() and found.mean_reprojection < 1e-7 and not found.behind.any()


def test_the_stated_covariance_is_what_noise_does() -> None:
    cameras, sigma = views(0.0, 30.0), 0.5
    errors, stated = [], []
    for seed in range(60):
        found = triangulate(cameras, seen(cameras, sigma, seed), sigma_px=sigma)
        errors.append(found.points - POINTS)
        stated.append(found.covariance)
    error, covariance = np.concatenate(errors), np.concatenate(stated)
    squared = np.einsum("ni,nij,nj->n", error, np.linalg.inv(covariance), error)
    # Mahalanobis distances squared of three numbers: their mean is 3, here ± 0.05.
    assert abs(squared.mean() - 3) < 0.2
    # Seen 30 degrees apart, depth is known several times worse than what lies across.
    assert np.sqrt(np.linalg.eigvalsh(covariance.mean(axis=0)))[[0, 2]] @ [-2.5, 1] > 0


def test_no_other_point_fits_the_pixels_better() -> None:
    cameras = views(0.0, 35.0, 80.0)
    pixels = seen(cameras, 2.0)
    found = triangulate(cameras, pixels)
    least = (found.reprojection**2).sum(axis=0)
    for move in np.random.default_rng(2).normal(scale=0.05, size=(20, 3)):
        images = np.stack([camera.project(found.points + move) for camera in cameras])
        assert (((pixels - images) ** 2).sum(axis=(0, 2)) > least).all()


def test_a_wrong_pixel_among_three_views_is_found_and_left_out() -> None:
    cameras = views(0.0, 50.0, 90.0)
    pixels = seen(cameras, 0.2)
    wrong = np.arange(0, 50, 7)
    pixels[2, wrong] += [15.0, -25.0]
    found = triangulate(cameras, pixels, outlier_px=2.0)
    assert not found.used[2, wrong].any() and found.used[:2].all() and found.used[2].sum() == 50 - len(wrong)
    assert np.linalg.norm(found.points - POINTS, axis=1).max() < 0.5
    assert (found.reprojection[2, wrong] > 20).all(), "how far off the left-out pixel lies is told"
    kept = triangulate(cameras, pixels)
    assert np.linalg.norm(kept.points - POINTS, axis=1)[wrong].min() > 0.5


def test_points_that_two_views_do_not_see_are_none() -> None:
    cameras = views(0.0, 50.0, 90.0)
    pixels = seen(cameras)
    pixels[0, :10] = np.nan
    pixels[:2, 10:20] = np.nan
    found = triangulate(cameras, pixels)
    assert found.found[:10].all() and not found.found[10:20].any() and found.found[20:].all()
    np.testing.assert_allclose(found.points[:10], POINTS[:10], atol=1e-7)
    assert np.isnan(found.covariance[10:20]).all() and not found.used[:, 10:20].any()


def test_rays_that_do_not_cross_give_no_point() -> None:
    (camera,) = views(0.0)
    found = triangulate([camera, camera], seen([camera, camera]))
    assert not found.found.any() and not found.behind.any()


def test_rays_that_cross_behind_a_source_are_told() -> None:
    cameras = views(0.0, 90.0)
    # As if an axis of the calibration pointed the other way: the second source looks away from the points.
    turned = np.diag([-1.0, 1.0, -1.0, 1.0]) @ cameras[1].camera_from_world
    away = PinholeCamera(cameras[1].intrinsic, turned, cameras[1].size)
    image = np.einsum("nj,ij->ni", np.c_[POINTS, np.ones(len(POINTS))], away.projection_matrix)
    found = triangulate([cameras[0], away], np.stack([cameras[0].project(POINTS), image[:, :2] / image[:, 2:]]))
    assert found.behind.all() and not found.found.any()


def test_bad_shapes_are_refused() -> None:
    cameras = views(0.0, 90.0)
    with pytest.raises(ValueError, match="two cameras"):
        triangulate(cameras[:1], seen(cameras)[:1])
    with pytest.raises(ValueError, match="shape"):
        triangulate(cameras, seen(cameras)[:1])
    with pytest.raises(ValueError, match="sigma_px"):
        triangulate(cameras, seen(cameras), sigma_px=0.0)
