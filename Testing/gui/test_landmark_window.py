"""The window of SkullLandmarkDetection on the stand-in: landmarks on a CT, and what the scene keeps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from slicer_stand_in.installation import StandIn

pytest.importorskip("PySide6")
pytest.importorskip("slicer")

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from landmark_study_scene import NAMES, cine, small_head, study_of, with_landmarks
from landmark_window import choose_ct, choose_landmark, drag, row_of, usable, worker_is_gone
from LandmarkDetectionLib.atlas.landmark_files import read_landmarks, write_landmarks
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet, LandmarkStatus
from window_patient import (
    add_ct,
    add_xray,
    choose,
    idle,
    message,
    patient,
    pose_of,
    pump,
    pump_until,
    register,
    save_scene,
)

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


def carried_landmarks(sigma_mm: float = 2.0) -> LandmarkSet:
    """The head's landmarks as a transfer leaves them."""
    known = small_head().landmarks
    count = len(known.names)
    return LandmarkSet(known.names, known.points, np.full(count, sigma_mm), (LandmarkStatus.TRANSFERRED,) * count)


def with_carried(ct: Any) -> Any:
    from LandmarkDetectionLib.mrml.ct_landmarks import put_landmarks

    return put_landmarks(ct, carried_landmarks())


def world_of(ct: Any, name: str) -> np.ndarray:
    """Where a landmark of the head lies in the world, as the CT lies now."""
    return (pose_of(ct) @ [*small_head().landmarks.point(name), 1.0])[:3]


def crosses(xray: Any) -> np.ndarray:
    """The corners of the marks on an X-ray, in its own frame (mm)."""
    from LandmarkDetectionLib.mrml.attributes import CT_PROJECTION
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(xray.GetNodeReference(CT_PROJECTION).GetPolyData().GetPoints().GetData())


def test_buttons_say_what_is_missing(landmark_panel: Any, tmp_path: Path) -> None:
    ui, training = landmark_panel.ct_landmarks.ui, landmark_panel.training.ui
    assert not ui.transferButton.enabled and ui.transferButton.toolTip == "Choose the CT first."
    assert ui.xraysState.text == "None yet." and not ui.openButton.isHidden()
    ct = choose_ct(landmark_panel, add_ct())
    add_xray()
    pump(0.05)
    assert ui.transferButton.enabled and ui.xraysState.text == "X-ray AP" and ui.openButton.isHidden()
    assert not ui.saveButton.enabled and ui.saveButton.toolTip.startswith("Carry landmarks over")
    with_landmarks(ct)
    pump(0.05)
    assert ui.saveButton.enabled and ui.resetButton.toolTip == "Choose a landmark in the table first."
    assert training.trainButton.toolTip == "Name the network's file first."
    training.trainedPath.currentPath = str(tmp_path / "patient")
    assert training.trainButton.enabled and landmark_panel.training.network == tmp_path / "patient.pt"
    training.beginWithPath.currentPath = str(tmp_path / "heads.pt")
    assert training.trainButton.toolTip == "There is no such network to begin with."
    (tmp_path / "patient.pt").touch()
    training.beginWithPath.currentPath = str(tmp_path / "patient")
    assert training.trainButton.toolTip.startswith("Begin with another file")
    training.beginWithPath.currentPath = ""
    assert training.trainButton.enabled
    assert training.learnButton.toolTip == "Name a folder of X-rays first."
    training.xrayFolder.currentPath = str(tmp_path / "none")
    assert training.learnButton.toolTip == "There is no such folder of X-rays."
    ui.ctSelector.setCurrentNode(None)
    assert training.trainButton.toolTip.startswith("Choose a CT")
    choose(training.headsBox, "population")
    assert training.trainButton.enabled


def test_both_modules_show_one_scene_and_leave_each_other_s_views_alone(
    landmark_window: Any, stand_in: StandIn
) -> None:
    import slicer

    registration = stand_in.enter_module("DiffRegistration").panel
    ct, (xray,) = patient(registration, 180.0)
    register(registration)
    composite = slicer.app.layoutManager().sliceWidget("XRay1").sliceLogic().GetSliceCompositeNode()
    assert composite.GetForegroundOpacity() == 1.0
    panel = stand_in.enter_module("SkullLandmarkDetection").panel
    assert panel is landmark_window.panel and panel.session.ct is ct
    assert composite.GetBackgroundVolumeID() == xray.GetID() and composite.GetForegroundOpacity() == 0.0
    stand_in.enter_module("DiffRegistration")
    assert composite.GetForegroundOpacity() == 1.0
    panel.ct_landmarks.ui.openButton.click()
    assert slicer.util.selectedModule() == "DiffRegistration"


def test_landmarks_come_from_a_file_follow_the_hand_and_go_back(
    landmark_panel: Any, stand_in: StandIn, tmp_path: Path
) -> None:
    ui = landmark_panel.ct_landmarks.ui
    choose_ct(landmark_panel, add_ct())
    given = tmp_path / "given.mrk.json"
    write_landmarks(given, carried_landmarks(5.0))
    stand_in.answers.files = str(given)
    ui.loadButton.click()
    pump(0.05)
    assert ui.ctLandmarkTable.rowCount == 55 and ui.transferState.text == "55 of 55 landmarks have a place."
    assert row_of(landmark_panel, "nasion") == ["Nasion", "midline", "! carried over", "5.0"]
    choose_landmark(landmark_panel, "nasion")
    assert not ui.resetButton.enabled and ui.resetButton.toolTip == "This landmark has not been moved."
    drag(landmark_panel.ct_landmarks.table.list_node, "nasion", 3.0, 0.0, 0.0)
    assert row_of(landmark_panel, "nasion")[2:] == ["corrected by hand", "1.5"]
    stand_in.answers.files = str(tmp_path / "corrected")
    ui.saveButton.click()
    saved = read_landmarks(tmp_path / "corrected.mrk.json")
    np.testing.assert_allclose(saved.point("nasion") - small_head().landmarks.point("nasion"), [3, 0, 0], atol=0.002)
    assert saved.status[NAMES.index("nasion")] == LandmarkStatus.CORRECTED
    assert set(saved.status) == {LandmarkStatus.CORRECTED, LandmarkStatus.TRANSFERRED}
    assert ui.resetButton.enabled
    ui.resetButton.click()
    pump(0.1)
    assert row_of(landmark_panel, "nasion")[2:] == ["! carried over", "5.0"]


def test_points_that_a_person_placed_become_the_ct_s(landmark_panel: Any) -> None:
    import slicer

    ct = choose_ct(landmark_panel, add_ct())
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Mine")
    for name in ("nasion", "glabella", "porion right", "Porion Left", "menton"):
        own.AddControlPointWorld(small_head().landmarks.point(name.lower()), name)
    ui = landmark_panel.ct_landmarks.ui
    ui.pointsSelector.setCurrentNode(own)
    ui.adoptButton.click()
    pump(0.05)
    assert row_of(landmark_panel, "porion left")[2] == "placed by hand"
    assert row_of(landmark_panel, "inion")[2:] == ["no place", ""]
    assert ui.transferState.text == "The landmarks are those of Mine now." and ui.pointsSelector.currentNode() is None
    np.testing.assert_allclose(
        landmark_panel.ct_landmarks.table.landmarks.point("nasion"), small_head().landmarks.point("nasion"), atol=1e-6
    )
    assert landmark_panel.session.ct is ct


def test_a_row_brings_the_landmark_into_the_middle_of_all_views(landmark_panel: Any) -> None:
    import slicer
    from DiffRegistrationLib.mrml.pose_node import put_under_pose
    from DiffRegistrationLib.mrml.xray_node import camera_of
    from fluororeg_runs import truth

    ct = with_landmarks(add_ct())
    put_under_pose(ct, truth())
    xray = add_xray(90.0)
    choose_ct(landmark_panel, ct)
    space = slicer.app.layoutManager().threeDWidget(0).threeDView().cameraNode()
    away = np.array(space.GetPosition()) - np.array(space.GetFocalPoint())
    slice_views = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    plane = np.array(slicer.util.arrayFromVTKMatrix(xray_view().GetSliceToRAS()))
    choose_landmark(landmark_panel, "menton")
    menton = world_of(ct, "menton")
    for view in slice_views:
        if view.GetLayoutName() != "XRay1":
            middle = np.array(slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS()))[:3, 3]
            np.testing.assert_allclose(middle, menton, atol=1e-6)
    np.testing.assert_allclose(space.GetFocalPoint(), menton, atol=1e-6)
    np.testing.assert_allclose(np.array(space.GetPosition()) - menton, away, atol=1e-6)
    # The X-ray's view stays on the detector, and turns to where the landmark is seen.
    now = np.array(slicer.util.arrayFromVTKMatrix(xray_view().GetSliceToRAS()))
    np.testing.assert_allclose(now[:3, :3], plane[:3, :3], atol=1e-9)
    assert abs((now[:3, 3] - plane[:3, 3]) @ plane[:3, 2]) < 1e-6
    camera = camera_of(xray)
    np.testing.assert_allclose(camera.project(now[None, :3, 3]), camera.project(menton[None]), atol=1e-4)
    assert np.linalg.norm(now[:3, 3] - plane[:3, 3]) > 20


def xray_view() -> Any:
    import slicer

    return slicer.app.layoutManager().sliceWidget("XRay1").mrmlSliceNode()


def test_marks_in_the_x_rays_follow_while_the_section_is_open(landmark_panel: Any) -> None:
    from DiffRegistrationLib.mrml.pose_node import put_under_pose
    from DiffRegistrationLib.mrml.scene import ras_from_ijk
    from DiffRegistrationLib.mrml.xray_node import camera_of
    from fluororeg_runs import truth
    from LandmarkDetectionLib.mrml.attributes import CT_PROJECTION

    ct = with_landmarks(add_ct())
    xrays = [add_xray(180.0), add_xray(90.0, "X-ray lateral")]
    choose_ct(landmark_panel, ct)
    ui = landmark_panel.ct_landmarks.ui
    before = crosses(xrays[1])
    put_under_pose(ct, truth())
    assert len(before) == len(crosses(xrays[1])) == 4 * 55 and abs(crosses(xrays[1]) - before).max() > 1
    # Middles of the crosses, as pixels.
    middles = crosses(xrays[1]).reshape(55, 4, 3).mean(axis=1)
    pixels = (np.linalg.inv(ras_from_ijk(xrays[1])) @ np.column_stack([middles, np.ones(55)]).T).T[:, :2]
    world = np.array([world_of(ct, name) for name in NAMES])
    np.testing.assert_allclose(pixels, camera_of(xrays[1]).project(world), atol=0.01)
    shown_in = set(xrays[1].GetNodeReference(CT_PROJECTION).GetDisplayNode().GetViewNodeIDs())
    assert "vtkMRMLSliceNodeXRay2" in shown_in and not shown_in & {"vtkMRMLSliceNodeXRay1", "vtkMRMLSliceNodeRed"}
    assert any(name.startswith("vtkMRMLViewNode") for name in shown_in)
    ui.crossesBox.checked = False
    assert xrays[1].GetNodeReference(CT_PROJECTION) is None
    ui.crossesBox.checked = True
    assert xrays[0].GetNodeReference(CT_PROJECTION) is not None
    ui.sectionButton.collapsed = True
    assert xrays[0].GetNodeReference(CT_PROJECTION) is None


@pytest.mark.slow
def test_landmarks_are_carried_over_and_can_be_cancelled(
    landmark_panel: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLUOROREG_DATA", str(tmp_path))
    monkeypatch.setenv("FLUOROREG_CACHE", str(tmp_path))
    ct = choose_ct(landmark_panel, add_ct())
    ui = landmark_panel.ct_landmarks.ui
    ui.transferButton.click()
    assert ui.transferButton.text == "Cancel" and not ui.ctSelector.enabled
    pump_until(lambda: ui.transferState.text == "Reading the bone…")
    ui.transferButton.click()
    assert idle(landmark_panel) and ui.transferState.text == "Cancelled; the landmarks are as they were."
    assert landmark_panel.ct_landmarks.table.landmarks is None and worker_is_gone()
    ui.transferButton.click()
    pump_until(lambda: idle(landmark_panel), 900)
    pump(0.1)
    assert message(landmark_panel).startswith("The landmarks lie on the CT")
    found = landmark_panel.ct_landmarks.table.landmarks
    off = np.linalg.norm(found.points - small_head().landmarks.points, axis=1)
    assert np.median(off) < 4.0
    assert landmark_panel.session.ct is ct
    usable(landmark_panel)


def test_what_a_transfer_says_is_shown_and_doubt_stands_out(
    landmark_panel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LandmarkDetectionLib.mrml.landmark_job_results import Carried

    ct = choose_ct(landmark_panel, add_ct())
    ui = landmark_panel.ct_landmarks.ui
    many = "Look at these before they are used: " + ", ".join(f"{name} (± 6 mm)" for name in NAMES) + "."

    listeners: list[Any] = []
    monkeypatch.setattr(
        landmark_panel.session.logic, "transfer", lambda ct_node, *, wait, listener: listeners.append(listener)
    )
    ui.transferButton.click()
    assert ui.transferButton.text == "Cancel"
    listeners[0].finished(Carried(with_carried(ct), ("It does not fit well.", many), True))
    pump(0.05)
    said = str(ui.transferState.text)
    assert said.startswith("Doubtful: look at each") and "It does not fit well." in said
    assert len(said) < 400 and "(! in the table)" in said and many in ui.transferState.toolTip
    assert "#c77700" in ui.transferState.styleSheet
    assert row_of(landmark_panel, "nasion")[2:] == ["carried over", "2.0"]
    # Of another CT nothing is said.
    choose_ct(landmark_panel, add_ct("Another"))
    assert ui.transferState.text == "" and ui.ctLandmarkTable.rowCount == 0
    assert choose_ct(landmark_panel, ct) is ct and ui.ctLandmarkTable.rowCount == 55


def test_the_chosen_study_follows_the_frames_and_lets_go(landmark_panel: Any) -> None:
    import slicer
    from DiffRegistrationLib.mrml.xray_sequence import browser_of
    from LandmarkDetectionLib.mrml.landmark_study import nodes_of_view, remove_study

    nodes = [cine((3, 4, 5), angle, f"Cine {angle:g}") for angle in (180.0, 90.0)]
    study = study_of(nodes, (180.0, 90.0), (3, 4, 5))
    session = landmark_panel.session
    heard: list[int | None] = []
    session.frame_listeners.append(lambda: heard.append(session.frame()))
    session.study = study
    assert session.frames() == (3, 4, 5) and session.frame() == 3
    shown_in = [set(nodes_of_view(study, view)[0].GetDisplayNode().GetViewNodeIDs()) for view in (0, 1)]
    assert "vtkMRMLSliceNodeXRay1" in shown_in[0] and "vtkMRMLSliceNodeXRay1" not in shown_in[1]
    for place in (1, 2):
        browser_of(nodes[0]).SetSelectedItemNumber(place)
    pump(0.05)
    # However many frames it ran through, sections are told once.
    assert session.frame() == 5 and heard == [5]
    remove_study(study)
    pump(0.05)
    assert session.study is None and session.frames() == () and session.frame() is None
    browser_of(nodes[0]).SetSelectedItemNumber(0)
    pump(0.05)
    assert heard == [5] and slicer.mrmlScene.IsNodePresent(nodes[0])


def test_a_saved_scene_comes_back_into_the_window(landmark_panel: Any, tmp_path: Path) -> None:
    import slicer

    ct = add_ct()
    with_carried(ct)
    nodes = [add_xray(180.0), add_xray(90.0, "X-ray lateral")]
    choose_ct(landmark_panel, ct)
    drag(landmark_panel.ct_landmarks.table.list_node, "nasion", 0.0, 4.0, 0.0)
    landmark_panel.session.study = study_of(nodes, (180.0, 90.0), ct=ct)
    choose(landmark_panel.training.ui.rangesBox, "lateral")
    landmark_panel.session.parameters.minutes = 3.0
    file = save_scene(tmp_path / "saved")
    slicer.mrmlScene.Clear()
    pump(0.1)
    assert landmark_panel.ct_landmarks.ui.ctLandmarkTable.rowCount == 0 and landmark_panel.session.study is None
    slicer.util.loadScene(str(file))
    pump(0.1)
    session = landmark_panel.session
    assert session.ct.GetName() == "Head CT" and session.frames() == (0,)
    assert row_of(landmark_panel, "nasion")[2:] == ["corrected by hand", "1.5"]
    assert landmark_panel.training.ui.rangesBox.currentData == "lateral"
    assert landmark_panel.training.ui.minutesBox.value == 3.0
    assert len(crosses(session.views()[0])) == 4 * 55
    usable(landmark_panel)


def test_reloading_the_module_lets_go_of_the_window_before(landmark_window: Any, stand_in: StandIn) -> None:
    import slicer

    ct = choose_ct(landmark_window.panel, with_landmarks(add_ct()))
    add_xray()
    landmark_window.onReload()
    pump(0.1)
    reloaded = slicer.util.getModuleWidget("SkullLandmarkDetection")
    assert reloaded is not landmark_window and reloaded.panel.session.ct is ct
    assert landmark_window.panel.session.parameters is None
    drag(reloaded.panel.ct_landmarks.table.list_node, "nasion", 2.0, 0.0, 0.0)
    assert row_of(reloaded.panel, "nasion")[3] == "1.5"
    usable(reloaded.panel)
    assert stand_in.qt_warnings == []
