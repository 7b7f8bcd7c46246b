"""Landmarks in 3D Slicer's markups: what is written comes back, a dragged point is told, bad files are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.landmark_files import BY_HAND_MM, read_landmarks, write_landmarks
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet, LandmarkStatus

NAMES = skull_landmarks().names


def some_landmarks() -> LandmarkSet:
    """55 points of all statuses."""
    random = np.random.default_rng(5)
    points = random.uniform(-120, 120, (55, 3))
    status = [list(LandmarkStatus)[k % 5] for k in range(55)]
    uncertainty = random.uniform(0.5, 4, 55).round(1)
    for k, one in enumerate(status):
        if one is LandmarkStatus.UNKNOWN:
            points[k], uncertainty[k] = np.nan, np.nan
    return LandmarkSet(NAMES, points, uncertainty, tuple(status))


def written(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A file of landmarks whose list of markups has been changed."""
    write_landmarks(path, some_landmarks())
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content["markups"][0])
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_landmarks_come_back_as_they_were(tmp_path):
    before = some_landmarks()
    write_landmarks(tmp_path / "head.mrk.json", before)
    after = read_landmarks(tmp_path / "head.mrk.json")
    assert after.names == before.names and after.status == before.status
    np.testing.assert_allclose(after.points, before.points, atol=5.1e-4)
    np.testing.assert_array_equal(after.uncertainty_mm, before.uncertainty_mm)
    # Files hold LPS.
    first = json.loads((tmp_path / "head.mrk.json").read_text(encoding="utf-8"))["markups"][0]["controlPoints"][0]
    np.testing.assert_allclose(first["position"], before.points[0] * [-1, -1, 1], atol=5.1e-4)


def test_a_point_that_was_dragged_is_corrected(tmp_path):
    before = some_landmarks()

    def drag(markup: dict[str, Any]) -> None:
        for point in markup["controlPoints"]:
            if point["positionStatus"] == "defined":
                point["position"][1] += 0.4

    after = read_landmarks(written(tmp_path / "head.mrk.json", drag))
    for name, one, was in zip(NAMES, after.status, before.status, strict=True):
        if was in (LandmarkStatus.TRANSFERRED, LandmarkStatus.OUTSIDE, LandmarkStatus.CORRECTED):
            assert one is LandmarkStatus.CORRECTED, name
        else:
            assert one is was
    np.testing.assert_allclose(after.points, before.points - [0, 0.4, 0], atol=5.1e-4)
    assert set(after.uncertainty_mm[after.is_known]) == {BY_HAND_MM}
    # It is corrected for good.
    write_landmarks(tmp_path / "again.mrk.json", after)
    assert read_landmarks(tmp_path / "again.mrk.json").status == after.status


def test_points_that_a_person_made_need_no_description_and_may_be_ras(tmp_path):
    points = [
        {"label": label, "position": [k, 2.0, 3.0]}
        for k, label in enumerate(("Glabella", " nasion", "Porion Right", "SELLA"))
    ]
    content = {"markups": [{"type": "Fiducial", "coordinateSystem": "RAS", "controlPoints": points}]}
    (tmp_path / "hand.mrk.json").write_text(json.dumps(content))
    found = read_landmarks(tmp_path / "hand.mrk.json")
    np.testing.assert_array_equal(found.point("porion right"), [2, 2, 3])
    assert found.names == NAMES and found.is_known.sum() == 4
    assert found.status[NAMES.index("sella")] is LandmarkStatus.PLACED
    assert found.status[NAMES.index("menton")] is LandmarkStatus.UNKNOWN


def rename(markup: dict[str, Any]) -> None:
    markup["controlPoints"][2]["label"] = "nasal tip"
    markup["controlPoints"][7]["label"] = ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename, r"nasal tip, \(no name\)"),
        (lambda markup: markup["controlPoints"][1].update(label="Glabella"), "two points named “glabella”"),
        (lambda markup: markup["controlPoints"].clear(), "no control points"),
        (lambda markup: markup.update(controlPoints=markup["controlPoints"][:3]), "3 of the skull's landmarks"),
        (lambda markup: [point.update(positionStatus="undefined") for point in markup["controlPoints"]], "has 0 of"),
        (lambda markup: markup["controlPoints"][0].update(position=[1.0, 2.0]), "“glabella” is not three finite"),
        (lambda markup: markup["controlPoints"][0].update(position=None), "“glabella” is not three finite"),
        (lambda markup: markup.update(coordinateSystem="IJK"), "“IJK”, expected LPS or RAS"),
        (lambda markup: markup.update(coordinateUnits="m"), "in “m”, expected mm"),
        (lambda markup: markup.update(controlPoints=[3]), "no markups"),
    ],
)
def test_a_bad_list_is_refused_by_name(tmp_path, change, said):
    with pytest.raises(InputError, match=said) as raised:
        read_landmarks(written(tmp_path / "head.mrk.json", change))
    assert raised.value.subject.endswith("head.mrk.json")


@pytest.mark.parametrize(("text", "said"), [("not JSON", "is no JSON"), ("[]", "no markups"), ("{}", "no markups")])
def test_a_file_of_another_kind_is_refused(tmp_path, text, said):
    (tmp_path / "head.mrk.json").write_text(text)
    with pytest.raises(InputError, match=said):
        read_landmarks(tmp_path / "head.mrk.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_landmarks(tmp_path / "there_is_none.mrk.json")
