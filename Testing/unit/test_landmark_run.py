"""What was found in a run of X-rays is text and comes back as it was, and other text is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.detection.landmark_detections import LandmarkDetections
from LandmarkDetectionLib.detection.landmark_run import LandmarkRun, run_from_text, run_to_text

NAMES = skull_landmarks().names
COUNT = len(NAMES)


def covariance(size: int, scale: float, random: np.random.Generator) -> np.ndarray:
    factors = scale * random.normal(size=(COUNT, size, size))
    return np.asarray(factors @ factors.transpose(0, 2, 1) + 0.01 * scale**2 * np.eye(size))


def found(seed: int, **changes: Any) -> LandmarkDetections:
    """Any detections; three of the landmarks are not the network's."""
    random = np.random.default_rng(seed)
    pixels, points = random.uniform(-300, 3000, (COUNT, 2)), random.normal(0, 300, (COUNT, 3))
    visibility = random.uniform(size=COUNT)
    for values in (pixels, points):
        values[:3] = np.nan
    one = LandmarkDetections(
        NAMES,
        pixels,
        covariance(2, 8.0, random),
        points,
        covariance(3, 20.0, random),
        visibility,
        visibility > 0.5,
        pixels + random.normal(size=pixels.shape),
        covariance(2, 1e-3, random),
        0.2815,
        0.87,
        True,
        "",
    )
    return replace(one, **changes)


def a_run(**changes: Any) -> LandmarkRun:
    doubtful = found(3, is_sure=False, words="only 3 landmarks “seem” to be in the image", misfit=2.75)
    run = LandmarkRun(
        2,
        (12, 13, 40),
        (
            (found(1, depth_told_mm=750.0), found(2, is_registered=True)),
            (None, replace(doubtful, is_fitted=True)),
            (None, None),
        ),
        (False, True),
        skull_landmarks().fingerprint,
        "network of one patient's head, views frontal",
    )
    return replace(run, **changes)


def test_a_run_comes_back_from_its_text_as_good_as_it_was() -> None:
    run = a_run()
    again = run_from_text(run_to_text(run))
    for name in ("views", "numbers", "planar", "definitions", "model"):
        assert getattr(again, name) == getattr(run, name)
    assert [[one is None for one in row] for row in again.found] == [[False, False], [True, False], [True, True]]
    for number, view in ((12, 0), (12, 1), (13, 1)):
        one, other = run.at(number, view), again.at(number, view)
        assert one is not None and other is not None
        for each in fields(one):
            before, after = getattr(one, each.name), getattr(other, each.name)
            if each.name in ("pixels", "camera_points", "network_pixels", "visibility"):
                np.testing.assert_allclose(after, before, rtol=0, atol=0.51e-4)
            elif each.name.endswith("covariance"):
                np.testing.assert_allclose(after, before, rtol=5.1e-6, atol=0)
                np.testing.assert_array_equal(after, after.transpose(0, 2, 1))
                assert (np.linalg.eigvalsh(after) > 0).all()
            elif isinstance(before, np.ndarray):
                np.testing.assert_array_equal(after, before)
            else:
                assert after == before and type(after) is type(before)
    assert again.at(13, 0) is None and again.at(99, 0) is None


def test_text_of_what_was_read_is_the_same_text_and_plain_json() -> None:
    text = run_to_text(a_run())
    assert run_to_text(run_from_text(text)) == text

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    content = json.loads(text, parse_constant=no_constant)
    assert content["pixels"][0][0] == [None, None] and "\n" not in text


def test_a_run_in_which_nothing_was_found_comes_back_too() -> None:
    again = run_from_text(run_to_text(a_run(found=((None, None),), numbers=(5,))))
    assert again.found == ((None, None),) and again.numbers == (5,)


def test_a_run_of_other_definitions_is_refused() -> None:
    text = run_to_text(a_run(definitions="0" * 12))
    with pytest.raises(InputError, match=r"study 1.*made with other landmark definitions: 0+"):
        run_from_text(text, "study 1")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("misfit"),
        lambda content: content.update(format="fluororeg landmark run 0"),
        lambda content: content.update(numbers=[12, 12, 40]),
        lambda content: content.update(numbers=[12]),
        lambda content: content.update(views=3),
        lambda content: content["used"][2].__setitem__(0, 1),
        lambda content: content["pixels"].pop(),
        lambda content: content["pixels"][0].pop(),
        lambda content: content["visibility"][0].__setitem__(4, "much"),
        lambda content: content["camera_covariance"][0][7].append(1.0),
        lambda content: content["words"].pop(),
        lambda content: content.update(pixels=None),
        lambda content: content.update(planar={}),
    ],
)
def test_damaged_text_is_refused(damage: Any) -> None:
    content = json.loads(run_to_text(a_run()))
    damage(content)
    with pytest.raises(InputError, match=r"study 1.*damaged"):
        run_from_text(json.dumps(content), "study 1")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "[]", "7", '{"format": 1}'])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"landmarks.*damaged"):
        run_from_text(text)


def test_parts_that_do_not_fit_are_a_fault_of_the_program() -> None:
    for changes in ({"numbers": (1, 2)}, {"planar": (False,)}, {"views": 1}, {"found": ((None,),) * 3}):
        with pytest.raises(ValueError, match=r"run of|frames with"):
            a_run(**changes)
    few = found(1, names=NAMES[:-1])
    with pytest.raises(ValueError, match="not the skull's"):
        a_run(found=((few, None), (None, None), (None, None)))
