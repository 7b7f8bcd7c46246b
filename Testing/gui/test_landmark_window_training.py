"""The trainings in the window of SkullLandmarkDetection on the stand-in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")
pytest.importorskip("slicer")

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from landmark_study_scene import with_landmarks
from landmark_window import choose_ct, usable, worker_is_gone
from window_patient import add_ct, choose, idle, message, pump, pump_until, worker_processes

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


@pytest.mark.slow
def test_a_network_of_the_patient_is_trained_and_shown(landmark_panel: Any, tmp_path: Path) -> None:
    choose_ct(landmark_panel, with_landmarks(add_ct()))
    ui = landmark_panel.training.ui
    ui.trainedPath.currentPath = str(tmp_path / "patient.pt")
    ui.sectionButton.collapsed = False
    landmark_panel.session.parameters.minutes = 0.1
    states: list[str] = []
    run = landmark_panel.training.landmarks
    progressed = run._progressed
    run._progressed = lambda told: (progressed(told), states.append(str(ui.trainState.text)))
    ui.trainButton.click()
    assert ui.trainButton.text == "Cancel" and not ui.headsBox.enabled and ui.xrayFolder.enabled
    pump_until(lambda: idle(landmark_panel), 600)
    assert message(landmark_panel) == "" and (tmp_path / "patient.pt").is_file()
    assert any(state.startswith("Step") for state in states)
    assert "network is off by" in ui.trainState.text
    assert not ui.viewsPicture.isHidden() and not ui.viewsPicture.pixmap.isNull()
    usable(landmark_panel)


@pytest.mark.slow
def test_a_training_is_stopped_and_kept_cancelled_and_ended_with_the_scene(
    landmark_panel: Any, tmp_path: Path
) -> None:
    import slicer

    choose_ct(landmark_panel, with_landmarks(add_ct()))
    ui = landmark_panel.training.ui
    ui.trainedPath.currentPath = str(tmp_path / "patient.pt")
    ui.trainButton.click()
    pump_until(lambda: str(ui.trainState.text).startswith("Step"), 600)
    ui.keepTrainingButton.click()
    pump_until(lambda: idle(landmark_panel))
    assert "Stopped early." in ui.trainState.text and (tmp_path / "patient.pt").is_file()
    ui.trainedPath.currentPath = str(tmp_path / "other.pt")
    ui.trainButton.click()
    pump_until(lambda: bool(worker_processes()))
    ui.trainButton.click()
    assert idle(landmark_panel) and ui.trainState.text == "Cancelled; nothing was saved."
    assert worker_is_gone()
    ui.trainButton.click()
    pump_until(lambda: bool(worker_processes()))
    slicer.mrmlScene.Clear()
    pump(0.1)
    assert idle(landmark_panel) and worker_is_gone()
    assert ui.trainState.text == "" and landmark_panel.session.ct is None


def test_a_look_is_learnt_from_a_folder_and_shown(
    landmark_panel: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The learning itself, which takes its time, is the worker's and tested there."""
    from DiffRegistrationLib.worker.messages import Progress
    from LandmarkDetectionLib.mrml.landmark_job_results import TrainedStyle
    from PIL import Image

    ct = choose_ct(landmark_panel, with_landmarks(add_ct()))
    asked: list[tuple[Any, ...]] = []
    listeners: list[Any] = []

    def train_style(xrays: Path, model: Path, *, listener: Any, **choices: Any) -> None:
        asked.append((xrays, model, choices))
        listeners.append(listener)

    monkeypatch.setattr(landmark_panel.session.logic, "train_style", train_style)
    ui = landmark_panel.training.ui
    (tmp_path / "xrays").mkdir()
    ui.xrayFolder.currentPath = str(tmp_path / "xrays")
    ui.translationPath.currentPath = str(tmp_path / "look")
    choose(ui.methodBox, "cyclegan")
    ui.styleMinutesBox.value = 3.0
    ui.learnButton.click()
    assert ui.learnButton.text == "Cancel" and not ui.methodBox.enabled and not ui.trainButton.enabled
    choices = {"ct_node": ct, "method": "cyclegan", "minutes": 3.0, "views": "fluoroscopy", "device": "auto"}
    assert asked == [(tmp_path / "xrays", tmp_path / "look.pt", choices | {"wait": False})]
    listeners[0].progressed(Progress("1", 0.25, 90.0, "Step 5, loss 2.00"))
    assert ui.styleProgress.value == 250 and ui.styleProgress.format == "25 %, 1 min 30 s left"
    assert ui.styleState.text == "Step 5, loss 2.00"
    preview = tmp_path / "look.preview.png"
    Image.new("L", (60, 30)).save(preview)
    listeners[0].finished(TrainedStyle(tmp_path / "look.pt", preview, True))
    assert ui.styleState.text.startswith("Stopped early. ") and "bones must stay" in ui.styleState.text
    assert not ui.stylePicture.pixmap.isNull() and not ui.stylePicture.isHidden()
    usable(landmark_panel)
