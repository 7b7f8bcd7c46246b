"""The modules' own tests, as Slicer runs them: by the loader of unittest, by “Reload and Test”, without packages."""

from __future__ import annotations

import sys
import unittest
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from slicer_stand_in.installation import StandIn

pytest.importorskip("PySide6")
pytest.importorskip("slicer")

from landmark_window import MODULE as LANDMARKS
from window_patient import MODULE

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


@pytest.fixture
def module(stand_in: StandIn) -> Any:
    """The loaded module's file."""
    stand_in.testing = True
    stand_in.load_module(MODULE)
    return sys.modules["DiffRegistration"]


def ran(name: str) -> unittest.TestResult:
    """The result of one test of the class, found as `slicer.testing.runUnitTest` finds it."""
    result = unittest.TestResult()
    unittest.TestLoader().loadTestsFromName(f"DiffRegistration.DiffRegistrationTest.{name}").run(result)
    return result


PARTS = {
    "test_RegisterFromNamedStart",
    "test_TrainAndRegisterFromNetwork",
    "test_CancelInTheMiddle",
    "test_MoveByHandAndUndo",
    "test_SaveAndOpen",
}


@pytest.mark.slow
def test_the_part_that_trains_passes(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter than in Slicer; “Reload and Test” below runs the other parts."""
    monkeypatch.setattr(module.DiffRegistrationTest, "TRAINING_SECONDS", 4)
    result = ran("test_TrainAndRegisterFromNetwork")
    assert result.wasSuccessful() and not result.skipped, [*result.failures, *result.errors, *result.skipped]


def test_a_wrong_pose_fails_it(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from DiffRegistrationLib.mrml import registration_logic

    put = registration_logic.put_under_pose
    off = np.eye(4)
    off[0, 3] = 1.5
    monkeypatch.setattr(registration_logic, "put_under_pose", lambda ct, pose: put(ct, off @ pose))
    result = ran("test_RegisterFromNamedStart")
    ((_test, trace),) = result.failures
    assert "registered from two views: off by 1." in trace


def test_without_packages_it_skips_and_says_what_to_do(module: Any, stand_in: StandIn) -> None:
    stand_in.packages.outcome = "declined"
    result = ran("test_SaveAndOpen")
    ((_test, reason),) = result.skipped
    assert result.wasSuccessful() and "press Install" in reason
    shown: list[str] = []
    case = module.DiffRegistrationTest()
    case.delayDisplay = shown.append
    case.runTest()
    assert len(shown) == 6 and all("press Install" in line for line in shown[:-1])


def test_without_torch_only_the_network_is_skipped(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "torch" else find(name, *more)
    )
    result = ran("test_TrainAndRegisterFromNetwork")
    ((_test, reason),) = result.skipped
    assert result.wasSuccessful() and "PyTorch is missing" in reason


@pytest.mark.slow
def test_reload_and_test_runs_all_of_it_and_tells_what_it_skips(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    import slicer

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "torch" else find(name, *more)
    )
    shown: list[str] = []
    monkeypatch.setattr(module.DiffRegistrationTest, "delayDisplay", lambda self, message: shown.append(message))
    begun: list[str] = []
    for name in PARTS:
        part = getattr(module.DiffRegistrationTest, name)
        monkeypatch.setattr(
            module.DiffRegistrationTest,
            name,
            lambda self, part=part, name=name: (begun.append(name), part(self)),
        )
    slicer.selfTests["DiffRegistration"]()
    # None but those, each of them once.
    assert {name for name in dir(module.DiffRegistrationTest) if name.startswith("test_")} == PARTS
    assert sorted(begun) == sorted(PARTS)
    assert shown[-1] == "DiffRegistration works" and sum("off by" in line for line in shown) == 2
    (skipped,) = [line for line in shown if line.startswith("Skipped")]
    assert "test_TrainAndRegisterFromNetwork: PyTorch is missing" in skipped
    assert not slicer.util.getNodesByClass("vtkMRMLVolumeNode")


@pytest.mark.slow
def test_the_batch_runs_in_the_application_s_scene(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(MODULE.parent / "Testing" / "Python"))
    result = unittest.TestResult()
    unittest.TestLoader().loadTestsFromName("DiffRegistrationBatchTest").run(result)
    assert result.testsRun == 1 and not result.skipped and result.wasSuccessful(), [*result.failures, *result.errors]


# The test of SkullLandmarkDetection.


@pytest.fixture
def landmark_module(stand_in: StandIn) -> Any:
    """The loaded file of that module."""
    stand_in.testing = True
    stand_in.load_module(MODULE)
    stand_in.load_module(LANDMARKS)
    return sys.modules["SkullLandmarkDetection"]


def ran_of_landmarks(name: str) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.TestLoader().loadTestsFromName(f"SkullLandmarkDetection.SkullLandmarkDetectionTest.{name}").run(result)
    return result


def passed(result: unittest.TestResult) -> bool:
    return result.testsRun == 1 and result.wasSuccessful() and not result.skipped


LANDMARK_PARTS = {
    "test_CarryOver",
    "test_CorrectByHand",
    "test_TriangulateAndRegister",
    "test_TrainAndDetect",
    "test_SaveAndOpen",
}


@pytest.mark.parametrize("name", ["test_CorrectByHand", "test_SaveAndOpen", "test_TriangulateAndRegister"])
def test_parts_of_the_landmarks_test_that_need_no_network_pass(landmark_module: Any, name: str) -> None:
    result = ran_of_landmarks(name)
    assert passed(result), [*result.failures, *result.errors, *result.skipped]


@pytest.mark.slow
def test_the_part_of_the_landmarks_test_that_trains_passes(
    landmark_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmark_module.SkullLandmarkDetectionTest, "TRAINING_SECONDS", 3)
    result = ran_of_landmarks("test_TrainAndDetect")
    assert passed(result), [*result.failures, *result.errors, *result.skipped]


@pytest.mark.slow
def test_the_part_of_the_landmarks_test_that_carries_over_passes(
    landmark_module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLUOROREG_DATA", str(tmp_path))
    result = ran_of_landmarks("test_CarryOver")
    assert passed(result), [*result.failures, *result.errors, *result.skipped]


def test_wrong_landmarks_fail_the_landmarks_test(landmark_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from LandmarkDetectionLib.mrml import self_test

    true = self_test.true_pixels
    # Down by as much in both views, which is no contradiction.
    monkeypatch.setattr(self_test, "true_pixels", lambda *where: np.add(true(*where), [0.0, 1.5]))
    result = ran_of_landmarks("test_TriangulateAndRegister")
    ((_test, trace),) = result.failures
    assert "triangulated" in trace


def test_reload_and_test_of_landmarks_runs_all_parts_and_tells_what_it_skips(
    landmark_module: Any, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    case = landmark_module.SkullLandmarkDetectionTest
    assert {name for name in dir(case) if name.startswith("test_")} == LANDMARK_PARTS
    shown: list[str] = []
    monkeypatch.setattr(case, "delayDisplay", lambda self, message: shown.append(message))
    stand_in.packages.outcome = "declined"
    slicer.selfTests["SkullLandmarkDetection"]()
    assert len(shown) == 6 and all("press Install" in line for line in shown[:-1])
    assert shown[-1] == "SkullLandmarkDetection works"
