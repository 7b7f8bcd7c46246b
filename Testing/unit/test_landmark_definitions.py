"""The 55 landmarks are whole, each has a place on the computed head, and a head's frame is found from few of them."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from LandmarkDetectionLib.atlas.definitions import SkullLandmarks, skull_landmarks
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.atlas.head_frame import ct_from_head, is_mirrored
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet


@pytest.fixture(scope="module")
def head() -> Head:
    return phantom_head(4.0, variant=3)


def only(landmarks: LandmarkSet, kept: np.ndarray) -> LandmarkSet:
    points = np.full_like(landmarks.points, np.nan)
    points[kept] = landmarks.points[kept]
    return replace(landmarks, points=points)


def without(landmarks: LandmarkSet, *words: str) -> LandmarkSet:
    return only(landmarks, np.array([not name.startswith(words) for name in landmarks.names]))


def moved(landmarks: LandmarkSet, matrix: np.ndarray) -> LandmarkSet:
    return replace(landmarks, points=landmarks.points @ matrix[:3, :3].T + matrix[:3, 3])


def degrees_between(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.degrees(np.linalg.norm(rigid.log(rigid.inverse(first) @ second)[:3])))


def test_the_set_is_23_of_the_midline_and_16_pairs_right_before_left():
    skull = skull_landmarks()
    assert Counter(one.side for one in skull.definitions) == {"midline": 23, "right": 16, "left": 16}
    assert [one.side for one in skull.definitions[:25]] == ["midline"] * 23 + ["right", "left"]
    np.testing.assert_array_equal(skull.partners[skull.partners], np.arange(55))
    for name, partner in zip(skull.names, skull.partners, strict=True):
        exchanged = name.replace(" right", " !").replace(" left", " right").replace(" !", " left")
        assert skull.names[partner] == exchanged


def test_partners_are_refined_in_mirrored_directions():
    skull = skull_landmarks()
    for one in skull.definitions:
        if one.snap.direction is None:
            continue
        assert np.linalg.norm(one.snap.direction) == pytest.approx(1)
        mirror = [1, 1, 1] if one.side == "midline" else [-1, 1, 1]
        np.testing.assert_array_equal(
            skull.definition(one.partner).snap.direction, np.multiply(one.snap.direction, mirror)
        )


def test_a_set_that_is_not_whole_is_refused():
    whole = skull_landmarks().definitions
    with pytest.raises(ValueError, match="expected 55"):
        SkullLandmarks(whole[:-1])
    with pytest.raises(ValueError, match="called glabella"):
        SkullLandmarks((*whole[:-1], whole[0]))
    with pytest.raises(ValueError, match="mirror image"):
        SkullLandmarks((replace(whole[0], partner="nasion"), *whole[1:]))


def test_the_fingerprint_changes_with_the_order():
    whole = skull_landmarks()
    swapped = SkullLandmarks((whole.definitions[1], whole.definitions[0], *whole.definitions[2:]))
    assert swapped.fingerprint != whole.fingerprint == skull_landmarks().fingerprint


def test_the_documentation_lists_them(monkeypatch):
    docs = Path(__file__).parents[2] / "docs"
    monkeypatch.syspath_prepend(str(docs / "make"))
    import landmark_placement

    page = (docs / "landmarks-atlas.md").read_text(encoding="utf-8")
    assert landmark_placement.table() in page, "run docs/make/landmark_placement.py"


def test_every_landmark_has_an_exact_place_on_the_computed_head(head):
    assert head.landmarks.names == skull_landmarks().names
    assert head.landmarks.is_known.all() and not head.landmarks.uncertainty_mm.any()
    for one in skull_landmarks().definitions:
        x = head.landmarks.point(one.name)[0]
        assert abs(x) < 1.5 if one.side == "midline" else x * (1 if one.side == "right" else -1) > 10, one.name
    # Between the two central incisors, and in the eye behind the skin.
    assert head.landmarks.point("upper incisor")[2] < head.landmarks.point("lower incisor")[2]
    assert 50 < np.diff(head.landmarks.named(["eye lens left", "eye lens right"]).points[:, 0]) < 70


def test_the_frankfurt_frame_follows_the_head(head):
    np.testing.assert_allclose(ct_from_head(head.landmarks)[:3, :3], np.eye(3), atol=1e-6)
    pose = rigid.exp([0.4, -0.9, 2.0, 30.0, -200.0, 80.0])
    found = ct_from_head(moved(head.landmarks, pose))
    np.testing.assert_allclose(found, pose @ ct_from_head(head.landmarks), atol=1e-6)


def test_without_the_porions_the_frame_comes_from_the_others(head):
    pose = rigid.exp([0.4, -0.9, 2.0, 30.0, -200.0, 80.0])
    true = ct_from_head(moved(head.landmarks, pose))
    fewer = without(moved(head.landmarks, pose), "porion", "orbitale")
    assert degrees_between(true, ct_from_head(fewer)) < 4
    # A landmark in a wholly wrong place changes little.
    points = fewer.points.copy()
    points[3] += [60, -80, 50]
    assert degrees_between(ct_from_head(fewer), ct_from_head(replace(fewer, points=points))) < 1


@pytest.mark.parametrize("count", [5, 12, 55])
def test_exchanged_sides_are_told_from_a_few_landmarks(head, count):
    random = np.random.default_rng(count)
    pose = rigid.exp([0.4, -0.9, 2.0, 30.0, -200.0, 80.0])
    for _ in range(5):
        # Two pairs among them, for points of the midline alone are their own mirror image.
        kept = np.unique([*random.choice(55, count, replace=False), 23, 24, 37, 38])
        landmarks = moved(only(head.landmarks, kept), pose)
        landmarks = replace(landmarks, points=landmarks.points + random.normal(0, 2, (55, 3)))
        assert not is_mirrored(landmarks)
        assert is_mirrored(moved(landmarks, np.diag([-1.0, 1.0, 1.0, 1.0])))


@pytest.mark.parametrize("kept", [range(3), range(19)], ids=["three", "the midline alone"])
def test_too_few_landmarks_for_a_frame_are_refused(head, kept):
    flat = replace(head.landmarks, points=head.landmarks.points * [0, 1, 1])
    with pytest.raises(InputError, match="too few or all in one plane"):
        ct_from_head(only(flat, np.array(kept)))
