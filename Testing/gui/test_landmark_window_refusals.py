"""Bad input in the window of SkullLandmarkDetection: a message that says what to do, and all is as it was."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from slicer_stand_in.installation import StandIn

pytest.importorskip("PySide6")
pytest.importorskip("slicer")

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from landmark_study_scene import small_head, study_of, with_landmarks
from landmark_window import MODULE, REGISTRATION, choose_ct, refused, usable, worker_is_gone
from LandmarkDetectionLib.atlas.landmark_files import write_landmarks
from window_patient import add_ct, add_xray, choose, idle, is_refusal, message, pump, pump_until, worker_processes

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


def list_of_points(**points: str) -> Any:
    """A point list of a person's, with landmarks of the head by the names that the person gave them."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Mine")
    for label, name in points.items():
        node.AddControlPointWorld(small_head().landmarks.point(name), label.replace("_", " "))
    return node


def test_files_of_landmarks(landmark_panel: Any, tmp_path: Path) -> None:
    choose_ct(landmark_panel, with_landmarks(add_ct()))
    good, bad = tmp_path / "good.mrk.json", tmp_path / "bad.mrk.json"
    write_landmarks(good, small_head().landmarks)
    section = landmark_panel.ct_landmarks
    content = json.loads(good.read_text(encoding="utf-8"))
    content["markups"][0]["controlPoints"][0]["label"] = "Big toe"
    bad.write_text(json.dumps(content), encoding="utf-8")
    with refused(landmark_panel, "bad.mrk.json", "none of the skull's landmarks: Big toe", "Rename or delete"):
        section.load(bad)
    bad.write_text("{", encoding="utf-8")
    with refused(landmark_panel, "is no JSON"):
        section.load(bad)
    with refused(landmark_panel, "cannot be read"):
        section.load(tmp_path / "none.mrk.json")
    with refused(landmark_panel, "other-folder"):
        section.save(tmp_path / "other-folder" / "saved.mrk.json")
    section.load(good)
    assert not is_refusal(landmark_panel)


def test_point_lists_with_foreign_names_or_too_few(landmark_panel: Any) -> None:
    ct = choose_ct(landmark_panel, add_ct())
    ui = landmark_panel.ct_landmarks.ui
    ui.pointsSelector.setCurrentNode(list_of_points(nasion="nasion", Big_toe="menton", inion="inion", sella="sella"))
    with refused(landmark_panel, "Mine", "Big toe"):
        ui.adoptButton.click()
    few = list_of_points(nasion="nasion", inion="inion")
    few.SetName("Few")
    ui.pointsSelector.setCurrentNode(few)
    with refused(landmark_panel, "Few", "2 of the skull's landmarks, expected 4"):
        ui.adoptButton.click()
    assert landmark_panel.session.ct is ct and landmark_panel.ct_landmarks.table.landmarks is None


def test_a_ct_that_is_none(landmark_panel: Any) -> None:
    choose_ct(landmark_panel, add_xray())
    with refused(landmark_panel, "X-ray AP"):
        landmark_panel.ct_landmarks.ui.transferButton.click()


def test_the_ct_is_deleted_while_landmarks_are_carried_to_it(landmark_panel: Any) -> None:
    import slicer

    ct = choose_ct(landmark_panel, add_ct())
    add_ct("Another CT")
    landmark_panel.ct_landmarks.ui.transferButton.click()
    pump_until(lambda: bool(worker_processes()))
    slicer.mrmlScene.RemoveNode(ct)
    pump(0.05)
    assert idle(landmark_panel) and is_refusal(landmark_panel) and "was deleted while" in message(landmark_panel)
    assert landmark_panel.session.ct is None and worker_is_gone()
    usable(landmark_panel)


def test_the_ct_is_deleted_while_it_is_trained_on(landmark_panel: Any, tmp_path: Path) -> None:
    import slicer

    ct = choose_ct(landmark_panel, with_landmarks(add_ct()))
    ui = landmark_panel.training.ui
    ui.trainedPath.currentPath = str(tmp_path / "patient.pt")
    ui.trainButton.click()
    pump_until(lambda: bool(worker_processes()))
    slicer.mrmlScene.RemoveNode(ct)
    pump(0.05)
    assert idle(landmark_panel) and "ended the training" in message(landmark_panel)
    assert worker_is_gone()
    usable(landmark_panel)


@pytest.mark.slow
def test_trainings_that_cannot_begin(landmark_panel: Any, tmp_path: Path) -> None:
    choose_ct(landmark_panel, with_landmarks(add_ct()))
    ui = landmark_panel.training.ui
    ui.trainedPath.currentPath = str(tmp_path / "no-folder" / "patient.pt")
    with refused(landmark_panel, "no-folder"):
        ui.trainButton.click()
    (tmp_path / "heads.pt").write_bytes(b"no network")
    ui.trainedPath.currentPath, ui.beginWithPath.currentPath = str(tmp_path / "patient.pt"), str(tmp_path / "heads.pt")
    with refused(landmark_panel, "heads.pt"):
        ui.trainButton.click()
    ui.beginWithPath.currentPath = ""
    (tmp_path / "empty").mkdir()
    ui.xrayFolder.currentPath = str(tmp_path / "empty")
    ui.translationPath.currentPath = str(tmp_path / "look.pt")
    with refused(landmark_panel, "empty"):
        ui.learnButton.click()
    other = tmp_path / "other.pt"
    other.write_bytes(b"no network")
    ui.trainedPath.currentPath = str(other)
    with refused(landmark_panel, "other.pt"):
        ui.trainButton.click()
    assert other.read_bytes() == b"no network" and not (tmp_path / "look.pt").exists()


def test_without_torch_a_training_says_how_to_get_it(
    landmark_panel: Any, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "torch" else find(name, *more)
    )
    stand_in.without_pytorch_extension()
    choose(landmark_panel.training.ui.headsBox, "population")
    landmark_panel.training.ui.trainedPath.currentPath = str(tmp_path / "any.pt")
    with refused(landmark_panel, "PyTorch", "Extensions Manager"):
        landmark_panel.training.ui.trainButton.click()
    landmark_panel.session.show_status()
    assert "installed when you press Train" in landmark_panel.session._ui.statusLabel.text


def test_packages_that_are_missing_are_asked_for_first(stand_in: StandIn) -> None:
    stand_in.packages.outcome = "declined"
    stand_in.load_module(REGISTRATION)
    stand_in.load_module(MODULE)
    window = stand_in.enter_module("SkullLandmarkDetection")
    assert window.panel is None
    packages = window.window.packages
    packages.installButton.click()
    assert "declined" in packages.problemLabel.text and window.panel is None
    stand_in.packages.outcome = "installed"
    packages.installButton.click()
    assert window.panel is not None and not packages.PackagesSection.visible
    assert {asked["requester"] for asked in stand_in.packages.asked} == {"SkullLandmarkDetection"}
    choose_ct(window.panel, add_ct())
    assert window.panel.ct_landmarks.ui.transferButton.enabled


def test_a_study_of_another_program_is_not_chosen(landmark_panel: Any) -> None:
    xray = add_xray()
    study = study_of([xray], (180.0,))
    definitions = json.loads(study.GetText())
    study.SetText(json.dumps(definitions).replace(definitions["definitions"], "0123456789ab"))
    landmark_panel.session.study = study
    pump(0.05)
    assert is_refusal(landmark_panel) and "other landmark definitions" in message(landmark_panel)
    assert landmark_panel.session.study is None
    usable(landmark_panel)
