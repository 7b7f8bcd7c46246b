"""The section Sequence of the module's window on the stand-in, with the real worker behind it."""

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

from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import camera, head, truth
from window_patient import (
    add_ct,
    add_xray,
    choose,
    idle,
    is_refusal,
    message,
    pose_of,
    pump,
    pump_until,
    refused,
    save_scene,
)

pytestmark = [pytest.mark.gui, pytest.mark.mrml]

CENTRE = rigid.transform_points(truth(), [head().centre])[0]
STEP = np.array([0.02, -0.01, 0.015, 2.0, 1.0, -1.0])
# A long way from everywhere, so that what is not done again is known by it.
AWAY = np.array([0.5, 0.4, -0.3, 60.0, 50.0, 40.0])


def moved(step: int) -> np.ndarray:
    """The head's true pose after some steps of a slow motion."""
    return rigid.move_about(CENTRE, STEP * step, truth())


def cine(frames: Any = range(4), primary_deg: float = 180.0, name: str = "Cine", dark: Any = ()) -> Any:
    """An X-ray sequence of the moving head, which is a view; its frames have these numbers."""
    from DiffRegistrationLib.mrml.views import add_view
    from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence

    view, radiographs = camera(primary_deg), []
    for step, _number in enumerate(frames):
        image = Projector(head()).render(view.rays(), moved(step))[0].reshape(view.size)
        image = image + np.random.default_rng(step).normal(scale=0.02, size=image.shape)
        usable = np.full(view.size, step not in dark)
        radiographs.append(Radiograph((image * usable).astype(np.float32), usable, view))
    node, _browser = add_radiograph_sequence(radiographs, frames, name)
    add_view(node)
    return node


def opened(panel: Any) -> Any:
    """The CT, chosen, and the section opened; the X-rays are in the scene already."""
    panel.sequence.ui.sectionButton.collapsed = False
    ct = add_ct()
    panel.patient.ui.ctSelector.setCurrentNode(ct)
    pump(0.05)
    return ct


def off_mm(pose: np.ndarray, step: int) -> float:
    """Mean distance of the corners of the head's inner box from where they truly are."""
    corners = np.column_stack([head().corners(0.5), np.ones(8)])
    return float(np.linalg.norm((corners @ (pose - moved(step)).T)[:, :3], axis=1).mean())


def browser(node: Any) -> Any:
    from DiffRegistrationLib.mrml.xray_sequence import browser_of

    return browser_of(node)


def track(panel: Any) -> None:
    """Press Track and wait for its end."""
    button = panel.sequence.ui.trackButton
    assert button.enabled, button.toolTip
    button.click()
    pump_until(lambda: idle(panel))
    pump(0.05)


def found(panel: Any, pose_of_step: Any = moved, frames: Any = range(4), verdicts: str = "aaaa") -> Any:
    """Poses as if they had been found, without the minutes that it takes; the CT is chosen then."""
    from DiffRegistrationLib.mrml.pose_sequence import pose_sequence

    ct = opened(panel)
    names = {"a": "accepted", "d": "doubtful", "f": "failed"}
    records = [record(pose_of_step(step), names[v], f"frame {step}") for step, v in enumerate(verdicts)]
    (xray,) = panel.sequence.chosen[:1]
    pose_sequence(ct, records, frames, browser(xray))
    panel.session.changed()
    pump(0.05)
    return ct


def record(pose: np.ndarray, verdict: str, reason: str) -> Any:
    from DiffRegistrationLib.mrml.pose_node import PoseRecord

    lifted = rigid.move_about(CENTRE, [0, 0, 0, 0, 0, 1.0], pose)
    covariance = np.diag([1e-6] * 3 + [0.01] * 3)
    content = {
        "pose": pose.tolist(),
        "verdict": verdict,
        "reason": reason,
        "similarity": 0.9,
        "std": np.sqrt(np.diag(covariance)).tolist(),
        "smoothed": lifted.tolist(),
        "covariance": covariance.tolist(),
        "views": [0],
    }
    return PoseRecord.from_dict(content)


def test_the_buttons_say_what_is_missing(panel: Any) -> None:
    ui = panel.sequence.ui

    def tip() -> str:
        return str(ui.trackButton.toolTip)

    assert tip() == "Choose a CT under Patient first." and not ui.trackButton.enabled
    opened(panel)
    assert tip() == "Add an X-ray sequence under X-rays first."
    add_xray()
    pump(0.05)
    assert tip().startswith("No X-ray has more than one frame") and not ui.firstBox.enabled
    node = cine(range(10, 14))
    pump(0.05)
    assert ui.trackButton.enabled and [ui.sequenceBox.itemText(row) for row in range(ui.sequenceBox.count)] == ["Cine"]
    assert (ui.firstBox.value, ui.lastBox.value, ui.keyFrameBox.value) == (10, 13, 10)
    browser(node).SetSelectedItemNumber(2)
    pump(0.05)
    assert ui.keyFrameBox.value == 12
    ui.firstBox.value = 13
    assert tip().startswith("The key frame is none of the frames")
    ui.lastBox.value = 11
    assert tip() == "The first frame comes after the last one."
    ui.lastBox.value, ui.keyFrameBox.value = 13, 13
    pump(0.05)
    assert ui.trackButton.enabled and browser(node).GetSelectedItemNumber() == 3
    choose(panel.register.ui.startBox, "network")
    assert tip().startswith("There is no trained network")
    ui.presentPoseBox.checked = True
    assert ui.trackButton.enabled
    for button, words in (
        (ui.keepButton, "No tracking runs."),
        (ui.goOnButton, "Track the sequence first."),
        (ui.directionBox, "Track the sequence first."),
        (ui.exportButton, "There are no poses until a tracking has run."),
        (ui.plotButton, "There are no poses until a tracking has run."),
    ):
        assert not button.enabled and button.toolTip == words


def test_tracks_shows_each_frame_with_its_drr_and_what_was_found(
    panel: Any, stand_in: StandIn, tmp_path: Path
) -> None:
    import slicer
    from DiffRegistrationLib.mrml.drr_node import drr_of
    from DiffRegistrationLib.tracking.track_files import read_track

    node = cine(dark=(3,))
    ct = opened(panel)
    ui, shown, counts = panel.sequence.ui, [], []
    browser(node).SetSelectedItemNumber(1)
    pump(0.05)
    choose(panel.register.ui.startBox, "ap")
    visited: set[int] = set()
    browser(node).AddObserver("ModifiedEvent", lambda one, _event: visited.add(one.GetSelectedItemNumber()))
    show_frame = panel.overlays.show_frame
    panel.sequence._overlays.show_frame = lambda view, drr, pose: (
        shown.append(browser(node).GetSelectedItemNumber()),
        counts.append(ui.trackState.text),
        show_frame(view, drr, pose),
    )
    ui.trackButton.click()
    assert ui.trackButton.text == "Cancel", message(panel)
    assert not ui.firstBox.enabled
    waits = "Wait for the end of the tracking, or cancel it."
    for widget in (
        *(panel.patient.ui.ctSelector, panel.xrays.ui.addFileButton, panel.manual.ui.rightSlider),
        panel.register.ui.undoButton,
    ):
        assert not widget.enabled
    assert panel.patient.ui.ctSelector.toolTip == panel.manual.ui.rightSlider.toolTip == waits
    assert not panel.register.ui.registerButton.enabled
    pump_until(lambda: idle(panel))
    pump(0.05)
    # Of DRRs that come too fast only the newest is shown, but each frame in its turn.
    assert shown and {0, 1, 2} <= visited and any("accepted" in words for words in counts)
    assert message(panel).startswith("4 frames done. 1 failed") and not is_refusal(panel)
    assert "✓ 3 accepted, ✕ 1 failed" in ui.trackState.text and "Frame 1: ✓ accepted" in ui.trackState.text
    # Back where it began, with the pose and the DRR of there.
    assert browser(node).GetSelectedItemNumber() == 1 and off_mm(pose_of(ct), 1) < 2
    pump_until(lambda: drr_of(node) is not None)
    table = ui.frameTable
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == ["0", "1", "2", "3"]
    assert [table.item(row, 1).text() for row in range(4)] == ["✓ accepted"] * 3 + ["✕ failed"]
    assert "pixels" in table.item(3, 3).text() and table.currentRow() == 1
    for row in (2, 0):
        table.selectRow(row)
        assert browser(node).GetSelectedItemNumber() == row and off_mm(pose_of(ct), row) < 2
    pump(0.05)
    assert ui.keyFrameBox.value == 0
    (tmp_path / "copy").mkdir()
    stand_in.answers.files = str(tmp_path / "copy")
    ui.exportButton.click()
    ui.exportButton.click()
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"tracking", "tracking-2"}
    written = read_track(tmp_path / "copy" / "tracking")
    assert written.times == (0, 1, 2, 3) and written.bodies[0].frames[3].pose is None
    assert (tmp_path / "copy" / "tracking" / "poses.csv").read_text().count("\n") == 5
    # What is saved comes back.
    file = save_scene(tmp_path / "scene")
    slicer.mrmlScene.Clear()
    pump(0.05)
    assert table.rowCount == 0
    slicer.util.loadScene(str(file))
    pump_until(lambda: table.rowCount == 4, 10)
    assert table.item(3, 1).text() == "✕ failed" and ui.exportButton.enabled


def test_cancelling_leaves_frame_ct_and_scene_as_they_were(panel: Any) -> None:
    from window_patient import scene_in_words

    # So many that a slow machine looks before they are done.
    node = cine(range(24))
    ct = found(panel, frames=range(4))
    browser(node).SetSelectedItemNumber(2)
    pump(0.5)
    by_hand = rigid.move_about(CENTRE, [0, 0, 0.05, 3.0, 0, 0], moved(2))
    import slicer

    slicer.util.updateTransformMatrixFromArray(ct.GetParentTransformNode(), by_hand)
    pump(0.8)
    panel.sequence.ui.presentPoseBox.checked = True
    before, ui = scene_in_words(), panel.sequence.ui
    ui.trackButton.click()
    pump_until(lambda: browser(node).GetSelectedItemNumber() != 2)
    ui.trackButton.click()
    assert idle(panel) and ui.trackButton.text == "Track" and message(panel).startswith("Cancelled")
    assert browser(node).GetSelectedItemNumber() == 2
    np.testing.assert_allclose(pose_of(ct), by_hand, atol=1e-9)
    pump(0.8)
    after = scene_in_words()
    changed = {words[0] for node_id, words in after.items() if before.get(node_id) != words}
    assert not changed, changed


def test_stopping_keeps_the_frames_that_are_done(panel: Any) -> None:
    node = cine(range(30))
    opened(panel)
    ui = panel.sequence.ui
    choose(panel.register.ui.startBox, "ap")
    ui.trackButton.click()
    pump_until(lambda: "accepted" in ui.trackState.text)
    assert ui.keepButton.enabled
    ui.keepButton.click()
    pump_until(lambda: idle(panel))
    assert message(panel).startswith("Stopped; ") and 0 < ui.frameTable.rowCount < 30
    # A frame that was not reached can be gone on from.
    browser(node).SetSelectedItemNumber(29)
    pump(0.05)
    assert ui.goOnButton.enabled and "Frame 29" not in ui.trackState.text


def test_a_corrected_frame_is_gone_on_from(panel: Any) -> None:
    import slicer
    from DiffRegistrationLib.mrml.pose_node import undo_pose

    def astray(step: int) -> np.ndarray:
        return rigid.move_about(CENTRE, AWAY, moved(step)) if step else moved(step)

    node = cine()
    ct = found(panel, astray, verdicts="afff")
    ui = panel.sequence.ui
    browser(node).SetSelectedItemNumber(2)
    pump(0.05)
    assert (
        ui.goOnButton.toolTip.startswith("Go to a frame and move the CT there by hand") and not ui.goOnButton.enabled
    )
    slicer.util.updateTransformMatrixFromArray(
        ct.GetParentTransformNode(), rigid.move_about(CENTRE, [0.05, 0, 0.03, 4, -3, 2], moved(2))
    )
    pump(0.05)
    assert ui.goOnButton.enabled
    choose(ui.directionBox, "forward")
    ui.goOnButton.click()
    pump_until(lambda: idle(panel))
    pump(0.05)
    assert "2 frames done" in message(panel) and browser(node).GetSelectedItemNumber() == 2
    table = ui.frameTable
    assert [table.item(row, 1).text()[2:] for row in range(4)] == ["accepted", "failed", "accepted", "accepted"]
    poses = panel.sequence.frames.found.records
    assert off_mm(poses["1"].matrix, 1) > 30 and off_mm(poses["2"].matrix, 2) < 2 and off_mm(poses["3"].matrix, 3) < 2
    # Smoothed over all of them: what failed lies on the way.
    assert off_mm(np.array(poses["1"].smoothed), 1) < 3
    # Backward and both ways take the other frames.
    for direction, done in (("backward", "3"), ("both", "4")):
        transform = ct.GetParentTransformNode()
        slicer.util.updateTransformMatrixFromArray(
            transform, rigid.move_about(CENTRE, [0.02, 0, 0, 2, 0, 0], pose_of(ct))
        )
        pump(0.05)
        choose(ui.directionBox, direction)
        ui.goOnButton.click()
        pump_until(lambda: idle(panel))
        pump(0.05)
        assert message(panel).startswith(f"{done} frames done"), message(panel)
    assert [table.item(row, 1).text()[2:] for row in range(4)] == ["accepted"] * 4
    assert undo_pose(ct)


def test_smoothed_or_as_measured_and_the_plot_follows_the_frame_and_the_frame_the_plot(panel: Any) -> None:
    import slicer

    node = cine(range(10, 14))
    ct = found(panel, frames=range(10, 14), verdicts="adfa")
    ui = panel.sequence.ui
    browser(node).SetSelectedItemNumber(1)
    pump(0.05)
    measured = pose_of(ct)
    ui.smoothedBox.click()
    assert pose_of(ct)[2, 3] - measured[2, 3] == pytest.approx(1.0, abs=1e-6)
    browser(node).SetSelectedItemNumber(3)
    assert (pose_of(ct) - moved(3))[2, 3] == pytest.approx(1.0, abs=1e-6)
    ui.smoothedBox.click()
    assert (pose_of(ct) - moved(3))[2, 3] == pytest.approx(0.0, abs=1e-6)
    pump(0.05)
    ui.plotButton.click()
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    manager = slicer.app.layoutManager()
    assert manager.plotViewCount == 1 and manager.sliceWidget("XRay1") is not None
    assert slicer.app.applicationLogic().GetSelectionNode().GetActivePlotChartID() == chart.GetID()
    now = chart.GetNthPlotSeriesNode(chart.GetNumberOfPlotSeriesNodes() - 1)
    assert now.GetName() == "Frame shown"
    assert now.GetTableNode().GetTable().GetColumnByName("Frame").GetValue(0) == 13
    browser(node).SetSelectedItemNumber(0)
    pump(0.05)
    assert now.GetTableNode().GetTable().GetColumnByName("Frame").GetValue(0) == 10
    doubtful = next(series for series in series_of(chart) if series.GetName() == "doubtful")
    from slicer_stand_in.pythonqt import native

    view = native(manager.plotWidget(0)).plotView()
    view.select(doubtful.GetID(), 2)
    pump(0.05)
    assert browser(node).GetSelectedItemNumber() == 1 and ui.keyFrameBox.value == 11
    assert ui.frameTable.currentRow() == 1
    view.select("vtkMRMLPlotSeriesNodeOfOthers", 0)
    choose(ui.plotBox, "position")
    assert len(slicer.util.getNodesByClass("vtkMRMLPlotChartNode")) == 2
    ui.plotButton.click()
    view.select(doubtful.GetID(), 0)
    assert len(slicer.util.getNodesByClass("vtkMRMLPlotChartNode")) == 2


def series_of(chart: Any) -> list[Any]:
    return [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]


def test_views_must_be_in_step_and_then_move_together(panel: Any) -> None:
    front, side = cine(range(3), name="Front"), cine((0, 1, 5), 90.0, "Side")
    opened(panel)
    ui = panel.sequence.ui
    assert [ui.sequenceBox.itemText(row) for row in range(ui.sequenceBox.count)] == [
        "All: Front, Side",
        "Front",
        "Side",
    ]
    with refused(panel, "Side", "out of step with Front", "lacks frame 2", "has frame 5 beside"):
        ui.trackButton.click()
    assert ui.trackButton.text == "Track"
    choose(ui.sequenceBox, side.GetID())
    assert (ui.firstBox.value, ui.lastBox.value) == (0, 5)
    ui.keyFrameBox.value = 4
    pump(0.05)
    assert ui.keyFrameBox.value == 5 and browser(side).GetSelectedItemNumber() == 2
    assert browser(front).GetSelectedItemNumber() == 0
    import slicer
    from DiffRegistrationLib.mrml.views import remove_view

    remove_view(side)
    slicer.mrmlScene.RemoveNode(side)
    third = cine(range(3), 90.0, "Third")
    pump(0.05)
    assert panel.sequence.chosen == [front, third]
    browser(front).SetSelectedItemNumber(2)
    pump(0.05)
    assert browser(third).GetSelectedItemNumber() == 2


def test_deleting_an_x_ray_or_the_scene_ends_the_tracking(panel: Any) -> None:
    import slicer

    node = cine(range(20))
    opened(panel)
    ui = panel.sequence.ui
    choose(panel.register.ui.startBox, "ap")
    ui.trackButton.click()
    pump_until(lambda: ui.trackProgress.value > 0)
    slicer.mrmlScene.RemoveNode(node)
    pump(0.05)
    assert idle(panel) and is_refusal(panel) and "ended the tracking" in message(panel)
    assert ui.trackButton.text == "Track" and not ui.trackButton.enabled
    cine(range(20), name="Again")
    pump(0.05)
    ui.trackButton.click()
    pump_until(lambda: ui.trackProgress.value > 0)
    slicer.mrmlScene.Clear()
    pump(0.05)
    assert idle(panel) and ui.trackButton.toolTip == "Choose a CT under Patient first." and ui.sequenceBox.count == 0


def test_a_start_that_does_not_see_the_ct_is_refused_in_words(panel: Any) -> None:
    from DiffRegistrationLib.mrml.pose_node import put_under_pose

    cine()
    ct = opened(panel)
    put_under_pose(ct, rigid.move_about(CENTRE, [0, 0, 0, 4000.0, 0, 0], truth()))
    pump(0.5)
    panel.sequence.ui.presentPoseBox.checked = True
    with refused(panel, "Cine, frame 0", "outside its view"):
        panel.sequence.ui.trackButton.click()
