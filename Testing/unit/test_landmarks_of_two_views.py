"""A head placed by the landmarks of two views: point by point in space, or all pixels together."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from DiffRegistrationLib.registration.landmark_start import CTLandmarks, SeenLandmarks, resected_landmarks
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, rigid
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, head, truth
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.atlas.landmark_set import LandmarkStatus
from LandmarkDetectionLib.detection.named_landmarks import known_in
from LandmarkDetectionLib.evaluation.closed_field import closed_to
from LandmarkDetectionLib.evaluation.dual_fluoroscopy import landmarks_in
from LandmarkDetectionLib.evaluation.triangulated_fit import pose_from_triangulated

CAMERAS: list[Camera] = [camera(), camera(80.0)]


@cache
def known() -> CTLandmarks:
    return known_in(phantom_head(4.0).landmarks)


def seen(sigma_px: float, wrong: int = 0, seed: int = 0) -> list[SeenLandmarks]:
    """Both views' landmarks with noise, of which so many lie somewhere else in the first."""
    random, views = np.random.default_rng(seed), []
    for number, view in enumerate(CAMERAS):
        pixels = view.project(rigid.transform_points(truth(), known().points))
        pixels = pixels + random.normal(scale=sigma_px, size=pixels.shape)
        if number == 0:
            pixels[:wrong] += 30
        views.append(SeenLandmarks.marked(known().names, pixels, max(sigma_px, 0.1)))
    return views


def off(pose: np.ndarray) -> float:
    """Mean distance (mm) of landmarks from where they are."""
    places = [rigid.transform_points(one, known().points) for one in (pose, truth())]
    return float(np.linalg.norm(places[0] - places[1], axis=1).mean())


def test_exact_pixels_give_the_pose_either_way() -> None:
    assert off(pose_from_triangulated(known(), seen(0.0), CAMERAS)) < 0.01
    assert off(resected_landmarks(known(), seen(0.0), head().centre, CAMERAS).pose) < 0.05


def test_wrong_landmarks_hardly_move_the_triangulated_pose() -> None:
    assert off(pose_from_triangulated(known(), seen(0.3, wrong=6), CAMERAS)) < 2


def test_a_pose_of_all_pixels_needs_no_landmark_that_both_views_show() -> None:
    """Of one view the odd landmarks, of the other the even ones."""
    views = []
    for number, view in enumerate(seen(0.3)):
        pixels = view.pixels.copy()
        pixels[number::2] = np.nan
        views.append(replace(view, pixels=pixels))
    assert off(resected_landmarks(known(), views, head().centre, CAMERAS).pose) < 2
    with pytest.raises(InputError, match="0 of them are seen in every X-ray"):
        pose_from_triangulated(known(), views, CAMERAS)


def test_of_noise_both_make_as_little_as_pixels_allow() -> None:
    together = [off(resected_landmarks(known(), seen(1.0, seed=n), head().centre, CAMERAS).pose) for n in range(8)]
    apart = [off(pose_from_triangulated(known(), seen(1.0, seed=n), CAMERAS)) for n in range(8)]
    assert np.mean(together) < 1.1 * np.mean(apart) < 3


def test_a_part_of_the_ct_shows_a_part_of_the_landmarks() -> None:
    whole = phantom_head(4.0)
    matrix = whole.ct.ct_from_voxel.copy()
    first = whole.ct.attenuation.shape[0] // 2
    matrix[:3, 3] += first * matrix[:3, 2]
    upper = CT(whole.ct.attenuation[first:], matrix)
    found = landmarks_in(whole.landmarks, upper)
    low = upper.corners()[:, 2].min()
    below = whole.landmarks.points[:, 2] < low
    assert below.any() and (np.array(found.status)[below] == LandmarkStatus.OUTSIDE).all()
    assert found.is_in_ct.sum() == (whole.landmarks.is_in_ct & ~below).sum()


@pytest.mark.parametrize("side", range(4))
def test_a_field_is_closed_from_its_side_until_that_part_of_the_head_shows(side: int) -> None:
    random = np.random.default_rng(side)
    pixels = np.column_stack([random.uniform(-20, 140, 400), random.uniform(-20, 100, 400)])
    mask = np.ones((80, 120), dtype=bool)
    mask[:10], mask[:, 100:] = False, False
    view = Radiograph(np.zeros(mask.shape, np.float32), mask, replace(CAMERAS[0], size=mask.shape))
    closed = closed_to(view, pixels, 0.25, side).mask

    def showing(usable: np.ndarray) -> int:
        at = np.rint(pixels).astype(int)
        return sum(bool(usable[v, u]) for u, v in at if 0 <= u < 120 and 0 <= v < 80)

    assert showing(closed) == pytest.approx(0.25 * showing(mask), rel=0.1)
    assert not (closed & ~mask).any()
    edge = [closed[:, 0], closed[10], closed[:, 99], closed[79]]
    assert not edge[side].any() and edge[(side + 2) % 4].any()
