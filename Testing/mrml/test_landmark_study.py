"""A study shows one frame of what was found, follows its X-rays, and makes no node when it steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.scene import remove_with_displays
from DiffRegistrationLib.mrml.sequence_items import browser_of
from DiffRegistrationLib.mrml.xray_node import set_camera
from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence
from DiffRegistrationLib.xray.errors import InputError
from LandmarkDetectionLib.detection.landmark_run import run_to_text
from LandmarkDetectionLib.mrml.frame_follower import FrameFollower
from LandmarkDetectionLib.mrml.landmark_study import (
    ct_of,
    frame_of,
    make_study,
    own_nodes,
    points_of,
    remove_study,
    run_of,
    show_frame,
    show_view_in,
    shown_frame,
    studies_in_scene,
    switch,
    switched_off,
    xrays_of,
)
from LandmarkDetectionLib.mrml.point_lists import list_of
from LandmarkDetectionLib.mrml.study_folder import folder_of, take_out
from LandmarkDetectionLib.mrml.study_points import Source
from made_up_landmarks import NAMES, blank, c_arm, made_run, sequences, world_points, xrays
from made_up_xrays import volume, world_of_pixel

pytestmark = pytest.mark.mrml

CAMERAS = [c_arm(0.0), c_arm(90.0)]
NUMBERS = [3, 4, 5, 9]


def nasion(study: Any, view: int | None = None) -> np.ndarray:
    """Where the list of the midline shows it."""
    node = list_of(study, view, "midline")
    number = [node.GetNthControlPointLabel(n) for n in range(node.GetNumberOfControlPoints())].index("n")
    return np.array(node.GetNthControlPointPositionWorld(number))


def off_true(study: Any, frame: int) -> float:
    return float(np.linalg.norm(nasion(study) - world_points(frame)[NAMES.index("nasion")]))


def test_a_study_holds_the_run_its_x_rays_and_its_ct(scene: Any) -> None:
    run, nodes = made_run(CAMERAS), xrays(CAMERAS)
    ct = volume(np.zeros((4, 5, 6), np.int16))
    study = make_study(run, nodes, ct, "What was found")
    assert studies_in_scene() == [study] and study.GetName() == "What was found"
    assert run_to_text(run_of(study)) == run_to_text(run) and run_of(study) is run_of(study)
    assert xrays_of(study) == nodes and ct_of(study) is ct and shown_frame(study) == 0
    assert off_true(study, 0) < 3
    # Nine lists, errors and residuals for each view, errors in space, rays, table.
    assert len(own_nodes(study)) == 9 + 4 + 3
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = folder_of(study)
    assert tree.GetItemName(folder) == "What was found"
    assert {tree.GetItemParent(tree.GetItemByDataNode(node)) for node in own_nodes(study)} == {folder}


def test_the_folder_lies_beside_the_first_x_ray(scene: Any) -> None:
    nodes = xrays(CAMERAS)
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = tree.CreateSubjectItem(tree.GetSceneItemID(), "Patient")
    examination = tree.CreateStudyItem(patient, "Examination")
    tree.CreateItem(examination, nodes[0])
    study = make_study(made_run(CAMERAS), nodes)
    assert tree.GetItemParent(folder_of(study)) == examination
    remove_study(study)
    assert tree.GetNumberOfItemChildren(examination) == 1


def test_stepping_shows_each_frame_in_place_and_makes_no_node(scene: Any, unchanged: Callable) -> None:
    study = make_study(made_run(CAMERAS, NUMBERS), sequences(CAMERAS, NUMBERS))
    ids = [node.GetID() for node in own_nodes(study)]
    unchanged()
    for number in (5, 9, 3, 4):
        show_frame(study, number)
        assert shown_frame(study) == number and off_true(study, number) < 3
        assert {browser_of(node).GetSelectedItemNumber() for node in xrays_of(study)} == {NUMBERS.index(number)}
    assert unchanged() and ids == [node.GetID() for node in own_nodes(study)]


def test_a_frame_in_which_nothing_was_looked_for_shows_nothing(scene: Any) -> None:
    study = make_study(made_run(CAMERAS, [3, 4]), sequences(CAMERAS, NUMBERS))
    show_frame(study, 9)
    assert list_of(study, 1, "left").GetNumberOfDefinedControlPoints() == 0
    assert not points_of(study).is_known.any()
    show_frame(study, 4)
    assert list_of(study, 1, "left").GetNumberOfDefinedControlPoints() == 16


def test_a_study_made_while_a_later_frame_is_shown_begins_there(scene: Any) -> None:
    nodes = sequences(CAMERAS, NUMBERS)
    browser_of(nodes[0]).SetSelectedItemNumber(2)
    assert shown_frame(make_study(made_run(CAMERAS, NUMBERS), nodes)) == 5


def test_a_study_follows_either_browser_and_takes_the_other_one_along(scene: Any, unchanged: Callable) -> None:
    study = make_study(made_run(CAMERAS, NUMBERS), sequences(CAMERAS, NUMBERS))
    told: list[int] = []
    follower = FrameFollower(study, told.append)
    first, second = (browser_of(node) for node in xrays_of(study))
    unchanged()
    second.SetSelectedItemNumber(3)
    assert told == [9] and shown_frame(study) == 9 and first.GetSelectedItemNumber() == 3
    first.SetSelectedItemNumber(1)
    show_frame(study, 5)
    assert told == [9, 4, 5] and off_true(study, 5) < 3 and unchanged()
    follower.stop()
    first.SetSelectedItemNumber(0)
    assert told == [9, 4, 5] and shown_frame(study) == 5


def test_points_stay_on_a_c_arm_that_turns_and_on_a_camera_that_is_corrected(scene: Any) -> None:
    turning = [[c_arm(2.0 * n), c_arm(90.0 + 2.0 * n)] for n in range(3)]
    runs = [made_run(cameras, [n]) for n, cameras in enumerate(turning)]
    run = replace(runs[0], numbers=(0, 1, 2), found=tuple(one.found[0] for one in runs))
    nodes = [add_radiograph_sequence([blank(cameras[view]) for cameras in turning], range(3))[0] for view in range(2)]
    study = make_study(run, nodes)
    follower = FrameFollower(study)
    where = NAMES.index("nasion")
    for number in range(3):
        browser_of(nodes[1]).SetSelectedItemNumber(number)
        u, v = run.at(number, 1).pixels[where]
        np.testing.assert_allclose(nasion(study, 2), world_of_pixel(nodes[1], u, v), atol=1e-3)
        assert off_true(study, number) < 3
    single = make_study(made_run(CAMERAS[:1]), xrays(CAMERAS[:1]))
    following = FrameFollower(single)
    before = nasion(single)
    set_camera(xrays_of(single)[0], c_arm(30.0, spacing=(3.0, 3.1)))
    u, v = run_of(single).at(0, 0).pixels[where]
    np.testing.assert_allclose(nasion(single, 1), world_of_pixel(xrays_of(single)[0], u, v), atol=1e-3)
    assert np.linalg.norm(nasion(single) - before) > 30
    follower.stop()
    following.stop()


def test_a_point_is_switched_off_and_on_at_once(scene: Any) -> None:
    study = make_study(made_run(CAMERAS, NUMBERS), sequences(CAMERAS, NUMBERS))
    where = NAMES.index("nasion")
    before = nasion(study)
    switch(study, 3, 1, ["nasion", "sella"], True)
    switch(study, 9, 0, ["nasion"], True)
    assert switched_off(study) == {(3, 1): {"nasion", "sella"}, (9, 0): {"nasion"}}
    assert points_of(study).how[where] is Source.ONE_VIEW and np.linalg.norm(nasion(study) - before) > 10
    assert frame_of(study, 3).off == (frozenset(), frozenset({"nasion", "sella"}))
    assert points_of(study, 4).how[where] is Source.TRIANGULATED
    switch(study, 3, 1, ["nasion"], False)
    np.testing.assert_array_equal(nasion(study), before)
    assert switched_off(study) == {(3, 1): {"sella"}, (9, 0): {"nasion"}}


def test_views_show_only_what_lies_on_their_detector(scene: Any) -> None:
    study = make_study(made_run(CAMERAS), xrays(CAMERAS))
    show_view_in(study, 1, ["vtkMRMLSliceNodeXRay2", "vtkMRMLViewNode1"])
    shown = {
        view: {list_of(study, view, side).GetDisplayNode().GetViewNodeIDs() for side in ("right", "left", "midline")}
        for view in (1, 2, None)
    }
    assert shown == {1: {()}, 2: {("vtkMRMLSliceNodeXRay2", "vtkMRMLViewNode1")}, None: {()}}


def test_a_study_goes_with_all_that_was_made_for_it(scene: Any, unchanged: Callable) -> None:
    nodes = xrays(CAMERAS)
    make_study(made_run(CAMERAS), nodes)
    remove_study(studies_in_scene()[0])
    # Colours stay, and the tree of data.
    unchanged()
    study = make_study(made_run(CAMERAS), nodes)
    for node in (list_of(study, 1, "left"), list_of(study, None, "right")):
        take_out(node)
        remove_with_displays(node)
    show_frame(study, 0)
    remove_study(study)
    assert unchanged() and studies_in_scene() == []


def test_a_clone_is_no_study_and_two_studies_of_the_same_x_rays_stand_side_by_side(scene: Any) -> None:
    nodes = xrays(CAMERAS)
    study = make_study(made_run(CAMERAS), nodes)
    other = make_study(made_run(CAMERAS, sigma_px=0.0), nodes)
    clone = scene.AddNewNodeByClass("vtkMRMLTextNode")
    clone.CopyContent(study)
    clone.SetAttribute("FluoroRegistration.Role", study.GetAttribute("FluoroRegistration.Role"))
    clone.SetNodeReferenceID("FluoroRegistration.Self", study.GetID())
    assert studies_in_scene() == [study, other]
    assert off_true(other, 0) < 1e-3 < off_true(study, 0)


def test_what_does_not_fit_is_refused_and_leaves_the_scene_as_it_was(scene: Any, unchanged: Callable) -> None:
    nodes = xrays(CAMERAS)
    unchanged()
    with pytest.raises(InputError, match="1 were given for landmarks of 2"):
        make_study(made_run(CAMERAS), nodes[:1])
    assert unchanged()
    study = make_study(made_run(CAMERAS), nodes)
    with pytest.raises(InputError, match="has no landmark elbow"):
        switch(study, 0, 0, ["elbow"], True)
    with pytest.raises(InputError, match="has no view 3 of frame 0"):
        switch(study, 0, 2, ["nasion"], True)
    study.SetText(study.GetText().replace(run_of(study).definitions, "0" * 12))
    with pytest.raises(InputError, match=f"{study.GetName()}.*other landmark definitions"):
        show_frame(study, 0)
    study.SetText("{")
    with pytest.raises(InputError, match="damaged"):
        run_of(study)


def test_a_study_outlives_an_x_ray(scene: Any) -> None:
    nodes = xrays(CAMERAS)
    study = make_study(made_run(CAMERAS), nodes)
    scene.RemoveNode(nodes[0])
    assert xrays_of(study) == [None, nodes[1]]
    show_frame(study, 0)
    assert set(points_of(study).how) == {Source.ONE_VIEW}
