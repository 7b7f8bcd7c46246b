"""The pose in the window: whoever moves the CT, DRR, verdict and sliders say where it lies now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    pass

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
    pump,
    pump_until,
    register,
    start_registering,
)

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


def drr(xray: Any) -> np.ndarray | None:
    """The DRR over an X-ray."""
    import slicer
    from DiffRegistrationLib.mrml.drr_node import drr_of

    node = drr_of(xray)
    return None if node is None else slicer.util.arrayFromVolume(node)[0].copy()


def shift(transform: Any, mm: float) -> None:
    """Move along R, as handles and the Transforms module do: the matrix of the node changes."""
    import slicer

    matrix = slicer.util.arrayFromTransformMatrix(transform)
    matrix[0, 3] += mm
    slicer.util.updateTransformMatrixFromArray(transform, matrix)


def expected(panel: Any, ct: Any, xray: Any) -> np.ndarray:
    return panel.session.logic.compute_drr(ct, xray)


def test_a_verdict_holds_for_the_pose_that_it_was_given_for(panel: Any) -> None:
    ct, (xray,) = patient(panel, 180.0)
    register(panel)
    verdict, numbers = str(panel.register.ui.verdictLabel.text), str(panel.register.ui.poseLabel.text)
    assert verdict.startswith("✓ Accepted") and "look" in verdict and "CT's centre at R" in numbers
    pose = pose_of(ct)
    shift(ct.GetParentTransformNode(), 3.0)
    pump(0.1)
    assert panel.register.ui.verdictLabel.text.startswith("↷ Moved since") and panel.register.ui.poseLabel.text == ""
    pump_until(lambda: np.allclose(drr(xray), expected(panel, ct, xray), atol=1e-4), 10)
    shift(ct.GetParentTransformNode(), -3.0)
    pump(0.1)
    assert panel.register.ui.verdictLabel.text == verdict and panel.register.ui.poseLabel.text == numbers
    panel.manual.ui.anteriorSlider.value = 4.0
    pump(0.1)
    assert panel.register.ui.verdictLabel.text.startswith("↷ Moved since")
    panel.register.ui.undoButton.click()
    pump(0.1)
    assert panel.register.ui.verdictLabel.text == verdict
    np.testing.assert_allclose(pose_of(ct), pose, atol=1e-9)
    panel.register.ui.undoButton.click()
    pump(0.1)
    assert panel.register.ui.verdictLabel.text == "" and ct.GetParentTransformNode() is None


def test_a_failed_registration_says_what_to_do_next(panel: Any) -> None:
    import slicer
    from DiffRegistrationLib.mrml.pose_node import put_under_pose, write_result
    from DiffRegistrationLib.mrml.registration_summary import RegistrationSummary

    ct, _xrays = patient(panel, 180.0)
    pose = tuple(tuple(row) for row in np.eye(4).tolist())
    summary = RegistrationSummary(pose, "failed", "bones disagree", 0.1, (np.nan,) * 6, (0.0, 0.0, 0.0), "ap", 1.0)
    write_result(put_under_pose(ct, np.eye(4)), summary)
    panel.enter()
    assert panel.register.ui.verdictLabel.text.startswith("✕ Failed: bones disagree.")
    assert "Do not use this one" in panel.register.ui.verdictLabel.text
    assert "Register again from another start" in panel.register.ui.poseLabel.text
    assert "unknown" in panel.register.ui.poseLabel.text
    # Of another CT there is no verdict.
    other = add_ct("Other CT")
    panel.patient.ui.ctSelector.setCurrentNode(other)
    assert panel.register.ui.verdictLabel.text == ""
    panel.patient.ui.ctSelector.setCurrentNode(ct)
    slicer.mrmlScene.RemoveNode(ct.GetParentTransformNode())
    pump(0.1)
    assert panel.register.ui.verdictLabel.text == ""


def test_the_drr_follows_whoever_moves_the_ct(panel: Any) -> None:
    import slicer
    from DiffRegistrationLib.mrml.pose_node import put_under_pose

    ct, (xray,) = patient(panel, 180.0)
    above = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Above")
    slicer.util.updateTransformMatrixFromArray(above, np.eye(4) + 5 * np.eye(4, k=3))
    transform = put_under_pose(ct, np.eye(4))
    pump_until(lambda: drr(xray) is not None, 20)
    for move in (
        lambda: shift(transform, 20.0),
        # Another transform above it, as a user may put it in the module Data.
        lambda: transform.SetAndObserveTransformNodeID(above.GetID()),
        lambda: shift(above, -7.0),
        lambda: ct.SetAndObserveTransformNodeID(None),
        lambda: ct.SetAndObserveTransformNodeID(above.GetID()),
    ):
        move()
        pump_until(lambda: np.allclose(drr(xray), expected(panel, ct, xray), atol=1e-4), 20)
    before = drr(xray)
    # Another CT: its DRR, not that of the one before.
    other = add_ct("Other CT")
    slicer.util.arrayFromVolume(other)[:, :, :20] = -1000
    slicer.util.arrayFromVolumeModified(other)
    panel.patient.ui.ctSelector.setCurrentNode(other)
    pump_until(lambda: not np.array_equal(drr(xray), before), 20)
    pump_until(lambda: np.allclose(drr(xray), expected(panel, other, xray), atol=1e-4), 20)


def test_sliders_count_from_where_other_hands_put_the_ct(panel: Any) -> None:
    ct, _xrays = patient(panel, 180.0)
    ui = panel.manual.ui
    assert not ui.resetButton.enabled
    ui.rightSlider.value = 10.0
    ui.handlesBox.click()
    transform = ct.GetParentTransformNode()
    assert transform.GetDisplayNode().GetEditorVisibility() and ui.handlesBox.checked
    assert not transform.GetDisplayNode().GetEditorScalingEnabled()
    pump(0.05)
    shift(transform, 5.0)
    pump(0.05)
    assert ui.rightSlider.value == 0.0 and pose_of(ct)[0, 3] == pytest.approx(15.0)
    ui.rightSlider.value = 1.0
    assert pose_of(ct)[0, 3] == pytest.approx(16.0)
    ui.resetButton.click()
    np.testing.assert_allclose(pose_of(ct), np.eye(4), atol=1e-9)
    assert ui.rightSlider.value == 0.0
    ui.handlesBox.click()
    assert not transform.GetDisplayNode().GetEditorVisibility()


def test_undo_takes_back_each_manual_move_and_registration_by_itself(panel: Any) -> None:
    ct, _xrays = patient(panel, 180.0)
    ui, undo = panel.manual.ui, panel.register.ui.undoButton
    assert not undo.enabled
    ui.rightSlider.value = 10.0
    pump(0.05)
    register(panel)
    assert undo.enabled
    assert message(panel) == "" and ui.rightSlider.value == 0.0
    found = pose_of(ct)
    ui.superiorSlider.value = 7.0
    ui.aboutSuperiorSlider.value = 20.0
    pump(0.05)
    undo.click()
    np.testing.assert_allclose(pose_of(ct), found, atol=1e-9)
    assert ui.superiorSlider.value == 0.0 and ui.aboutSuperiorSlider.value == 0.0
    # A move after an undo is one of its own.
    ui.anteriorSlider.value = 3.0
    pump(0.05)
    undo.click()
    np.testing.assert_allclose(pose_of(ct), found, atol=1e-9)
    undo.click()
    assert pose_of(ct)[0, 3] == pytest.approx(10.0)
    undo.click()
    assert ct.GetParentTransformNode() is None and not undo.enabled


def test_a_cancelled_registration_leaves_the_overlay_of_before(panel: Any) -> None:
    import slicer
    from DiffRegistrationLib.mrml.attributes import DRR, OVERLAY

    ct, (xray, side) = patient(panel, 180.0, 90.0)
    panel.manual.ui.rightSlider.value = 12.0
    pump_until(lambda: drr(xray) is not None and drr(side) is not None, 20)
    pump(0.1)
    slicer.mrmlScene.RemoveNode(side.GetNodeReference(DRR))
    slicer.mrmlScene.RemoveNode(side.GetNodeReference(OVERLAY))
    before = drr(xray)
    frames: list[int] = []
    shown = panel.overlays._lay_over
    panel.overlays._lay_over = lambda view, image: (frames.append(view is xray), shown(view, image))
    start_registering(panel)
    pump_until(lambda: {True, False} <= set(frames))
    assert not np.array_equal(drr(xray), before)
    panel.register.ui.registerButton.click()
    pump(0.05)
    assert idle(panel) and message(panel).startswith("Cancelled")
    np.testing.assert_array_equal(drr(xray), before)
    assert drr(side) is None and side.GetNodeReference(OVERLAY) is None
    assert pose_of(ct)[0, 3] == pytest.approx(12.0)


def test_flicker_and_handles_end_with_what_they_are_for(panel: Any) -> None:
    import slicer

    ct, (xray,) = patient(panel, 180.0)
    panel.manual.ui.handlesBox.click()
    transform = ct.GetParentTransformNode()
    panel.register.ui.flickerBox.click()
    panel.patient.ui.ctSelector.setCurrentNode(add_ct("Other CT"))
    pump(0.05)
    assert not transform.GetDisplayNode().GetEditorVisibility() and not panel.manual.ui.handlesBox.checked
    slicer.mrmlScene.RemoveNode(xray)
    pump(0.05)
    assert not panel.register.ui.flickerBox.checked and not panel.register.ui.flickerBox.enabled


def test_the_registered_pose_is_where_the_next_current_start_begins(panel: Any) -> None:
    ct, _xrays = patient(panel, 180.0)
    register(panel)
    panel.manual.ui.rightSlider.value = 6.0
    pump(0.05)
    register(panel, "current")
    assert message(panel) == "" and distance_mm(pose_of(ct)) < 1.0
    choose(panel.register.ui.startBox, "auto")
    assert panel.results.ui.resultTable.rowCount == 2
