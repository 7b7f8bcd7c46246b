"""The sections that find, triangulate, show and write landmarks, on the stand-in, with the real worker behind them."""

from __future__ import annotations

import csv
import json
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

from landmark_study_scene import (
    NAMES,
    cine,
    network_file,
    pose_at,
    small_head,
    study_of,
    use_small_template,
    with_landmarks,
)
from landmark_window import choose_ct
from window_patient import add_ct, add_xray, choose, idle, message, pose_of, pump, pump_until

pytestmark = [pytest.mark.gui, pytest.mark.mrml]

NASION, MENTON = NAMES.index("nasion"), NAMES.index("menton")


def xrays(*angles: float) -> list[Any]:
    """X-rays of the head by their primary angles, views of the scene."""
    return [add_xray(angle, f"X-ray {angle:g}") for angle in angles]


def looked_at(panel: Any, *angles: float, numbers: Any = (0,), ct: Any = None) -> tuple[Any, list[Any]]:
    """A study of X-rays, or of sequences where there are several frames, which is chosen; its X-rays."""
    nodes = [cine(numbers, angle, f"Cine {angle:g}") for angle in angles] if len(numbers) > 1 else xrays(*angles)
    study = study_of(nodes, angles, numbers, ct)
    panel.session.study = study
    pump(0.05)
    return study, nodes


def tick(table: Any, row: int, column: int, ticked: bool) -> None:
    """Put a tick into a cell, or take it off."""
    import qt

    table.item(row, column).setCheckState(qt.Qt.Checked if ticked else qt.Qt.Unchecked)
    pump(0.05)


def is_ticked(table: Any, row: int, column: int) -> bool:
    import qt

    return bool(table.item(row, column).checkState() == qt.Qt.Checked)


def cells(table: Any, row: int) -> list[str]:
    return [str(table.item(row, column).text()) for column in range(table.columnCount)]


def numbers_of_run(panel: Any) -> tuple[int, ...]:
    from LandmarkDetectionLib.mrml.landmark_study import run_of

    return run_of(panel.session.study).numbers


def off_mm(pose: np.ndarray, step: int = 0) -> float:
    """Mean distance of the landmarks under a pose from where they truly are."""
    points = np.column_stack([small_head().landmarks.points, np.ones(len(NAMES))])
    return float(np.linalg.norm((points @ (pose - pose_at(step)).T)[:, :3], axis=1).mean())


def detect(panel: Any) -> None:
    """Press the button, and wait for the end."""
    button = panel.detect.ui.detectButton
    assert button.enabled, button.toolTip
    button.click()
    pump_until(lambda: idle(panel))
    pump(0.05)
    assert panel.session.study is not None, message(panel)


# Find landmarks.


def test_buttons_say_what_is_missing(landmark_panel: Any, tmp_path: Path) -> None:
    panel = landmark_panel
    find = panel.detect.ui.detectButton
    assert not find.enabled and find.toolTip == "Add an X-ray in the module DiffRegistration first."
    xrays(180.0)
    pump(0.05)
    assert find.toolTip.startswith("Name the network's file first")
    panel.detect.ui.networkPath.currentPath = str(tmp_path / "head.pt")
    assert find.toolTip == "There is no network in the file named here."
    (tmp_path / "head.pt").touch()
    panel.detect.ui.networkPath.currentPath = f"{tmp_path / 'head.pt'} "
    assert find.enabled, find.toolTip
    tick(panel.detect.ui.viewTable, 0, 0, False)
    assert find.toolTip == "Tick an X-ray."
    skull = panel.skull_exposure.ui
    for button in (panel.triangulate.ui.placeButton, skull.skullButton, panel.results.ui.tableButton):
        assert not button.enabled and button.toolTip == "Find landmarks in X-rays first."
    assert skull.exposureButton.toolTip == "Choose a CT under Landmarks on the CT first."
    assert "not a dose" in skull.notDoseLabel.text


def test_landmarks_are_found_in_two_views_and_can_be_gone_to(landmark_panel: Any, tmp_path: Path) -> None:
    from LandmarkDetectionLib.mrml.landmark_study import run_of, studies_in_scene, xrays_of

    panel = landmark_panel
    ap, lateral = xrays(180.0, 90.0)
    pump(0.05)
    panel.detect.ui.networkPath.currentPath = str(network_file(tmp_path / "network.pt"))
    said: list[str] = []
    progressed = panel.detect._progressed
    panel.detect._progressed = lambda told: (progressed(told), said.append(str(panel.detect.ui.detectState.text)))
    assert panel.detect.ui.framesBox.enabled is False
    panel.detect.ui.detectButton.click()
    assert panel.session.working == "detect" and panel.detect.ui.detectButton.text == "Cancel"
    assert panel.detect.ui.keepButton.enabled and not panel.triangulate.ui.placeButton.enabled
    pump_until(lambda: idle(panel))
    pump(0.05)
    assert any("X-ray 180" in words and "landmarks in the image" in words for words in said), said
    study = panel.session.study
    assert studies_in_scene() == [study] and xrays_of(study) == [ap, lateral]
    assert message(panel).startswith("One frame done.")
    # What has learnt nothing is not sure of anything, and says so.
    assert "X-ray 180 is doubtful." in message(panel) and "Doubtful" in panel.detect.ui.frameState.text
    table, found = panel.detect.ui.landmarkTable, run_of(study).at(0, 1)
    assert table.rowCount == 55 and panel.detect.ui.tableViewBox.count == 2
    panel.detect.ui.tableViewBox.setCurrentIndex(1)
    name, side, u, v, *_rest = cells(table, NASION)
    assert (name, side) == ("Nasion", "midline")
    np.testing.assert_allclose([float(one.replace("−", "-")) for one in (u, v)], found.pixels[NASION], atol=0.06)
    panel.detect.ui.removeButton.click()
    pump(0.05)
    assert studies_in_scene() == [] and panel.session.study is None and table.rowCount == 0


def test_frames_are_chosen_stopped_and_cancelled(landmark_panel: Any, tmp_path: Path) -> None:
    import slicer
    from DiffRegistrationLib.mrml.sequence_items import browser_of

    panel = landmark_panel
    node = cine(range(10, 15))
    pump(0.05)
    ui = panel.detect.ui
    ui.networkPath.currentPath = str(network_file(tmp_path / "network.pt"))
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    # Cancelled before anything came.
    ui.detectButton.click()
    ui.detectButton.click()
    assert idle(panel) and "Cancelled" in message(panel) and slicer.mrmlScene.GetNumberOfNodes() == nodes
    assert (ui.firstBox.value, ui.lastBox.value) == (10, 14) and not ui.firstBox.enabled
    choose(ui.framesBox, "shown")
    browser_of(node).SetSelectedItemNumber(2)
    detect(panel)
    assert numbers_of_run(panel) == (12,)
    choose(ui.framesBox, "range")
    ui.firstBox.value, ui.lastBox.value = 14, 11
    assert not ui.detectButton.enabled and "after the last" in ui.detectButton.toolTip
    ui.firstBox.value, ui.lastBox.value = 11, 12
    detect(panel)
    assert numbers_of_run(panel) == (11, 12) and ui.studyBox.count == 2
    choose(ui.framesBox, "all")
    ui.detectButton.click()
    pump_until(lambda: "Frame 10" in ui.detectState.text)
    ui.keepButton.click()
    pump_until(lambda: idle(panel))
    done = numbers_of_run(panel)
    assert done == tuple(range(10, 10 + len(done)))
    if len(done) < 5:
        assert message(panel).startswith("Stopped; what was done is kept.")


def test_a_run_gets_the_network_style_ct_x_rays_and_frames_that_were_chosen(
    landmark_panel: Any, tmp_path: Path
) -> None:
    panel = landmark_panel
    cine(range(3), 180.0, "AP")
    lateral = cine(range(3), 90.0, "Lateral")
    ct = choose_ct(panel, add_ct())
    ui = panel.detect.ui
    for name, edit in (("network.pt", ui.networkPath), ("style.pt", ui.stylePath)):
        (tmp_path / name).touch()
        edit.currentPath = str(tmp_path / name)
    given: list[Any] = []
    panel.session.logic.detect = lambda *values, **named: given.append((*values, named))
    tick(ui.viewTable, 0, 0, False)
    choose(ui.framesBox, "range")
    ui.firstBox.value = 1
    ui.sharpenBox.click()
    ui.detectButton.click()
    ((network, nodes, named),) = given
    assert network == tmp_path / "network.pt" and nodes == [lateral]
    assert named["style"] == tmp_path / "style.pt" and named["ct_node"] is ct and named["frames"] == [1, 2]
    panel.detect.cancel()


def test_without_a_ct_a_template_sharpens_and_a_ct_takes_its_place_unticked(
    landmark_panel: Any, tmp_path: Path
) -> None:
    panel = landmark_panel
    cine(range(2), 180.0, "AP")
    ui = panel.detect.ui
    (tmp_path / "network.pt").touch()
    ui.networkPath.currentPath = str(tmp_path / "network.pt")
    given: list[Any] = []
    panel.session.logic.detect = lambda *values, **named: given.append(named)
    assert str(ui.sharpenBox.text) == "Sharpen by a template head" and not ui.sharpenBox.checked
    ui.sharpenBox.click()
    ui.detectButton.click()
    assert given[0]["template"] and given[0]["ct_node"] is None and given[0]["depth_mm"] is None
    panel.detect.cancel()
    ui.depthBox.value = 750.0
    ui.detectButton.click()
    assert given[1]["depth_mm"] == 750.0
    panel.detect.cancel()
    choose_ct(panel, add_ct())
    assert str(ui.sharpenBox.text) == "Sharpen by the CT" and not ui.sharpenBox.checked


def test_the_slider_the_browser_and_the_tables_go_through_frames_together(landmark_panel: Any) -> None:
    from DiffRegistrationLib.mrml.sequence_items import browser_of
    from LandmarkDetectionLib.mrml.landmark_study import run_of, shown_frame

    panel = landmark_panel
    study, (ap, lateral) = looked_at(panel, 180.0, 90.0, numbers=(5, 6, 8))
    ui = panel.detect.ui
    assert ui.frameSlider.maximum == 2 and not ui.previousButton.enabled
    residual = cells(panel.triangulate.ui.residualTable, NASION)
    ui.frameSlider.setValue(2)
    pump(0.05)
    assert shown_frame(study) == 8 and "Frame 8, 3 of 3." in ui.frameState.text
    assert [browser_of(node).GetSelectedItemNumber() for node in (ap, lateral)] == [2, 2]
    u = float(cells(ui.landmarkTable, NASION)[2])
    assert u == pytest.approx(run_of(study).at(8, 0).pixels[NASION, 0], abs=0.06)
    assert cells(panel.triangulate.ui.residualTable, NASION) != residual
    browser_of(lateral).SetSelectedItemNumber(1)
    pump(0.05)
    assert shown_frame(study) == 6 and ui.frameSlider.value == 1
    assert float(cells(ui.landmarkTable, NASION)[2]) == pytest.approx(
        run_of(study).at(6, 0).pixels[NASION, 0], abs=0.06
    )
    ui.previousButton.click()
    pump(0.05)
    assert shown_frame(study) == 5 and browser_of(ap).GetSelectedItemNumber() == 0
    assert cells(panel.triangulate.ui.residualTable, NASION) == residual


def test_a_landmark_of_a_table_is_shown_in_all_views(landmark_panel: Any) -> None:
    import slicer
    from DiffRegistrationLib.mrml.xray_node import camera_of
    from LandmarkDetectionLib.mrml.landmark_study import points_of, run_of

    panel = landmark_panel
    study, nodes = looked_at(panel, 180.0, 90.0)
    point = points_of(study).points[NASION]
    for table in (panel.detect.ui.landmarkTable, panel.triangulate.ui.residualTable):
        table.selectRow(MENTON)
        table.selectRow(NASION)
        pump(0.05)
        for view, xray in enumerate(nodes):
            slice_node = slicer.app.layoutManager().sliceWidget(f"XRay{view + 1}").mrmlSliceNode()
            middle = slicer.util.arrayFromVTKMatrix(slice_node.GetSliceToRAS())[:3, 3]
            seen = camera_of(xray).project(middle[None])[0]
            np.testing.assert_allclose(seen, run_of(study).at(0, view).pixels[NASION], atol=0.1)
        for camera in slicer.util.getNodesByClass("vtkMRMLCameraNode"):
            np.testing.assert_allclose(camera.GetFocalPoint(), point, atol=0.01)


# Triangulate.


def test_a_point_that_is_switched_off_changes_the_result_at_once(landmark_panel: Any) -> None:
    from LandmarkDetectionLib.mrml.landmark_study import points_of, switched_off

    panel = landmark_panel
    study, _nodes = looked_at(panel, 180.0, 90.0)
    ui = panel.triangulate.ui
    assert "of 55 landmarks triangulated; X-rays agree to" in ui.triangulateState.text
    before, words = points_of(study), str(ui.triangulateState.text)
    assert before.how[NASION] == "triangulated" and cells(ui.residualTable, NASION)[1] == "triangulated"
    assert not ui.useAllButton.enabled
    tick(ui.residualTable, NASION, 4, False)
    after = points_of(study)
    assert switched_off(study) == {(0, 1): {"nasion"}} and after.how[NASION] == "one view"
    assert cells(ui.residualTable, NASION)[1] == "one view" and ui.triangulateState.text != words
    assert after.uncertainty_mm[NASION] > 3 * before.uncertainty_mm[NASION]
    ui.useAllButton.click()
    pump(0.05)
    np.testing.assert_allclose(points_of(study).points, before.points)
    assert is_ticked(ui.residualTable, NASION, 4) and ui.triangulateState.text == words


def test_boxes_show_and_hide_what_is_drawn(landmark_panel: Any) -> None:
    from LandmarkDetectionLib.mrml.attributes import ERRORS_IN_SPACE, RAYS, RESIDUALS
    from LandmarkDetectionLib.mrml.study_node import own_node

    panel = landmark_panel
    study, _nodes = looked_at(panel, 180.0, 90.0)
    ui = panel.triangulate.ui
    named = ((ui.raysBox, RAYS), (ui.residualsBox, f"{RESIDUALS}2"), (ui.ellipsoidsBox, ERRORS_IN_SPACE))
    for box, name in named:
        model = own_node(study, name)
        assert bool(box.checked) == bool(model.GetDisplayVisibility())
        for _again in range(2):
            shown = bool(box.checked)
            box.click()
            assert bool(model.GetDisplayVisibility()) is not shown


def test_the_ct_is_placed_by_landmarks_refined_and_handed_on(landmark_panel: Any) -> None:
    import slicer

    panel = landmark_panel
    _study, _nodes = looked_at(panel, 180.0, 90.0)
    ui = panel.triangulate.ui
    assert ui.placeButton.toolTip == "Choose a CT under Landmarks on the CT first."
    ct = choose_ct(panel, add_ct())
    assert ui.placeButton.toolTip.startswith("The CT has no landmarks")
    choose_ct(panel, with_landmarks(ct))
    ui.placeButton.click()
    pump(0.05)
    placed = pose_of(ct)
    assert message(panel) == "" and off_mm(placed) < 1.0
    assert str(ui.placeState.text).startswith("✓ ")
    ui.refineButton.click()
    assert panel.session.working == "register" and ui.refineButton.text == "Cancel" and not ui.undoButton.enabled
    pump_until(lambda: idle(panel))
    pump(0.05)
    assert message(panel) == "" and off_mm(pose_of(ct)) < 0.5 and "ccepted" in ui.placeState.text
    ui.undoButton.click()
    np.testing.assert_allclose(pose_of(ct), placed)
    ui.undoButton.click()
    assert ct.GetParentTransformNode() is None and not ui.undoButton.enabled
    ui.goOnButton.click()
    pump(0.05)
    assert slicer.util.selectedModule() == "DiffRegistration"
    assert slicer.util.getModuleLogic("DiffRegistration").getParameterNode().ct is ct


# Skull and exposure.


def test_the_skull_of_a_frame_is_made_and_written(landmark_panel: Any, tmp_path: Path, stand_in: StandIn) -> None:
    panel = landmark_panel
    use_small_template(panel, tmp_path / "site")
    looked_at(panel, 180.0, 90.0)
    ui = panel.skull_exposure.ui
    assert not ui.saveSkullButton.enabled
    ui.skullButton.click()
    assert panel.session.working == "skull" and ui.skullButton.text == "Cancel"
    pump_until(lambda: idle(panel))
    pump(0.05)
    assert message(panel) == "" and "mm on average" in ui.skullState.text
    for name in ("skull.stl", "skull.vtp"):
        stand_in.answers.files = str(tmp_path / name)
        ui.saveSkullButton.click()
        assert message(panel) == f"Saved as {tmp_path / name}." and (tmp_path / name).stat().st_size > 10_000
    assert b"StandardDeviationMm" in (tmp_path / "skull.vtp").read_bytes()


def test_exposure_says_frame_by_frame_whether_the_beam_reached_the_eyes(landmark_panel: Any, tmp_path: Path) -> None:
    from DiffRegistrationLib.mrml.pose_node import put_under_pose

    panel = landmark_panel
    xrays(180.0, 90.0)
    ct = choose_ct(panel, with_landmarks(add_ct()))
    put_under_pose(ct, pose_at())
    ui = panel.skull_exposure.ui
    (tmp_path / "out").mkdir()
    ui.exposurePath.currentPath = str(tmp_path / "out")
    ui.masBox.value = 2.0
    assert not ui.secondsBox.enabled and ui.exposureButton.enabled, ui.exposureButton.toolTip
    ui.exposureButton.click()
    assert panel.session.working == "exposure" and ui.exposureButton.text == "Cancel"
    pump_until(lambda: idle(panel))
    pump(0.05)
    (folder,) = (tmp_path / "out").iterdir()
    assert message(panel) == f"Saved in {folder}." and (folder / "exposure.csv").is_file()
    assert ui.exposureTable.rowCount == 2 and "in" in cells(ui.exposureTable, 0)[1]
    assert "reached the right lens in 2" in ui.exposureState.text
    assert ui.mapBox.checked
    model = panel.skull_exposure.exposure._model()
    ui.mapBox.click()
    assert not model.GetDisplayNode().GetVisibility()
    assert "not a dose" in ui.notDoseLabel.text


# Results.


def test_results_are_written_and_opened(landmark_panel: Any, tmp_path: Path, stand_in: StandIn) -> None:
    panel = landmark_panel
    looked_at(panel, 180.0, 90.0, numbers=(3, 4))
    ui, folder = panel.results.ui, tmp_path / "Ergebnisse für Müller"
    panel.detect.ui.networkPath.currentPath = str(network_file(tmp_path / "network.pt"))
    assert ui.tableButton.toolTip == "Choose the folder first."
    ui.resultPath.currentPath = str(folder)
    ui.tableButton.click()
    assert message(panel) == f"Saved as {folder / 'landmarks.csv'}."
    with (folder / "landmarks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 55 and {row["Frame"] for row in rows} == {"3", "4"}
    ui.tableButton.click()
    assert (folder / "landmarks-2.csv").is_file()
    panel.detect.ui.frameSlider.setValue(1)
    ui.pointsButton.click()
    written = json.loads((folder / "landmarks-frame-4.mrk.json").read_text(encoding="utf-8"))
    assert len(written["markups"][0]["controlPoints"]) == 55
    ui.reportButton.click()
    report = folder / "report-frame-4.html"
    assert stand_in.opened == [str(report)] and "Cine" not in report.read_text(encoding="utf-8")
    ui.openReportButton.click()
    ui.openFolderButton.click()
    assert stand_in.opened == [str(report), str(report), str(folder)]


def test_a_closed_scene_leaves_nothing_behind(landmark_panel: Any) -> None:
    import slicer

    panel = landmark_panel
    looked_at(panel, 180.0, 90.0)
    slicer.mrmlScene.Clear()
    pump(0.1)
    assert panel.session.study is None and panel.detect.ui.landmarkTable.rowCount == 0
    assert panel.triangulate.ui.residualTable.rowCount == 0 and panel.detect.ui.studyBox.count == 0
    assert panel.triangulate.ui.triangulateState.text == "" and panel.results.ui.resultState.text == ""
