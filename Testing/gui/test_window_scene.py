"""The window and the scene: saved and opened, reloaded, without a main window, with views that come and go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from slicer_stand_in.installation import StandIn

pytest.importorskip("PySide6")
pytest.importorskip("slicer")

from window_patient import (
    MODULE,
    add_ct,
    add_xray,
    choose,
    distance_mm,
    idle,
    message,
    open_window,
    patient,
    pose_of,
    pump,
    pump_until,
    register,
    save_scene,
    scene_in_words,
    start_registering,
    usable,
    worker_processes,
    xray_files,
)

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


def layout() -> int:
    import slicer

    return int(slicer.app.layoutManager().layout)


def test_a_saved_scene_comes_back_into_the_window_and_is_saved_again(panel: Any, tmp_path: Path) -> None:
    import slicer

    ct, _xrays = patient(panel, 180.0)
    register(panel)
    choose(panel.register.ui.overlayBox, "edges")
    choose(panel.train.ui.presetBox, "wrist")
    verdict, pose = str(panel.register.ui.verdictLabel.text), pose_of(ct)
    assert "ccepted" in verdict
    for number in (1, 2):
        file = save_scene(tmp_path / f"saved {number}")
        if number == 1:
            slicer.mrmlScene.Clear()
            pump(0.1)
            assert panel.xrays.ui.xrayTable.rowCount == 0 and panel.register.ui.verdictLabel.text == ""
            assert panel.register.ui.poseLabel.text == "" and panel.results.ui.resultTable.rowCount == 0
        # The second time it takes the place of the scene that is there, in one batch.
        slicer.util.loadScene(str(file), {"clear": number == 2})
        pump(0.1)
        found = panel.session.ct
        assert found is not None and found.GetName() == "Head CT"
        np.testing.assert_allclose(pose_of(found), pose, atol=1e-9)
        assert panel.patient.ui.ctDescription.text.endswith("HU")
        assert panel.xrays.ui.xrayTable.rowCount == 1
        assert panel.xrays.ui.xrayTable.item(0, 2).text().startswith("✓ SDD 1000 mm")
        assert panel.register.ui.verdictLabel.text == verdict
        assert panel.register.ui.overlayBox.currentData == "edges"
        assert panel.train.ui.presetBox.currentData == "wrist"
        assert panel.results.ui.resultTable.rowCount == 1
        assert panel.results.ui.resultTable.item(0, 0).text() == "saved"
        usable(panel)
    register(panel)
    assert message(panel) == "" and distance_mm(pose_of(panel.session.ct)) < 1.0


def test_reloading_the_module_ends_what_runs_and_begins_anew(window: Any, stand_in: StandIn) -> None:
    import slicer

    ct, _xrays = patient(window.panel, 180.0)
    window.onReload()
    pump(0.1)
    reloaded = slicer.util.getModuleWidget("DiffRegistration")
    assert reloaded is not window and reloaded.panel.session.ct is ct
    assert reloaded.panel.xrays.ui.xrayTable.rowCount == 1
    start_registering(reloaded.panel)
    (worker,) = worker_processes()
    reloaded.onReload()
    assert not worker.is_running() and not worker_processes()
    pump(0.2)
    panel = slicer.util.getModuleWidget("DiffRegistration").panel
    usable(panel)
    # The windows before neither listen nor speak.
    assert window.panel.session.parameters is None and reloaded.panel.session.parameters is None
    register(panel)
    assert message(panel) == "" and distance_mm(pose_of(ct)) < 1.0


def test_scripts_need_no_main_window(stand_in: StandIn, tmp_path: Path) -> None:
    import slicer
    from DiffRegistrationLib.mrml.error_plot import ErrorPlot

    stand_in.main_window = False
    assert slicer.app.layoutManager() is None
    stand_in.load_module(MODULE)
    from DiffRegistration import DiffRegistrationLogic

    logic = DiffRegistrationLogic()
    picture, camera = xray_files(tmp_path)
    ct, xray = add_ct(), logic.addXray(str(picture), str(camera))
    told: list[str] = []
    from DiffRegistrationLib.mrml.job_results import Listener

    found = logic.register(
        ct, [xray], start="ap", outputFolder=str(tmp_path / "out"), listener=Listener(progressed=told.append)
    )
    assert found.summary.verdict in ("accepted", "doubtful") and distance_mm(pose_of(ct)) < 2.0 and told
    assert (tmp_path / "out" / "report.html").is_file()
    drr = logic.computeDRR(ct, xray)
    assert slicer.util.arrayFromVolume(drr).shape == (1, 96, 96)
    with pytest.raises(ValueError, match="ends in"):
        logic.train(ct, str(tmp_path / "network.txt"))
    plot = ErrorPlot()
    plot.add({"seconds": 60.0, "distance_mm": 3.0, "rotation_deg": 1.0})
    assert plot.show().GetNumberOfPlotSeriesNodes() == 2
    logic.register(ct, [xray], start="any", waitForCompletion=False)
    assert logic.engine.busy
    logic.cancel()
    assert not logic.engine.busy
    logic.close()
    assert not worker_processes()


def test_beams_and_views_follow_what_comes_and_goes(panel: Any, stand_in: StandIn, tmp_path: Path) -> None:
    import slicer
    from DiffRegistrationLib.mrml.beam_model import beam_is_shown, hide_beam
    from DiffRegistrationLib.mrml.xray_layouts import LAYOUT_ID

    _ct, (first,) = patient(panel, 180.0)
    assert layout() == LAYOUT_ID + 1 and beam_is_shown(first)
    # From a script, or another module.
    second = add_xray(90.0, "X-ray lateral")
    pump(0.05)
    assert layout() == LAYOUT_ID + 2 and beam_is_shown(second) and panel.xrays.ui.xrayTable.rowCount == 2
    picture, camera = xray_files(tmp_path)
    stand_in.answers.files = [str(picture)]
    panel.xrays.ui.addFileButton.click()
    assert layout() == LAYOUT_ID + 3 and panel.xrays.ui.xrayTable.currentRow() == 2
    third = panel.xrays.chosen
    assert beam_is_shown(third) is None
    stand_in.answers.files = str(camera)
    panel.xrays.ui.cameraFileButton.click()
    assert beam_is_shown(third)
    # By the eye of another module: it stays hidden whatever comes.
    hide_beam(second)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    pump(0.05)
    assert not beam_is_shown(second)
    panel.xrays.ui.beamButton.click()
    assert [beam_is_shown(view) for view in (first, second, third)] == [False] * 3
    panel.xrays.ui.xrayTable.selectRow(0)
    panel.xrays.ui.removeButton.click()
    assert layout() == LAYOUT_ID + 2 and panel.xrays.ui.xrayTable.rowCount == 2
    composite = slicer.app.layoutManager().sliceWidget("XRay1").sliceLogic().GetSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == second.GetID()
    slicer.mrmlScene.RemoveNode(second)
    pump(0.05)
    assert layout() == LAYOUT_ID + 1 and composite.GetBackgroundVolumeID() == third.GetID()
    assert panel.xrays.ui.xrayTable.item(0, 0).text() == "1"
    # The layout is left alone when others set it.
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView)
    panel.exit()
    panel.enter()
    assert layout() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView


def test_a_view_that_is_removed_and_added_again_shows_its_beam(panel: Any) -> None:
    from DiffRegistrationLib.mrml.beam_model import beam_is_shown

    _ct, (xray,) = patient(panel, 180.0)
    panel.xrays.ui.removeButton.click()
    assert not beam_is_shown(xray)
    panel.xrays.ui.xraySelector.setCurrentNode(xray)
    panel.xrays.ui.addNodeButton.click()
    assert beam_is_shown(xray)


def test_views_may_come_while_a_network_is_trained(panel: Any, tmp_path: Path) -> None:
    patient(panel, 180.0)
    panel.train.ui.networkPath.currentPath = str(tmp_path / "head.pt")
    panel.train.ui.trainButton.click()
    assert panel.session.working == "train"
    assert panel.xrays.ui.addFileButton.enabled and panel.xrays.ui.applyGeometryButton.enabled
    assert panel.manual.ui.rightSlider.enabled
    assert panel.register.ui.registerButton.toolTip.startswith("Wait for the end")
    panel.train.ui.trainButton.click()
    assert idle(panel) and panel.train.ui.trainState.text == "Cancelled; no network was saved."


def test_choices_are_remembered_for_the_next_scene_but_a_scene_s_own_count_more(
    stand_in: StandIn, tmp_path: Path
) -> None:
    import slicer

    panel = open_window(stand_in).panel
    patient(panel, 180.0)
    choose(panel.train.ui.presetBox, "head-lateral")
    choose(panel.register.ui.overlayBox, "fade")
    choose(panel.register.ui.startBox, "ap")
    file = save_scene(tmp_path / "saved")
    choose(panel.register.ui.overlayBox, "edges")
    # Where the next CT lies nobody has looked at.
    choose(panel.register.ui.startBox, "current")
    slicer.mrmlScene.Clear()
    pump(0.1)

    def shown() -> tuple[str, str, str]:
        ui = panel.register.ui
        return ui.startBox.currentData, ui.overlayBox.currentData, panel.train.ui.presetBox.currentData

    assert shown() == ("auto", "edges", "head-lateral")
    slicer.util.loadScene(str(file))
    pump(0.1)
    assert shown() == ("ap", "fade", "head-lateral")


def test_what_is_bright_in_a_picture_can_be_said_after_it_was_added(
    panel: Any, stand_in: StandIn, tmp_path: Path
) -> None:
    import slicer
    from PIL import Image

    picture, camera = xray_files(tmp_path)
    dark = np.asarray(Image.open(picture)).astype(np.float64)
    # As a workstation exports it: bone bright, by the logarithm.
    bright = 3000 * (np.log(60000) - np.log(dark)) + 500
    Image.fromarray(bright.astype(np.uint16)).save(tmp_path / "light-box.png")
    ct, _none = patient(panel)
    stand_in.answers.files = [str(tmp_path / "light-box.png")]
    panel.xrays.ui.addFileButton.click()
    stand_in.answers.files = str(camera)
    panel.xrays.ui.cameraFileButton.click()
    box, xray = panel.xrays.ui.pixelsBox, panel.xrays.chosen
    assert box.enabled and box.currentData == "bone-dark"
    assert "low values are bone" in panel.xrays.ui.geometryDetails.text
    before = slicer.util.arrayFromVolume(xray)[0].copy()
    choose(box, "bone-bright")
    assert message(panel) == "" and box.currentData == "bone-bright"
    assert "high values are bone" in panel.xrays.ui.geometryDetails.text
    assert panel.xrays.ui.xrayTable.item(0, 2).text().startswith("✓ SDD 1000 mm")
    after = slicer.util.arrayFromVolume(xray)[0]
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] < -0.5
    register(panel)
    assert message(panel) == "" and distance_mm(pose_of(ct)) < 2.0
    (tmp_path / "light-box.png").unlink()
    choose(box, "bone-dark")
    assert "light-box.png" in message(panel) and box.currentData == "bone-bright"
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(xray)[0], after)


def test_an_unreadable_scene_leaves_the_patient_as_it_was(panel: Any, tmp_path: Path) -> None:
    import slicer

    ct, _xrays = patient(panel, 180.0)
    (tmp_path / "broken.mrml").write_text("<MRML", encoding="utf-8")
    with pytest.raises(RuntimeError, match="broken"):
        slicer.util.loadScene(str(tmp_path / "broken.mrml"))
    pump(0.1)
    assert slicer.mrmlScene.IsNodePresent(ct) and panel.session.ct is ct
    assert panel.xrays.ui.xrayTable.rowCount == 1
    usable(panel)


def test_sample_data_comes_as_views_and_asks_for_packages_first(stand_in: StandIn) -> None:
    import slicer

    window = open_window(stand_in)
    slicer.app.startupCompleted()
    head, _skull = slicer.modules.sampleDataSources["Fluoro Registration"]
    stand_in.packages.outcome = "declined"
    before = scene_in_words()
    assert head.customDownloader(head) == [] and scene_in_words() == before
    assert "were not installed, because that was declined" in stand_in.shown[-1].text
    stand_in.packages.outcome = "installed"
    ct, *xrays = head.customDownloader(head)
    pump(0.1)
    panel = window.panel
    assert panel.xrays.ui.xrayTable.rowCount == len(xrays) == 2
    panel.patient.ui.ctSelector.setCurrentNode(ct)
    assert panel.register.ui.registerButton.enabled and panel.patient.ui.ctDescription.text.endswith("HU")


def test_help_for_the_first_steps_is_always_there(panel: Any) -> None:
    """A tooltip on everything that can be pressed, chosen or typed into, in every state."""
    patient(panel, 180.0)
    for section in panel.session.sections[:-1]:
        for name, widget in vars(section.ui).items():
            kind = type(widget).__name__
            if kind in (
                "QPushButton",
                "QCheckBox",
                "QComboBox",
                "QDoubleSpinBox",
                "ctkSliderWidget",
                "qMRMLNodeComboBox",
            ):
                assert str(widget.toolTip), name
    pump_until(lambda: idle(panel), 1)
