"""What the solver begins from when a network was asked: its pose where it is sure, more where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.pose_network.pose_prediction import PosePrediction
from DiffRegistrationLib.registration import network_start
from DiffRegistrationLib.registration.metrics import pose_error
from DiffRegistrationLib.registration.network_start import start_from_network
from DiffRegistrationLib.registration.registration import register
from DiffRegistrationLib.registration.result import RegistrationResult, Verdict
from DiffRegistrationLib.registration.starts import Start, twin
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, head, intensity, truth

CENTRE = rigid.transform_points(truth(), [head().centre])[0]


class _Trained:
    networks = None


def xray(primary_deg: float = 180.0) -> Radiograph:
    view = camera(primary_deg)
    return Radiograph(-np.log(intensity(primary_deg) / 3000), np.ones(view.size, dtype=bool), view)


def start(monkeypatch: pytest.MonkeyPatch, *said: tuple[np.ndarray, float]) -> Start:
    """The start when the network says these poses of as many views, expecting to be off by so many degrees."""
    predictions = iter(
        PosePrediction(pose, CENTRE, np.array([*[np.radians(degrees)] * 3, degrees, degrees, 3 * degrees]), np.eye(3))
        for pose, degrees in said
    )
    monkeypatch.setattr(network_start, "predict", lambda *given: [next(predictions)])
    views = [xray(), xray(90.0)][: len(said)]
    return start_from_network(_Trained(), head(), views)  # type: ignore[arg-type]


def off(degrees: float) -> np.ndarray:
    return rigid.move_about(CENTRE, [np.radians(degrees), 0, 0, 4, -3, 10], truth())


def assert_true(result: RegistrationResult) -> None:
    """One view of a head of 4 mm voxels shows turns and places across the beam, and hardly depth."""
    error = pose_error(result.pose, truth(), head().corners(0.5), head().centre, camera())
    assert error.rotation_deg < 0.6 and error.in_plane_mm < 1, error


def test_a_sure_network_is_where_the_solver_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    found = start(monkeypatch, (off(3), 1.0))
    assert found.trusted and len(found.poses) == 1 and "expects to be off by 1.0°" in found.poses[0][0]
    result = register(Projector(head()), [xray()], found)
    assert result.verdict == Verdict.ACCEPTED
    assert_true(result)


def test_an_unsure_network_is_not_taken_at_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says the mirrored twin; its samples are all around that, and the solver still finds the truth."""
    found = start(monkeypatch, (twin(off(2), head(), camera()), 8.0))
    assert not found.trusted and len(found.poses) > 10
    result = register(Projector(head()), [xray()], found)
    assert_true(result)


def test_another_aspect_that_is_nearly_as_likely_is_tried_too(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = np.array([*[np.radians(1.0)] * 3, 1.0, 1.0, 3.0])
    wrong = twin(off(2), head(), camera())
    said = [
        PosePrediction(pose, CENTRE, scale, np.eye(3), probability, aspect)
        for aspect, (pose, probability) in enumerate(((wrong, 0.6), (off(3), 0.4)))
    ]
    monkeypatch.setattr(network_start, "predict", lambda *given: said)
    found = start_from_network(_Trained(), head(), [xray()])  # type: ignore[arg-type]
    assert not found.trusted and [name for name, _ in found.poses][1] == "network, another aspect"
    assert_true(register(Projector(head()), [xray()], found))


def test_of_two_views_the_one_that_fits_both_wins_and_not_the_surer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = rigid.move_about(CENTRE, [0, 0, np.radians(80), 0, 0, 0], truth())
    found = start(monkeypatch, (off(3), 1.5), (wrong, 0.5))
    assert not found.trusted and len(found.poses) == 2
    result = register(Projector(head()), [xray(), xray(90.0)], found)
    assert_true(result)
