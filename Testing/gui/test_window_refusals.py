"""Every refusal clicked through: the panel says what is wrong and what to do, and the scene stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from slicer_stand_in.installation import StandIn

pytest.importorskip("PySide6")
pytest.importorskip("slicer")

from PIL import Image
from window_patient import (
    add_ct,
    add_xray,
    choose,
    choose_node,
    distance_mm,
    message,
    open_window,
    patient,
    pose_of,
    pump,
    pump_until,
    refused,
    register,
    seen,
    xray_files,
)

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


def put_under(ct: Any, matrix: np.ndarray | None) -> Any:
    """Put a CT under a linear transform, or under one that bends (None)."""
    import slicer

    if matrix is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Bend")
        bent = slicer.vtkOrientedBSplineTransform()
        node.SetAndObserveTransformFromParent(bent)
    else:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Place")
        slicer.util.updateTransformMatrixFromArray(node, matrix)
    ct.SetAndObserveTransformNodeID(node.GetID())
    return node


def test_without_a_ct_or_an_x_ray_the_buttons_say_so(panel: Any) -> None:
    add_xray()
    pump(0.05)
    assert panel.register.ui.registerButton.toolTip == "Choose a CT under Patient first."
    assert panel.patient.ui.ctDescription.text.startswith("Load a CT by Slicer's DICOM or Add Data")
    for name in ("previewButton", "trainButton"):
        button = getattr(panel.train.ui, name)
        assert not button.enabled and button.toolTip == "Choose a CT under Patient first."
    for name in ("rightSlider", "handlesBox", "resetButton"):
        widget = getattr(panel.manual.ui, name)
        assert not widget.enabled and widget.toolTip == "Choose a CT under Patient first."
    panel.patient.ui.ctSelector.setCurrentNode(add_ct())
    assert panel.register.ui.registerButton.enabled
    assert panel.manual.ui.rightSlider.enabled and "R axis" in panel.manual.ui.rightSlider.toolTip
    panel.xrays.ui.removeButton.click()
    assert panel.register.ui.registerButton.toolTip == "Add an X-ray under X-rays first."
    assert panel.manual.ui.followState.text == "Add an X-ray to see the DRR follow."


def test_the_ct_is_no_x_ray_and_neither_is_a_drr(panel: Any) -> None:
    from DiffRegistrationLib.mrml.drr_node import show_drr

    ct, (xray,) = patient(panel, 180.0)
    with refused(panel, "Head CT", "one volume cannot be both", "Choose the X-ray"):
        panel.xrays.ui.xraySelector.setCurrentNode(ct)
        panel.xrays.ui.addNodeButton.click()
    drr = show_drr(xray, seen().attenuation)
    with refused(panel, drr.GetName(), "was computed from a CT", "Choose the X-ray itself"):
        panel.xrays.ui.xraySelector.setCurrentNode(drr)
        panel.xrays.ui.addNodeButton.click()
    panel.xrays.ui.xraySelector.setCurrentNode(xray)
    panel.xrays.ui.addNodeButton.click()
    assert message(panel) == f"{xray.GetName()} is a view already." and panel.xrays.ui.xrayTable.rowCount == 1


def test_what_is_no_x_ray_file_is_refused(panel: Any, stand_in: StandIn, tmp_path: Path) -> None:
    patient(panel)
    Image.fromarray(np.zeros((40, 50, 3), dtype=np.uint8)).save(tmp_path / "colour.png")
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    picture, _camera = xray_files(tmp_path)
    for file, words in (("colour.png", "is a colour picture"), ("text.png", "is no image"), ("gone.dcm", "gone.dcm")):
        with refused(panel, file, words):
            # What comes after it is not added: its message would not be seen.
            stand_in.answers.files = [str(tmp_path / file), str(picture)]
            panel.xrays.ui.addFileButton.click()
    assert panel.xrays.ui.xrayTable.rowCount == 0


def test_an_x_ray_without_geometry_has_to_be_given_one(panel: Any, stand_in: StandIn, tmp_path: Path) -> None:
    picture, _camera = xray_files(tmp_path)
    patient(panel)
    stand_in.answers.files = [str(picture)]
    panel.xrays.ui.addFileButton.click()
    pump(0.05)
    ui, button = panel.xrays.ui, panel.register.ui.registerButton
    assert not button.enabled and button.toolTip.startswith("View 1 has no geometry: give it a camera file")
    assert ui.xrayTable.item(0, 2).text() == "✕ no geometry" and not ui.geometryGroup.collapsed
    assert panel.manual.ui.followState.text.startswith("Give an X-ray its geometry")
    with refused(panel, "source-detector distance", "pixel spacing"):
        ui.applyGeometryButton.click()
    with refused(panel, "pixel spacing", "only one of its two numbers"):
        ui.rowSpacingBox.value = 3.2
        ui.applyGeometryButton.click()
    with refused(panel, "text.json", "is no camera file that is known"):
        (tmp_path / "text.json").write_text("no camera", encoding="utf-8")
        stand_in.answers.files = str(tmp_path / "text.json")
        ui.cameraFileButton.click()
    with refused(panel, "camera.json", "50"):
        Image.fromarray(np.full((50, 60), 900, dtype=np.uint16)).save(tmp_path / "small.png")
        panel.xrays.use_camera_file(camera_of_size(tmp_path, 50, 60))
    assert not button.enabled


def camera_of_size(folder: Path, rows: int, columns: int) -> Path:
    from DiffRegistrationLib.xray.files.camera_files import write_camera
    from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera

    camera = c_arm_camera(
        source_detector_distance=1000.0,
        source_object_distance=700.0,
        pixel_spacing=(1.0, 1.0),
        size=(rows, columns),
        primary_angle_deg=180.0,
    )
    write_camera(folder / "camera.json", camera)
    return folder / "camera.json"


def test_a_damaged_camera_counts_as_none(panel: Any) -> None:
    from DiffRegistrationLib.mrml.attributes import CAMERA

    _ct, (xray,) = patient(panel, 180.0)
    xray.SetAttribute(CAMERA, "{")
    panel.enter()
    assert panel.xrays.ui.xrayTable.item(0, 2).text().startswith("✕ its attribute")
    assert panel.register.ui.registerButton.toolTip.startswith("View 1 has no geometry")


# A CT that cannot be used.


@pytest.mark.parametrize(
    ("matrix", "words"),
    [(None, "not linear"), (np.diag([1.0, 1.2, 1.0, 1.0]), "not rigid"), (np.diag([-1.0, 1.0, 1.0, 1.0]), "mirrors")],
    ids=["bent", "scaled", "mirrored"],
)
def test_a_ct_that_a_pose_cannot_move_is_refused(
    panel: Any, tmp_path: Path, matrix: np.ndarray | None, words: str
) -> None:
    ct, _xrays = patient(panel, 180.0)
    place = put_under(ct, matrix)
    panel.enter()
    assert words in panel.patient.ui.ctDescription.text and "Harden" in panel.patient.ui.ctDescription.text
    panel.train.ui.networkPath.currentPath = str(tmp_path / "head.pt")
    choose(panel.register.ui.startBox, "ap")
    for act in (
        panel.register.ui.registerButton.click,
        panel.train.ui.trainButton.click,
        panel.train.ui.previewButton.click,
        panel.manual.ui.handlesBox.click,
        lambda: setattr(panel.manual.ui.rightSlider, "value", 5.0),
    ):
        with refused(panel, "Head CT", words, "Harden"):
            act()
    assert panel.manual.ui.rightSlider.value == 0.0 and not panel.manual.ui.handlesBox.checked
    assert ct.GetParentTransformNode() is place


def test_a_volume_that_is_not_in_hounsfield_units_is_refused(panel: Any) -> None:
    import slicer

    ct, _xrays = patient(panel, 180.0)
    slicer.util.arrayFromVolume(ct)[:] += 1024
    slicer.util.arrayFromVolumeModified(ct)
    panel.enter()
    assert "cannot be Hounsfield units" in panel.patient.ui.ctDescription.text
    choose(panel.register.ui.startBox, "ap")
    with refused(panel, "Head CT", "cannot be Hounsfield units", "rescale slope"):
        panel.register.ui.registerButton.click()
    # What cannot be drawn can be moved all the same.
    panel.session.say("")
    panel.manual.ui.rightSlider.value = 5.0
    pump_until(lambda: message(panel))
    assert "cannot be Hounsfield units" in message(panel) and pose_of(ct)[0, 3] == pytest.approx(5.0)


# A network that cannot be used.


def network_file(path: Path, fingerprint: str) -> Path:
    """A network that has learnt nothing, of the CT with this fingerprint."""
    from DiffRegistrationLib.pose_network.model_file import write_model
    from test_pose_network import networks

    write_model(path, networks(), {"ct_fingerprint": fingerprint})
    return path


def test_a_network_of_another_patient_is_refused_with_both_fingerprints(panel: Any, tmp_path: Path) -> None:
    from DiffRegistrationLib.mrml.ct_node import ct_from_node
    from DiffRegistrationLib.pose_network.ct_fingerprint import ct_fingerprint

    ct, _xrays = patient(panel, 180.0)
    folder = tmp_path / "Netze für Ärzte 日本"
    folder.mkdir()
    panel.train.ui.networkPath.currentPath = str(network_file(folder / "head.pt", "0123456789abcdef"))
    choose(panel.register.ui.startBox, "network")
    with refused(panel, "head.pt", "was trained on another CT", "0123456789abcdef", ct_fingerprint(ct_from_node(ct))):
        panel.register.ui.registerButton.click()


@pytest.mark.parametrize("content", ["damaged", "text", "empty"])
def test_a_damaged_network_is_refused(panel: Any, tmp_path: Path, content: str) -> None:
    patient(panel, 180.0)
    path = tmp_path / "head.pt"
    path.write_bytes(b"" if content == "empty" else b"no network at all" * 100)
    if content == "damaged":
        whole = network_file(path, "0" * 16).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    panel.train.ui.networkPath.currentPath = str(path)
    choose(panel.register.ui.startBox, "network")
    with refused(panel, "head.pt", "Train it again"):
        panel.register.ui.registerButton.click()


def test_a_network_that_is_not_there_disables_the_button(panel: Any, tmp_path: Path) -> None:
    patient(panel, 180.0)
    panel.train.ui.networkPath.currentPath = str(tmp_path / "gone.pt")
    choose(panel.register.ui.startBox, "network")
    button = panel.register.ui.registerButton
    assert not button.enabled and button.toolTip.startswith("There is no trained network")


# Nodes that go while a registration runs.


def test_an_output_folder_that_cannot_be_one_is_refused(panel: Any, stand_in: StandIn, tmp_path: Path) -> None:
    patient(panel, 180.0)
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    panel.results.ui.outputPath.currentPath = str(tmp_path / "file")
    with refused(panel, str(tmp_path / "file"), "cannot be written to", "Choose another output folder"):
        register(panel)
    panel.results.ui.outputPath.currentPath = ""
    register(panel)
    assert message(panel) == ""
    with refused(panel, str(tmp_path / "file"), "Not a directory"):
        panel.results.save(tmp_path / "file")
    with refused(panel, "gone", "there is no folder"):
        panel.results.export(tmp_path / "gone" / "table.csv")
    panel.results.chosen.report.unlink()
    with refused(panel, "report.html", "is not there any more", "Save in"):
        panel.results.ui.reportButton.click()
    assert stand_in.opened == []


def test_folders_with_spaces_and_letters_of_all_languages_are_used(
    panel: Any, stand_in: StandIn, tmp_path: Path
) -> None:
    ct, _xrays = patient(panel, 180.0)
    folder = tmp_path / "Ergebnisse für Müller 日本"
    folder.mkdir()
    panel.results.ui.outputPath.currentPath = str(folder)
    register(panel)
    assert message(panel) == "" and distance_mm(pose_of(ct)) < 1.0
    (made,) = folder.iterdir()
    assert (made / "report.html").is_file()
    panel.results.ui.reportButton.click()
    assert stand_in.opened == [str(made / "report.html")]
    # Two within a second are kept apart.
    assert panel.results.output_folder != made or not made.exists()


# Packages.


@pytest.mark.parametrize(
    ("outcome", "words"), [("declined", "that was declined"), ("failed", "could not be installed")]
)
def test_the_window_waits_for_its_packages(stand_in: StandIn, outcome: str, words: str) -> None:
    stand_in.packages.outcome = outcome
    window = open_window(stand_in)
    assert window.panel is None
    window.packagesUI.installButton.click()
    problem = window.packagesUI.problemLabel.text
    assert words in problem and "by hand in Slicer's Python console" in problem and window.panel is None
    stand_in.packages.outcome = "installed"
    window.packagesUI.installButton.click()
    assert window.panel is not None and not window.packagesUI.PackagesSection.visible
    patient(window.panel, 180.0)
    assert window.panel.register.ui.registerButton.enabled


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no extension", "Install the extension PyTorch by Slicer's Extensions Manager"),
        ("declined", "was not installed"),
        ("failed", "could not be installed"),
    ],
)
def test_without_torch_a_training_says_how_to_get_it(
    panel: Any, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str, words: str
) -> None:
    import importlib.util

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find_spec(name, *rest)
    )
    stand_in.torch.installed = False
    if how == "no extension":
        stand_in.without_pytorch_extension()
    else:
        stand_in.torch.outcome = how
    patient(panel, 180.0)
    panel.train.ui.networkPath.currentPath = str(tmp_path / "head.pt")
    for button in (panel.train.ui.trainButton, panel.train.ui.previewButton):
        with refused(panel, "PyTorch", words):
            button.click()
    # Registering without a network needs none of it.
    register(panel)
    assert message(panel) == ""


def test_declined_packages_stop_what_needs_them(panel: Any, stand_in: StandIn, tmp_path: Path) -> None:
    picture, _camera = xray_files(tmp_path)
    patient(panel, 180.0)
    stand_in.packages.outcome = "declined"
    stand_in.answers.files = [str(picture)]
    for button in (panel.register.ui.registerButton, panel.xrays.ui.addFileButton):
        with refused(panel, "Python packages", "that was declined", "try again"):
            button.click()


# A mask.


def test_a_mask_of_another_size_is_refused_and_no_mask_is_chosen_by_itself(panel: Any) -> None:
    import slicer
    from DiffRegistrationLib.mrml.xray_node import mask_node_of

    _ct, (xray,) = patient(panel, 180.0)
    own = mask_node_of(xray)
    wrong = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Wrong")
    slicer.util.updateVolumeFromArray(wrong, np.ones((1, 10, 10), dtype=np.uint8))
    with refused(panel, "Wrong", "10×10 pixels", "Give a mask drawn on this X-ray"):
        choose_node(panel.xrays.ui.maskSelector, wrong)
    assert mask_node_of(xray) is own and panel.xrays.ui.maskSelector.currentNode() is own
    slicer.mrmlScene.RemoveNode(own)
    pump(0.05)
    # The list of the selector goes on to the next one; the X-ray does not.
    assert mask_node_of(xray) is None and message(panel).startswith("Wrong")
    assert panel.xrays.ui.maskSelector.currentNode() is None


def test_choosing_a_view_says_nothing_of_its_mask_and_keeps_what_was_said(panel: Any) -> None:
    from DiffRegistrationLib.mrml.camera_attributes import read_provenance
    from DiffRegistrationLib.xray.errors import InputError

    _ct, xrays = patient(panel, 180.0, 90.0)
    before = [read_provenance(xray) for xray in xrays]
    panel.session.refuse(InputError("Something", "was wrong", "Mend it."))
    for row in (1, 0, 1):
        panel.xrays.ui.xrayTable.selectRow(row)
        pump(0.05)
    assert [read_provenance(xray) for xray in xrays] == before and message(panel).startswith("Something")


def test_a_colour_picture_of_the_scene_can_be_chosen_and_is_refused(panel: Any) -> None:
    import slicer

    patient(panel)
    picture = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Photograph")
    slicer.util.updateVolumeFromArray(picture, np.zeros((1, 20, 20, 3), dtype=np.uint8))
    panel.xrays.ui.xraySelector.setCurrentNode(picture)
    with refused(panel, "Photograph", "is a colour picture", "grey values"):
        panel.xrays.ui.addNodeButton.click()
    assert panel.xrays.ui.xrayTable.rowCount == 0


def test_a_refusal_is_scrolled_to(panel: Any, stand_in: StandIn) -> None:
    patient(panel, 180.0)
    stand_in.window.show()
    pump(0.1)
    area = panel.session._ui.statusLabel
    while not hasattr(area, "ensureWidgetVisible"):
        area = area.parentWidget()
    area.ensureWidgetVisible(panel.results.ui.resultTable)
    pump(0.1)
    assert area.verticalScrollBar().value > 100
    stand_in.packages.outcome = "declined"
    with refused(panel, "Python packages", "that was declined"):
        panel.register.ui.registerButton.click()
    pump(0.1)
    assert area.verticalScrollBar().value < 100
