"""What the sections that find, triangulate, show and write landmarks do not do, and what they say then."""

from __future__ import annotations

import importlib.util
import os
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
from fluororeg_runs import camera
from landmark_study_scene import (
    NAMES,
    cine,
    flat_xray,
    found_in,
    network_file,
    run_with,
    study_of,
    with_landmarks,
)
from landmark_window import choose_ct, refused
from window_patient import add_ct, add_xray, idle, message, pump, pump_until, scene_in_words

pytestmark = [pytest.mark.gui, pytest.mark.mrml]


def detect(panel: Any) -> None:
    """Press the button."""
    button = panel.detect.ui.detectButton
    assert button.enabled, button.toolTip
    button.click()


def made(panel: Any, run: Any, nodes: list[Any], ct: Any = None) -> Any:
    """A study that is chosen."""
    from LandmarkDetectionLib.mrml.landmark_study import make_study

    panel.session.study = make_study(run, nodes, ct)
    pump(0.05)
    return panel.session.study


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


# Networks.


def test_networks_that_cannot_be_used_are_refused(landmark_panel: Any, tmp_path: Path) -> None:
    """Of other landmark definitions, damaged, and no network: by one worker, which goes on."""
    panel = landmark_panel
    add_xray(180.0)
    pump(0.05)
    path = panel.detect.ui.networkPath
    path.currentPath = str(network_file(tmp_path / "other.pt", definitions="0123456789ab"))
    with refused(panel, "other.pt", "was trained on other landmark definitions: 0123456789ab"):
        detect(panel)
    (tmp_path / "damaged.pt").write_bytes(network_file(tmp_path / "whole.pt").read_bytes()[:1000])
    path.currentPath = str(tmp_path / "damaged.pt")
    with refused(panel, "damaged.pt", "Train it again"):
        detect(panel)
    (tmp_path / "style.pt").write_bytes(b"no style" * 50)
    path.currentPath = str(tmp_path / "whole.pt")
    panel.detect.ui.stylePath.currentPath = str(tmp_path / "style.pt")
    with refused(panel, "style.pt"):
        detect(panel)
    panel.detect.ui.stylePath.currentPath = str(tmp_path / "gone.pt")
    assert panel.detect.ui.detectButton.toolTip == "There is no X-ray style in the file named here."
    assert panel.session.study is None


@pytest.mark.parametrize(
    ("how", "words"),
    [("no extension", "Install the extension PyTorch"), ("declined", "was not installed")],
)
def test_without_torch_it_is_said_how_to_get_it(
    landmark_panel: Any, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str, words: str
) -> None:
    panel = landmark_panel
    study_of([xray := add_xray(180.0)], [180.0])
    panel.session.take_over()
    panel.detect.ui.networkPath.currentPath = str(network_file(tmp_path / "network.pt"))
    panel.results.ui.resultPath.currentPath = str(tmp_path)
    pump(0.05)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find_spec(name, *rest)
    )
    stand_in.torch.installed = False
    if how == "no extension":
        stand_in.without_pytorch_extension()
    else:
        stand_in.torch.outcome = how
    for button in (panel.detect.ui.detectButton, panel.results.ui.reportButton):
        assert button.enabled, button.toolTip
        with refused(panel, "PyTorch", words):
            button.click()
    # What needs no network goes on.
    panel.results.ui.tableButton.click()
    assert "Saved as" in message(panel) and xray is not None


# X-rays.


def test_an_x_ray_without_geometry_is_looked_at_in_two_dimensions_and_that_is_said(
    landmark_panel: Any, tmp_path: Path
) -> None:
    panel = landmark_panel
    flat_xray("Scan")
    choose_ct(panel, with_landmarks(add_ct()))
    ui = panel.detect.ui
    ui.networkPath.currentPath = str(network_file(tmp_path / "network.pt"))
    assert str(ui.viewTable.item(0, 1).text()).startswith("✕ 2D only")
    ui.sharpenBox.click()
    assert not ui.detectButton.enabled and "Scan has no geometry to place a head in" in ui.detectButton.toolTip
    ui.sharpenBox.click()
    assert "Scan has no geometry" in panel.skull_exposure.ui.exposureButton.toolTip
    detect(panel)
    pump_until(lambda: idle(panel))
    pump(0.05)
    assert "Scan has no geometry: its landmarks are in the image only" in message(panel)
    assert "2D only" in ui.frameState.text
    assert "Add a second X-ray" in panel.triangulate.ui.triangulateState.text
    assert str(ui.landmarkTable.item(0, 4).text()) == "–" and str(ui.landmarkTable.item(0, 2).text()) != "–"
    for button in (panel.triangulate.ui.placeButton, panel.triangulate.ui.refineButton):
        assert not button.enabled and button.toolTip.startswith("The X-rays have no geometry")
    assert panel.skull_exposure.ui.skullButton.toolTip.startswith("The X-rays have no geometry")
    panel.results.ui.resultPath.currentPath = str(tmp_path)
    assert panel.results.ui.pointsButton.toolTip.startswith("No landmark has a place in space")
    panel.results.ui.reportButton.click()
    assert "2D only" in (tmp_path / "report-frame-0.html").read_text(encoding="utf-8"), message(panel)


def test_two_views_are_needed_to_triangulate(landmark_panel: Any) -> None:
    panel = landmark_panel
    first, scan = add_xray(180.0), flat_xray("Scan")
    made(panel, run_with([[found_in(camera())]]), [first])
    ui = panel.triangulate.ui
    assert ui.triangulateState.text.startswith("One X-ray cannot be triangulated")
    assert not ui.residualTable.enabled and ui.residualTable.toolTip == "Two X-rays of the same moment are needed."
    run = run_with([[found_in(camera()), found_in(camera(90.0))]], planar=(False, True))
    made(panel, run, [first, scan])
    assert ui.triangulateState.text.startswith("Fewer than two of the X-rays have a geometry")
    # Of the one that has a geometry the CT can still be placed.
    choose_ct(panel, with_landmarks(add_ct()))
    assert ui.placeButton.enabled, ui.placeButton.toolTip


def test_views_of_different_frames_are_refused(landmark_panel: Any, tmp_path: Path) -> None:
    panel = landmark_panel
    cine(range(3), 180.0, "Long")
    cine(range(2), 90.0, "Short")
    pump(0.05)
    panel.detect.ui.networkPath.currentPath = str(network_file(tmp_path / "network.pt"))
    with refused(panel, "frames"):
        detect(panel)


def test_a_frame_that_could_not_be_used_is_told_apart(landmark_panel: Any, tmp_path: Path) -> None:
    panel = landmark_panel
    nodes = [cine((4, 5), angle, f"Cine {angle:g}") for angle in (180.0, 90.0)]
    both = [found_in(camera()), found_in(camera(90.0))]
    made(panel, run_with([[both[0], None], [None, None]], numbers=(4, 5)), nodes)
    assert "Cine 90: this frame could not be used." in panel.detect.ui.frameState.text
    assert panel.triangulate.ui.triangulateState.text.startswith("No landmark is seen in two X-rays")
    panel.detect.ui.tableViewBox.setCurrentIndex(1)
    assert str(panel.detect.ui.landmarkTable.item(0, 5).text()) == "not known"
    choose_ct(panel, with_landmarks(add_ct()))
    panel.detect.ui.frameSlider.setValue(1)
    pump(0.05)
    panel.results.ui.resultPath.currentPath = str(tmp_path)
    assert panel.results.ui.pointsButton.toolTip.startswith("No landmark has a place in space")
    with refused(panel, "frame 5", "Find landmarks in it"):
        panel.triangulate.ui.placeButton.click()


# The CT.


def test_views_that_contradict_each_other_place_no_ct(landmark_panel: Any) -> None:
    """One view is of the head, the other of nothing at all."""
    panel = landmark_panel
    nodes = [add_xray(180.0), add_xray(90.0, "X-ray lateral")]
    random = np.random.default_rng(3)
    noise = [random.uniform(5, 90, (len(NAMES), 2)) for _view in nodes]
    found = [found_in(camera(a), pixels=p, network_pixels=p) for a, p in zip((180.0, 90.0), noise, strict=True)]
    made(panel, run_with([found]), nodes)
    ct = choose_ct(panel, with_landmarks(add_ct()))
    words = str(panel.triangulate.ui.triangulateState.text)
    assert "contradict each other in" in words or "No landmark is seen" in words, words
    panel.triangulate.ui.placeButton.click()
    pump(0.05)
    # Either it is refused, or it is said that it is not to be trusted.
    if ct.GetParentTransformNode() is not None:
        assert str(panel.triangulate.ui.placeState.text).startswith("! ")
    else:
        assert "landmarks" in message(panel)


def test_a_list_with_foreign_names_stands_in_the_way_and_is_named(landmark_panel: Any) -> None:
    from LandmarkDetectionLib.mrml.ct_landmarks import landmark_node

    panel = landmark_panel
    nodes = [add_xray(180.0), add_xray(90.0, "X-ray lateral")]
    study_of(nodes, [180.0, 90.0])
    panel.session.take_over()
    ct = choose_ct(panel, with_landmarks(add_ct()))
    landmark_node(ct).SetNthControlPointLabel(0, "tip of the tail")
    panel.session.changed()
    for button in (panel.triangulate.ui.placeButton, panel.skull_exposure.ui.exposureButton):
        assert not button.enabled and "tip of the tail" in button.toolTip


def test_a_ct_that_cannot_be_posed_is_refused(landmark_panel: Any) -> None:
    import slicer

    panel = landmark_panel
    nodes = [add_xray(180.0), add_xray(90.0, "X-ray lateral")]
    study_of(nodes, [180.0, 90.0])
    panel.session.take_over()
    ct = choose_ct(panel, with_landmarks(add_ct()))
    scaled = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Scaled")
    scaled.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([2.0, 1.0, 1.0, 1.0])))
    ct.SetAndObserveTransformNodeID(scaled.GetID())
    with refused(panel, ct.GetName()):
        panel.triangulate.ui.refineButton.click()


# Nodes that go.


@pytest.mark.parametrize("which", ["X-ray", "scene"])
def test_what_goes_while_landmarks_are_searched_for_ends_the_search(
    landmark_panel: Any, tmp_path: Path, which: str
) -> None:
    import slicer

    panel = landmark_panel
    first = add_xray(180.0)
    add_xray(90.0, "X-ray lateral")
    pump(0.05)
    panel.detect.ui.networkPath.currentPath = str(network_file(tmp_path / "network.pt"))
    detect(panel)
    if which == "scene":
        slicer.mrmlScene.Clear()
    else:
        slicer.mrmlScene.RemoveNode(first)
    pump(0.1)
    assert idle(panel) and not panel.session.logic.busy and panel.session.study is None
    if which == "X-ray":
        assert "was deleted while landmarks were searched for" in message(panel)
        assert panel.detect.ui.detectButton.enabled and panel.detect.ui.viewTable.rowCount == 1
    else:
        assert message(panel) == "" and panel.detect.ui.viewTable.rowCount == 0


@pytest.mark.parametrize("work", ["skull", "exposure", "register"])
def test_work_is_cancelled_and_ends_when_what_it_needs_goes(landmark_panel: Any, work: str) -> None:
    import slicer

    panel = landmark_panel
    nodes = [add_xray(180.0), add_xray(90.0, "X-ray lateral")]
    study_of(nodes, [180.0, 90.0])
    panel.session.take_over()
    ct = choose_ct(panel, with_landmarks(add_ct()))
    skull, triangulate = panel.skull_exposure.ui, panel.triangulate.ui
    button = {"skull": skull.skullButton, "exposure": skull.exposureButton, "register": triangulate.refineButton}[work]
    bar = {"skull": skull.skullProgress, "exposure": skull.exposureProgress, "register": triangulate.placeProgress}[
        work
    ]
    before, words = scene_in_words(), str(button.text)
    button.click()
    assert panel.session.working == work and button.text == "Cancel" and not bar.isHidden()
    for other in (panel.detect.ui.detectButton, panel.detect.ui.removeButton):
        assert not other.enabled
    button.click()
    assert idle(panel) and message(panel).startswith("Cancelled") and button.text == words
    assert scene_in_words() == before
    button.click()
    slicer.mrmlScene.RemoveNode(nodes[1])
    pump(0.1)
    assert idle(panel) and not panel.session.logic.busy and button.text == words
    assert message(panel).startswith("X-ray lateral: was deleted while") and ct.GetParentTransformNode() is None


def test_a_study_whose_x_ray_or_own_nodes_go_can_still_be_looked_at(landmark_panel: Any, tmp_path: Path) -> None:
    import slicer
    from LandmarkDetectionLib.mrml.attributes import RAYS, TABLE
    from LandmarkDetectionLib.mrml.study_node import own_node

    panel = landmark_panel
    nodes = [add_xray(180.0), add_xray(90.0, "X-ray lateral")]
    study = study_of(nodes, [180.0, 90.0])
    panel.session.take_over()
    for reference in (RAYS, TABLE):
        slicer.mrmlScene.RemoveNode(own_node(study, reference))
    slicer.mrmlScene.RemoveNode(nodes[1])
    pump(0.1)
    assert not panel.triangulate.ui.raysBox.enabled
    assert panel.detect.ui.tableViewBox.itemText(1) == "X2" and panel.detect.ui.landmarkTable.rowCount == 55
    panel.detect.ui.landmarkTable.selectRow(3)
    panel.results.ui.resultPath.currentPath = str(tmp_path)
    panel.results.ui.tableButton.click()
    assert (tmp_path / "landmarks.csv").is_file(), message(panel)
    slicer.mrmlScene.RemoveNode(study)
    pump(0.1)
    assert panel.session.study is None and panel.detect.ui.landmarkTable.rowCount == 0


# The disk.


@pytest.mark.skipif(os.name == "nt", reason="folders are kept from being written to in another way")
def test_results_that_cannot_be_written_are_refused_and_leave_nothing(
    landmark_panel: Any, stand_in: StandIn, tmp_path: Path
) -> None:
    panel = landmark_panel
    study_of([add_xray(180.0), add_xray(90.0, "X-ray lateral")], [180.0, 90.0])
    panel.session.take_over()
    pump(0.05)
    ui, file = panel.results.ui, tmp_path / "file"
    file.write_text("no folder", encoding="utf-8")
    ui.resultPath.currentPath = str(file)
    for button in (ui.tableButton, ui.pointsButton, ui.openFolderButton):
        with refused(panel, str(file)):
            button.click()
    assert ui.reportButton.toolTip.startswith("Name the network under Find landmarks")
    folder = tmp_path / "out"
    ui.resultPath.currentPath = str(folder)
    panel.detect.ui.networkPath.currentPath = str(network_file(tmp_path / "other.pt", definitions="0123456789ab"))
    with refused(panel, "other.pt", "other landmark definitions"):
        ui.reportButton.click()
    panel.detect.ui.networkPath.currentPath = str(network_file(tmp_path / "another.pt", steps=7))
    with refused(panel, "another.pt", "is not what found these landmarks", "7 steps"):
        ui.reportButton.click()
    assert tree(folder) == [] and stand_in.opened == []
    panel.detect.ui.networkPath.currentPath = str(network_file(tmp_path / "network.pt"))
    ui.reportButton.click()
    (report,) = tree(folder)
    report.unlink()
    with refused(panel, report.name, "is not there any more"):
        ui.openReportButton.click()


def test_a_skull_is_not_written_where_it_cannot_be(landmark_panel: Any, stand_in: StandIn, tmp_path: Path) -> None:
    import slicer
    from LandmarkDetectionLib.mrml.skull_nodes import skull_model
    from LandmarkDetectionLib.skull_shape.surface import Surface
    from LandmarkDetectionLib.skull_shape.vtk_surfaces import write_surface

    panel = landmark_panel
    study = study_of([add_xray(180.0), add_xray(90.0, "X-ray lateral")], [180.0, 90.0])
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    surface = Surface(rigid.transform_points(np.eye(4), corners), faces)
    write_surface(tmp_path / "small.vtp", surface, {"StandardDeviationMm": np.arange(4.0)})
    model = skull_model(study, tmp_path / "small.vtp")
    panel.session.take_over()
    pump(0.05)
    assert "±1.5 mm on average" in panel.skull_exposure.ui.skullState.text
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    stand_in.answers.files = str(tmp_path / "file" / "skull.stl")
    with refused(panel, "skull.stl"):
        panel.skull_exposure.ui.saveSkullButton.click()
    stand_in.answers.files = ""
    before = scene_in_words()
    panel.skull_exposure.ui.saveSkullButton.click()
    assert scene_in_words() == before
    slicer.mrmlScene.RemoveNode(model)
    pump(0.05)
    assert panel.skull_exposure.ui.skullState.text == "" and not panel.skull_exposure.ui.saveSkullButton.enabled
