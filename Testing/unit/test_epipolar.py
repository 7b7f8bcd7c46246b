"""Whether cameras belong together: epipolar distances worked out by hand, and each mistake of a file told as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.geometry.calibration_check import calibration_check
from DiffRegistrationLib.xray.geometry.epipolar import (
    fundamental_matrix,
    pair_geometry,
    symmetric_epipolar_distance,
)
from test_triangulation import seen, views

K = np.array([[2000.0, 0, 400.0], [0, 2000.0, 300.0], [0, 0, 1]])


def side_by_side() -> tuple[PinholeCamera, PinholeCamera]:
    """Two cameras that look along z, the second 100 mm to the right: epipolar lines are rows of the image."""
    return (
        PinholeCamera(K, np.eye(4), (600, 800)),
        PinholeCamera(K, rigid.rigid(np.eye(3), [-100.0, 0, 0]), (600, 800)),
    )


def oblique(count: int = 2) -> list[PinholeCamera]:
    """Views as real ones are: tilted, off-centre, of oblong pixels, so that no flip leaves them as they were."""
    cameras = views(10.0, 75.0, 140.0)[:count]
    off_centre = np.array([[1, 0.0, 37.0], [0, 1.03, -52.0], [0, 0, 1]])
    tilts = [rigid.rigid(rigid.rotation_exp([0.2 + 0.1 * n, 0.05, -0.1 * n]), [0.0, 0, 0]) for n in range(3)]
    return [
        replace(camera.moved(tilt), intrinsic=off_centre @ camera.intrinsic)
        for camera, tilt in zip(cameras, tilts, strict=False)
    ]


def test_side_by_side_a_point_is_as_far_off_as_its_row() -> None:
    first, second = side_by_side()
    F = fundamental_matrix(first, second)
    np.testing.assert_allclose(np.abs(F / np.abs(F).max()), [[0, 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-9)
    points = np.array([[10.0, -20.0, 700.0], [-40.0, 5.0, 900.0], [0.0, 30.0, 800.0]])
    p1, p2 = first.project(points), second.project(points)
    p2 += [[7.0, 0.0], [-50.0, 3.0], [4.0, -0.5]]
    np.testing.assert_allclose(symmetric_epipolar_distance(F, p1, p2), [0, 3, 0.5], atol=1e-9)
    np.testing.assert_allclose(symmetric_epipolar_distance(F.T, p2, p1), [0, 3, 0.5], atol=1e-9)


def test_both_distances_count_where_the_images_differ_in_scale() -> None:
    first, second = side_by_side()
    second = replace(second, intrinsic=np.diag([3.0, 3.0, 1]) @ K)
    points = np.array([[10.0, -20.0, 700.0]])
    off = second.project(points) + np.array([0.0, 6.0])
    # 6 px in the second image are 2 px in the first, whose pixels are three times as large.
    geometry = pair_geometry(first, second, first.project(points), off)
    assert geometry.median == pytest.approx(np.sqrt((6**2 + 2**2) / 2))


def test_cameras_that_belong_together_fit_and_odd_points_are_mentioned() -> None:
    cameras = oblique(3)
    pixels = seen(cameras, 0.3)
    pixels[2, :10] = np.nan
    found = calibration_check(cameras, pixels)
    assert found.fits and not found.explanations
    assert [(pair.first, pair.second, pair.geometry.count) for pair in found.pairs] == [
        (0, 1, 50),
        (0, 2, 40),
        (1, 2, 40),
    ]
    assert all(pair.geometry.median < 0.5 and pair.geometry.behind == 0 for pair in found.pairs)
    assert "picked wrongly" not in found.verdict
    pixels[0, 3] += 40.0
    odd = calibration_check(cameras, pixels)
    assert odd.fits and "picked wrongly" in odd.verdict and odd.pairs[0].geometry.maximum > 10


def test_a_camera_of_another_study_is_told_without_a_guess() -> None:
    cameras = oblique()
    stranger = cameras[1].moved(rigid.exp([0.1, -0.2, 0.05, 40.0, -15.0, 30.0]))
    found = calibration_check([cameras[0], stranger], seen(cameras, 0.3))
    assert not found.fits and not found.explanations
    assert "do not belong together" in found.verdict and "different studies" in found.verdict


def wrong(change: str, camera: PinholeCamera) -> PinholeCamera:
    """The camera as a file with this mistake gives it."""
    E = camera.camera_from_world
    if change == "is LPS":
        return camera.moved(np.diag([-1.0, -1, 1, 1]))
    if change == "y up":
        return replace(camera, camera_from_world=np.diag([1.0, -1, -1, 1]) @ E)
    if change == "x left":
        return replace(camera, camera_from_world=np.diag([-1.0, 1, -1, 1]) @ E)
    if change == "is world from camera":
        return replace(camera, camera_from_world=rigid.inverse(E))
    return camera


@pytest.mark.parametrize("change", ["is LPS", "y up", "x left", "is world from camera"])
def test_a_camera_in_other_axes_is_told_as_it_is(change: str) -> None:
    cameras = oblique(3)
    found = calibration_check([cameras[0], wrong(change, cameras[1]), cameras[2]], seen(cameras, 0.3))
    assert not found.fits and "The cameras do not fit the points" in found.verdict
    assert "view 2" in found.explanations[0].words and change in found.explanations[0].words
    assert found.explanations[0].residual < 0.5 and found.explanations[0].words in found.verdict
    assert all("view 2" in one.words for one in found.explanations), "the third view tells which one is wrong"


def test_points_behind_a_source_are_counted_and_named() -> None:
    cameras = oblique()
    found = calibration_check([cameras[0], wrong("y up", cameras[1])], seen(cameras))
    assert "50 of 50 points lie behind the source of view 2" in found.verdict


@pytest.mark.parametrize(
    ("axes", "words"), [([1], "upside down"), ([0], "mirrored"), ([0, 1], "turned by 180°")], ids=str
)
def test_an_image_that_is_flipped_is_told(axes: list[int], words: str) -> None:
    cameras = oblique()
    pixels = seen(cameras, 0.3)
    for axis in axes:
        pixels[0, :, axis] = 799 - pixels[0, :, axis]
    found = calibration_check(cameras, pixels)
    assert not found.fits and words in found.explanations[0].words and "view 1" in found.explanations[0].words


def test_all_views_with_one_mistake_and_swapped_files_are_told() -> None:
    cameras = oblique()
    up = calibration_check([wrong("y up", camera) for camera in cameras], seen(cameras, 0.3))
    assert not up.fits and "camera of every view looks along −z with y up" in up.verdict
    swapped = calibration_check(cameras[::-1], seen(cameras, 0.3))
    assert "cameras 1 and 2 stand in each other's place" in swapped.verdict


def test_few_points_are_said_to_prove_little() -> None:
    cameras = oblique()
    assert "2 points prove little" in calibration_check(cameras, seen(cameras)[:, :2]).verdict


def test_what_cannot_be_checked_is_refused() -> None:
    cameras = oblique()
    slit = ScanningSlitCamera(np.eye(4), (800, 800), (0.5, 0.5), (400.0, 400.0), 570.0, 1040.0)
    with pytest.raises(InputError, match="camera 2: is a scanning slit"):
        calibration_check([cameras[0], slit], seen(cameras))
    with pytest.raises(InputError, match="have one source"):
        calibration_check([cameras[0], cameras[0]], seen(cameras))
    alone = seen(cameras)
    alone[0, :25], alone[1, 25:] = np.nan, np.nan
    with pytest.raises(InputError, match="none is shown by two views"):
        calibration_check(cameras, alone)
    with pytest.raises(ValueError, match="shape"):
        calibration_check(cameras, seen(cameras)[:1])
