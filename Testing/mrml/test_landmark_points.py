"""Landmarks of a frame in space: triangulated with each pixel's own error, from one view, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.geometry import ScanningSlitCamera, rigid
from LandmarkDetectionLib.mrml.study_points import Source, study_points
from made_up_landmarks import NAMES, c_arm, detections, world_points

CAMERAS = [c_arm(0.0, (200, 260), (1.4, 1.4)), c_arm(90.0, (200, 260), (1.4, 1.4))]
NOSE = NAMES.index("anterior nasal spine")


def found_by(cameras: list, sigma_px: float = 0.0, seed: int = 0) -> list:
    return [detections(camera, world_points(), seed + n, sigma_px) for n, camera in enumerate(cameras)]


def test_exact_pixels_give_the_true_points_and_no_residual() -> None:
    points = study_points(found_by(CAMERAS), CAMERAS, [False, False])
    seen = points.is_triangulated
    assert seen.sum() > 40 and set(points.how) <= {Source.TRIANGULATED, Source.ONE_VIEW}
    np.testing.assert_allclose(points.points, world_points(), atol=1e-6)
    assert points.residual_px[:, seen].max() < 1e-6 and points.mean_residual_mm < 1e-6
    assert np.isnan(points.residual_mm[:, ~seen]).all()
    assert points.used[:, seen].all() and (points.used[:, ~seen].sum(axis=0) == 1).all()
    assert points.is_sure[seen].all() and not points.is_sure[~seen].any() and not points.outliers.any()


def test_the_error_that_is_told_is_the_one_that_each_pixels_noise_makes() -> None:
    """One axis of one view is five times worse than the rest: the weights must know."""
    random = np.random.default_rng(3)
    sigma = np.array([[0.3, 0.3], [0.3, 1.5]])
    squared, plain = [], []
    for _ in range(40):
        views = []
        for camera, deviation in zip(CAMERAS, sigma, strict=True):
            one = detections(camera, world_points(), sigma_px=0.0)
            pixels = one.pixels + random.normal(size=one.pixels.shape) * deviation
            covariance = np.tile(np.diag(deviation**2), (len(NAMES), 1, 1))
            views.append(replace(one, network_pixels=pixels, network_covariance=covariance))
        points = study_points(views, CAMERAS, [False, False])
        there = points.is_triangulated
        error, stated = (points.points - world_points())[there], points.covariance[there]
        squared.append(np.einsum("ni,nij,nj->n", error, np.linalg.inv(stated), error))
        # Both views see how high a point is; the sharp one must be believed.
        plain.append(error[:, 2])
    assert abs(np.concatenate(squared).mean() - 3) < 0.15
    assert np.concatenate(plain).std() < 0.4


def test_what_is_switched_off_takes_no_part_and_the_other_view_has_the_point_alone() -> None:
    off = [{NAMES[NOSE]}, set()]
    points = study_points(found_by(CAMERAS), CAMERAS, [False, False], off)
    assert points.how[NOSE] is Source.ONE_VIEW and points.used[:, NOSE].tolist() == [False, True]
    neither = study_points(found_by(CAMERAS), CAMERAS, [False, False], [off[0], off[0]])
    assert neither.how[NOSE] is Source.NONE and np.isnan(neither.points[NOSE]).all()
    assert not neither.is_known[NOSE] and neither.is_known.sum() == len(NAMES) - 1


def test_a_view_without_true_geometry_says_nothing_of_space() -> None:
    views = found_by(CAMERAS)
    flat = study_points(views, CAMERAS, [False, True])
    assert not flat.is_triangulated.any() and not flat.used[1].any()
    np.testing.assert_allclose(flat.points, world_points(), atol=1e-6)
    for nothing in (
        study_points(views, CAMERAS, [True, True]),
        study_points(views, [None, None], [False, False]),
        study_points([None, None], CAMERAS, [False, False]),
    ):
        assert not nothing.is_known.any() and set(nothing.how) == {Source.NONE}
        assert np.isnan(nothing.mean_residual_mm) and not nothing.is_sure.any()


def test_views_that_contradict_each_other_are_told_and_of_three_the_wrong_one_is_left_out() -> None:
    views = found_by(CAMERAS, 0.3)
    moved = views[1].network_pixels.copy()
    moved[NOSE, 1] += 12.0
    views[1] = replace(views[1], network_pixels=moved)
    points = study_points(views, CAMERAS, [False, False])
    assert points.outliers[NOSE] and not points.is_sure[NOSE] and points.outliers.sum() <= 2
    cameras = [*CAMERAS, c_arm(45.0, (200, 260), (1.4, 1.4))]
    three = study_points([*views, detections(cameras[2], world_points(), 9, 0.3)], cameras, [False] * 3)
    assert three.used[:, NOSE].tolist() == [True, False, True] and not three.outliers[NOSE]
    assert three.residual_px[1, NOSE] > 8
    assert np.linalg.norm(three.points[NOSE] - world_points()[NOSE]) < 2


def test_where_a_ct_was_registered_its_landmarks_are_triangulated_not_the_networks() -> None:
    views = [replace(one, is_registered=True, network_pixels=one.pixels + 7.0) for one in found_by(CAMERAS)]
    np.testing.assert_allclose(study_points(views, CAMERAS, [False, False]).points, world_points(), atol=1e-6)


def test_points_of_a_scanning_camera_are_its_middle_rows() -> None:
    pose = rigid.exp([1.2, 0.4, 0.1, 10.0, 20.0, 600.0])
    slit = ScanningSlitCamera(pose, (200, 300), (0.9, 0.8), (140.0, 60.0), 560.0, 1010.0)
    one = detections(CAMERAS[0], world_points(), sigma_px=0.0)
    # As the detector has them: in the frame of the pinhole camera that stands for the slit's.
    shift = np.eye(4)
    shift[1, 3] = (60.0 - 99.5) * 0.9
    one = replace(one, camera_points=rigid.transform_points(shift @ pose, world_points()))
    points = study_points([one], [slit], [False])
    np.testing.assert_allclose(points.points, world_points(), atol=1e-6)


@pytest.mark.parametrize("sure", [True, False])
def test_only_a_view_that_is_sure_of_its_head_makes_points_sure(sure: bool) -> None:
    views = [replace(one, is_sure=sure) for one in found_by(CAMERAS)]
    assert study_points(views, CAMERAS, [False, False]).is_sure.any() == sure
