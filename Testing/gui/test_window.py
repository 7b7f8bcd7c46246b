"""The module's window on the stand-in: every flow clicked through, with the real worker behind it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

if TYPE_CHECKING:
    from slicer_stand_in.installation import StandIn

pytest.importorskip("PySide6")
pytest.importorskip("slicer")

from window_patient import (
    add_ct,
    choose,
    distance_mm,
    idle,
    message,
    patient,
    pose_of,
    pump_until,
    start_registering,
    worker_processes,
    xray_files,
)

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


def test_buttons_say_what_is_missing(panel: Any) -> None:
    train, register = panel.train.ui.trainButton, panel.register.ui.registerButton
    assert not train.enabled and train.toolTip == "Choose a CT under Patient first."
    assert not register.enabled and register.toolTip == "Choose a CT under Patient first."
    panel.patient.ui.ctSelector.setCurrentNode(add_ct())
    assert train.toolTip == "Name the network's file first."
    assert register.toolTip == "Add an X-ray under X-rays first."
    panel.train.ui.networkPath.currentPath = "/tmp/head.pt"
    assert train.enabled


def test_registers_shows_the_overlay_and_says_what_it_is_worth(panel: Any) -> None:
    import slicer
    from DiffRegistrationLib.mrml.attributes import DRR, OVERLAY

    ct, (xray,) = patient(panel, 180.0)
    frames: list[int] = []
    shown = panel.overlays.show_frame
    panel.overlays.show_frame = lambda view, drr, pose: (frames.append(view), shown(view, drr, pose))
    choose(panel.register.ui.startBox, "ap")
    panel.register.ui.registerButton.click()
    assert panel.register.ui.registerButton.text == "Cancel" and panel.session.working == "register"
    pump_until(lambda: idle(panel))
    assert message(panel) == ""
    # They came while it registered.
    assert frames and set(frames) == {0}
    assert distance_mm(pose_of(ct)) < 1.0
    assert "ccepted" in panel.register.ui.verdictLabel.text
    assert xray.GetNodeReference(DRR) is not None and xray.GetNodeReference(OVERLAY) is not None
    composite = slicer.app.layoutManager().sliceWidget("XRay1").sliceLogic().GetSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == xray.GetID()
    assert composite.GetForegroundVolumeID() == xray.GetNodeReferenceID(OVERLAY)
    assert panel.results.ui.resultTable.rowCount == 1 and panel.results.chosen.report.exists()
    for mode in ("fade", "checkerboard", "edges", "colours"):
        box = panel.register.ui.overlayBox
        box.setCurrentIndex(box.findData(mode))
        wanted = xray.GetNodeReferenceID(DRR if mode == "fade" else OVERLAY)
        assert composite.GetForegroundVolumeID() == wanted
    assert panel.register.ui.opacitySlider.enabled is False
    box.setCurrentIndex(box.findData("fade"))
    panel.register.ui.opacitySlider.value = 0.25
    assert composite.GetForegroundOpacity() == pytest.approx(0.25)
    panel.register.ui.flickerBox.click()
    pump_until(lambda: composite.GetForegroundOpacity() == 1.0, 5)
    pump_until(lambda: composite.GetForegroundOpacity() == 0.0, 5)
    panel.register.ui.flickerBox.click()
    assert composite.GetForegroundOpacity() == pytest.approx(0.25)


def test_cancelling_a_registration_leaves_the_scene_and_no_process(panel: Any) -> None:
    import slicer

    ct, _xrays = patient(panel, 180.0, 90.0)
    before = slicer.mrmlScene.GetNumberOfNodes()
    start_registering(panel)
    (worker,) = worker_processes()
    tree = [worker, *worker.children(recursive=True)]
    began = time.perf_counter()
    panel.register.ui.registerButton.click()
    assert time.perf_counter() - began < 2.5
    assert idle(panel) and panel.register.ui.registerButton.text == "Register"
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in tree)
    assert ct.GetParentTransformNode() is None
    assert "Cancelled" in message(panel)
    # What showed it live is all that came.
    names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLTransformNode")}
    assert not any("pose" in name for name in names)
    assert slicer.mrmlScene.GetNumberOfNodes() >= before


@pytest.mark.slow
def test_trains_shows_the_error_and_registers_from_the_network(panel: Any, tmp_path: Path) -> None:
    import slicer

    # Depth, which one view of so coarse a head hardly shows, comes from the second one.
    ct, _xrays = patient(panel, 180.0, 90.0)
    path = tmp_path / "größe" / "head.pt"
    path.parent.mkdir()
    panel.train.ui.networkPath.currentPath = str(path)
    choose(panel.register.ui.startBox, "network")
    register = panel.register.ui.registerButton
    assert not register.enabled and register.toolTip.startswith("There is no trained network")
    states: list[str] = []
    progressed = panel.train._progressed
    panel.train._progressed = lambda told: (progressed(told), states.append(str(panel.train.ui.trainState.text)))
    panel.train.ui.minutesBox.value = 0.1
    panel.train.ui.trainButton.click()
    assert panel.train.ui.trainButton.text == "Cancel" and not register.enabled
    pump_until(lambda: idle(panel))
    assert any(state.startswith("Step") and ", off by " in state for state in states)
    assert "never saw the network is off by" in panel.train.ui.trainState.text
    assert message(panel).startswith("The network is ready") and path.exists()
    panel.train.ui.plotButton.click()
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    assert chart.GetNumberOfPlotSeriesNodes() == 2
    assert register.enabled
    register.click()
    pump_until(lambda: idle(panel))
    assert message(panel) == "" and distance_mm(pose_of(ct)) < 1.0


def test_closing_the_scene_while_it_trains_ends_the_worker(panel: Any, tmp_path: Path) -> None:
    import slicer

    patient(panel, 180.0)
    panel.train.ui.networkPath.currentPath = str(tmp_path / "head.pt")
    panel.train.ui.trainButton.click()
    pump_until(lambda: bool(worker_processes()))
    (cancelled,) = worker_processes()
    panel.train.ui.trainButton.click()
    assert idle(panel) and not cancelled.is_running()
    assert panel.train.ui.trainState.text == "Cancelled; no network was saved."
    panel.train.ui.trainButton.click()
    pump_until(lambda: bool(worker_processes()))
    (worker,) = worker_processes()
    slicer.mrmlScene.Clear()
    assert idle(panel) and not worker.is_running()
    pump_until(lambda: panel.session.parameters is not None, 5)
    assert panel.train.ui.trainButton.toolTip == "Choose a CT under Patient first."
    assert panel.xrays.ui.xrayTable.rowCount == 0


def test_preview_shows_the_views(panel: Any) -> None:
    patient(panel)
    panel.train.ui.previewButton.click()
    pump_until(lambda: idle(panel))
    assert message(panel) == "" and panel.train.ui.previewPicture.pixmap.width() > 300


def test_sliders_move_the_ct_and_the_drr_follows(panel: Any) -> None:
    from DiffRegistrationLib.mrml.drr_node import drr_of

    ct, (xray,) = patient(panel, 180.0)
    panel.manual.ui.rightSlider.value = 12.0
    pump_until(lambda: drr_of(xray) is not None)
    np.testing.assert_allclose(pose_of(ct)[:3, 3], [12.0, 0, 0], atol=1e-9)
    panel.manual.ui.aboutSuperiorSlider.value = 90.0
    assert pose_of(ct)[0, 1] == pytest.approx(-1.0)
    panel.manual.ui.resetButton.click()
    np.testing.assert_allclose(pose_of(ct), np.eye(4), atol=1e-9)
    assert panel.manual.ui.rightSlider.value == 0.0


def test_registers_from_where_the_sliders_put_it(panel: Any) -> None:
    from DiffRegistrationLib.mrml.pose_node import put_under_pose
    from fluororeg_runs import truth

    ct, _xrays = patient(panel, 180.0)
    put_under_pose(ct, truth())
    panel.manual.ui.anteriorSlider.value = 5.0
    choose(panel.register.ui.startBox, "current")
    panel.register.ui.registerButton.click()
    pump_until(lambda: idle(panel))
    assert distance_mm(pose_of(ct)) < 1.0


def test_an_x_ray_file_gets_its_camera_and_registers(panel: Any, stand_in: StandIn, tmp_path: Path) -> None:
    picture, camera = xray_files(tmp_path)
    ct, _none = patient(panel)
    stand_in.answers.files = [str(picture)]
    panel.xrays.ui.addFileButton.click()
    assert panel.xrays.ui.xrayTable.rowCount == 1
    assert panel.xrays.ui.xrayTable.item(0, 2).text() == "✕ no geometry"
    register = panel.register.ui.registerButton
    assert register.toolTip.startswith("View 1 has no geometry")
    stand_in.answers.files = str(camera)
    panel.xrays.ui.cameraFileButton.click()
    assert panel.xrays.ui.xrayTable.item(0, 2).text().startswith("✓ SDD 1000 mm")
    choose(panel.register.ui.startBox, "ap")
    register.click()
    pump_until(lambda: idle(panel))
    assert message(panel) == "" and distance_mm(pose_of(ct)) < 2.0


def test_numbers_of_the_c_arm_make_a_geometry(panel: Any, stand_in: StandIn, tmp_path: Path) -> None:
    picture, _camera = xray_files(tmp_path)
    stand_in.answers.files = [str(picture)]
    panel.xrays.ui.addFileButton.click()
    ui = panel.xrays.ui
    ui.applyGeometryButton.click()
    assert "source-detector distance" in message(panel) and "primary angle" in message(panel)
    ui.sddBox.value, ui.sodBox.value = 1000.0, 700.0
    ui.rowSpacingBox.value = ui.columnSpacingBox.value = 3.2
    ui.primaryAngleBox.value, ui.secondaryAngleBox.value = 180.0, 0.0
    ui.applyGeometryButton.click()
    assert message(panel) == ""
    # Two numbers nobody gave: the principal point and how the image lies.
    assert ui.xrayTable.item(0, 2).text().startswith("! SDD 1000 mm")
    assert "principal point" in ui.geometryDetails.text


def test_results_are_saved_and_exported(panel: Any, stand_in: StandIn, tmp_path: Path) -> None:
    patient(panel, 180.0)
    choose(panel.register.ui.startBox, "ap")
    panel.results.ui.outputPath.currentPath = str(tmp_path / "out")
    (tmp_path / "out").mkdir()
    panel.register.ui.registerButton.click()
    pump_until(lambda: idle(panel))
    (made,) = (tmp_path / "out").iterdir()
    assert {"pose.tfm", "pose.h5", "pose.json", "report.html", "result.json"} <= {p.name for p in made.iterdir()}
    panel.results.ui.reportButton.click()
    assert stand_in.opened == [f"{made}/report.html"]
    stand_in.answers.files = str(tmp_path / "table.csv")
    panel.results.ui.tableButton.click()
    assert "Head CT" in (tmp_path / "table.csv").read_text(encoding="utf-8")
    (tmp_path / "copy").mkdir()
    stand_in.answers.files = str(tmp_path / "copy")
    panel.results.ui.saveButton.click()
    assert (tmp_path / "copy" / made.name / "report.html").exists()
