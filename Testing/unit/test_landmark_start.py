"""What the solver begins from when landmarks were seen: near where they agree, wider where not, and what is said."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pytest
from DiffRegistrationLib.registration.landmark_start import (
    CTLandmarks,
    SeenLandmarks,
    resected_landmarks,
    start_from_landmarks,
)
from DiffRegistrationLib.registration.metrics import pose_error
from DiffRegistrationLib.registration.registration import register
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.registration.starts import Start
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, rigid
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, head, intensity, truth

# Of a pixel of 2.2 mm at the patient: the detectors' errors are 2 mm there.
SIGMA_PX = 0.9


@lru_cache
def known() -> CTLandmarks:
    return CTLandmarks.of(head_phantom(4.0).landmarks, std_mm=0.5)


def seen(
    view: Camera, *, wrong: float = 0.2, missing: float = 0.3, sigma_px: float = SIGMA_PX, seed: int = 1
) -> SeenLandmarks:
    """The landmarks of a view with noise, a part of them somewhere else and a part of them not at all."""
    random, n = np.random.default_rng(seed), len(known().names)
    pixels = view.project(rigid.transform_points(truth(), known().points)) + random.normal(scale=sigma_px, size=(n, 2))
    astray = random.random(n) < wrong
    pixels[astray] = random.uniform(0, 95, (int(astray.sum()), 2))
    pixels[random.random(n) < missing] = np.nan
    return SeenLandmarks.marked(known().names, pixels, SIGMA_PX)


def start(*landmarks: SeenLandmarks) -> Start:
    views = [camera(), camera(90.0)][: len(landmarks)]
    return start_from_landmarks(known(), landmarks, head().centre, views)


def xray() -> Radiograph:
    return Radiograph(-np.log(intensity() / 3000), np.ones(camera().size, dtype=bool), camera())


def error_deg(pose: np.ndarray) -> float:
    return float(np.degrees(rigid.angle_between(pose, truth())))


def with_sides_exchanged(landmarks: SeenLandmarks) -> SeenLandmarks:
    other = {"left": "right", "right": "left"}
    names = tuple(re.sub("left|right", lambda match: other[match[0]], name) for name in landmarks.names)
    return SeenLandmarks(names, landmarks.pixels, landmarks.covariance, landmarks.weight)


def test_landmarks_that_agree_are_where_the_solver_begins() -> None:
    found = start(seen(camera()))
    assert found.trusted and found.near and len(found.poses) == 1
    assert re.search(
        r"landmarks, \d+ of \d+ agreeing to \d\.\d mm, which expect to be off by 0\.\d°", found.poses[0][0]
    )
    result = register(Projector(head()), [xray()], found)
    assert result.verdict == Verdict.ACCEPTED
    # One view of a head of 4 mm voxels shows turns and places across the beam, and hardly depth.
    error = pose_error(result.pose, truth(), head().corners(0.5), head().centre, camera())
    assert error.rotation_deg < 0.6 and error.in_plane_mm < 1, error


def test_views_that_contradict_each_other_are_said_to() -> None:
    """Both X-rays are good, but the second one's camera is not where it is said to be."""
    both = [seen(camera(), wrong=0.0), seen(camera(90.0), wrong=0.0)]
    cameras = [camera(), camera(60.0)]
    found = start_from_landmarks(known(), both, head().centre, cameras)
    assert not found.trusted and found.reach_mm == np.inf
    assert re.search(r"X-rays 1 and 2 contradict each other, alone they place the CT (2|3)\d° and", found.poses[0][0])


def test_landmarks_that_one_of_two_views_shows_are_enough_and_it_is_said() -> None:
    one = seen(camera())
    nothing = SeenLandmarks.marked(one.names, np.full_like(one.pixels, np.nan), SIGMA_PX)
    found = start(one, nothing)
    assert "X-ray 2 has no part in it" in found.poses[0][0]
    assert error_deg(found.poses[0][1]) < 3


@pytest.mark.parametrize("first", [0, 1])
def test_a_camera_that_has_the_ct_behind_it_does_no_harm(first: int) -> None:
    one, away = seen(camera()), camera().moved(np.diag([-1.0, 1.0, -1.0, 1.0]))
    nothing = SeenLandmarks(one.names, one.pixels, one.covariance, np.zeros(len(one.names)))
    both, cameras = [one, nothing], [camera(), away]
    found = start_from_landmarks(known(), both[:: 1 - 2 * first], head().centre, cameras[:: 1 - 2 * first])
    assert error_deg(found.poses[0][1]) < 3 and f"X-ray {2 - first} has no part in it" in found.poses[0][0]


def test_two_views_know_the_depth_that_one_does_not() -> None:
    one = resected_landmarks(known(), [seen(camera())], head().centre, [camera()])
    both = [seen(camera()), seen(camera(90.0), seed=2)]
    two = resected_landmarks(known(), both, head().centre, [camera(), camera(90.0)])
    np.testing.assert_allclose(two.centre, rigid.transform_points(two.pose, [head().centre])[0])
    # AP: depth is along y.
    assert two.std[4] < 0.3 * one.std[4]
    found = start(*both)
    assert found.near and "in 2 X-rays" in found.poses[0][0]
    assert np.linalg.norm(two.centre - rigid.transform_points(truth(), [head().centre])[0]) < 2


def test_few_and_unsure_landmarks_reach_as_far_as_they_may_be_off() -> None:
    few = seen(camera(), wrong=0.0, missing=0.9, sigma_px=3.0, seed=3)
    found = start(SeenLandmarks(few.names, few.pixels, few.covariance * (3.0 / SIGMA_PX) ** 2, few.weight))
    assert not found.near and found.reach_deg > 6 and len(found.depths_mm) == 3
    assert error_deg(found.poses[0][1]) < found.reach_deg


def test_landmarks_that_mostly_disagree_are_not_trusted() -> None:
    found = start(seen(camera(), wrong=0.75, missing=0.0))
    assert not found.trusted and "fit badly" in found.poses[0][0] and found.reach_mm == np.inf


@pytest.mark.parametrize("views", [1, 2])
def test_sides_that_were_exchanged_are_said_and_both_are_tried(views: int) -> None:
    landmarks = [seen(camera()), seen(camera(90.0), seed=2)][:views]
    found = start(*map(with_sides_exchanged, landmarks))
    assert not found.trusted and len(found.poses) >= 2
    (first, exchanged), (second, as_named) = found.poses[:2]
    assert "left and right exchanged, as fits far better" in first and "as named" in second
    assert error_deg(exchanged) < 2 and error_deg(as_named) > 5
    off = [float(re.search(r"agreeing to (\d+\.\d) mm", words)[1]) for words in (first, second)]  # type: ignore[index]
    assert off[1] > 1.5 * off[0]


def test_a_landmark_counts_by_its_weight_and_unknown_names_not_at_all() -> None:
    right = seen(camera(), wrong=0.0, missing=0.0)
    pixels, weight = right.pixels.copy(), right.weight.copy()
    # A detector that puts what it does not see somewhere, and says so.
    pixels[::2] += 6.0
    weight[::2] = 0.05
    names = ("no such landmark", *right.names)
    doubtful = SeenLandmarks(
        names, np.r_[[[5.0, 5.0]], pixels], np.r_[[np.eye(2)], right.covariance], np.r_[1.0, weight]
    )
    found = resected_landmarks(known(), [doubtful], head().centre, [camera()])
    assert not found.seen[0, ::2].any() and found.seen[0, 1::2].all()
    assert error_deg(found.pose) < 2


def test_too_few_landmarks_and_bad_arrays_are_refused() -> None:
    marked = SeenLandmarks.marked(known().names[:3], np.full((3, 2), 40.0), 1.0)
    with pytest.raises(InputError, match="at least 4"):
        start(marked)
    with pytest.raises(ValueError, match="twice: nasion"):
        SeenLandmarks.marked(("nasion", "nasion"), np.zeros((2, 2)), 1.0)
    with pytest.raises(ValueError, match="expected pixels of shape"):
        SeenLandmarks.marked(("nasion",), np.zeros((2, 2)), 1.0)
    with pytest.raises(ValueError, match="each of 2 cameras"):
        start_from_landmarks(known(), [marked], head().centre, [camera(), camera(90.0)])
