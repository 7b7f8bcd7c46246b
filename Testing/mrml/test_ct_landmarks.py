"""A CT's landmarks move with it, are corrected by dragging, and fall on X-rays as the CT lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.pose_node import put_under_pose
from DiffRegistrationLib.mrml.xray_node import add_radiograph, set_camera
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from LandmarkDetectionLib.atlas.landmark_files import BY_HAND_MM, read_landmarks, write_landmarks
from LandmarkDetectionLib.atlas.landmark_set import LandmarkSet, LandmarkStatus
from LandmarkDetectionLib.mrml.ct_landmarks import (
    adopt,
    how_each_is,
    kept_landmarks,
    landmark_node,
    landmarks_of,
    put_landmarks,
    reset_landmark,
    stay_with_ct,
)
from LandmarkDetectionLib.mrml.ct_projection import CTProjection
from made_up_landmarks import NAMES, blank, c_arm, head, xrays
from made_up_xrays import transform, volume, world_of_pixel
from vtk.util.numpy_support import vtk_to_numpy

pytestmark = pytest.mark.mrml

POSE = rigid.exp([0.2, -0.1, 0.3, 12.0, -30.0, 44.0])
CAMERAS = [c_arm(0.0), c_arm(90.0)]
NASION, SELLA = NAMES.index("nasion"), NAMES.index("sella")


@pytest.fixture
def ct(scene: Any) -> Any:
    node = volume(np.zeros((4, 5, 6), np.int16))
    node.SetName("Head")
    return node


def carried() -> LandmarkSet:
    """As a transfer gives them: one outside of the CT, one without a place."""
    status = [LandmarkStatus.TRANSFERRED] * len(NAMES)
    points, uncertainty = head().points.copy(), np.full(len(NAMES), 2.5)
    status[3], status[4] = LandmarkStatus.OUTSIDE, LandmarkStatus.UNKNOWN
    points[4], uncertainty[4] = np.nan, np.nan
    return LandmarkSet(NAMES, points, uncertainty, tuple(status))


def drag(node: Any, number: int, *move: float) -> None:
    """By so many mm in the world."""
    place = np.array(node.GetNthControlPointPositionWorld(number)) + move
    node.SetNthControlPointPositionWorld(number, *place)


def assert_same(left: LandmarkSet, right: LandmarkSet) -> None:
    assert left.names == right.names and left.status == right.status
    np.testing.assert_allclose(left.points, right.points, atol=1e-3)
    np.testing.assert_allclose(left.uncertainty_mm, right.uncertainty_mm, atol=0.051)


def test_what_was_put_comes_back_and_says_the_same_as_a_file(ct: Any, tmp_path: Path, unchanged: Callable) -> None:
    assert landmarks_of(ct) is None and landmark_node(ct) is None and kept_landmarks(ct) is None
    node = put_landmarks(ct, carried())
    assert node.GetNumberOfControlPoints() == len(NAMES) and not node.GetLocked()
    assert_same(landmarks_of(ct), carried())
    write_landmarks(tmp_path / "head.mrk.json", carried())
    assert_same(landmarks_of(ct), read_landmarks(tmp_path / "head.mrk.json"))
    assert kept_landmarks(ct) is None
    unchanged()
    assert put_landmarks(ct, carried()) is node and unchanged() and landmark_node(ct) is node


def test_a_dragged_point_is_corrected_under_any_pose_and_can_be_put_back(ct: Any) -> None:
    node = put_landmarks(ct, carried())
    put_under_pose(ct, POSE)
    stay_with_ct(ct)
    before = rigid.transform_points(POSE, head().points)
    np.testing.assert_allclose(node.GetNthControlPointPositionWorld(NASION), before[NASION], atol=1e-9)
    drag(node, NASION, 2.0, 0.0, 0.0)
    now = landmarks_of(ct)
    assert now.status[NASION] is LandmarkStatus.CORRECTED and now.uncertainty_mm[NASION] == BY_HAND_MM
    np.testing.assert_allclose(
        now.points[NASION], head().points[NASION] + np.linalg.inv(POSE)[:3, :3] @ [2.0, 0, 0], atol=1e-9
    )
    assert now.status[SELLA] is LandmarkStatus.TRANSFERRED
    assert_same(kept_landmarks(ct), now)
    put_landmarks(ct, now)
    assert landmarks_of(ct).status[NASION] is LandmarkStatus.CORRECTED
    put_landmarks(ct, carried())
    drag(node, NASION, 2.0, 0.0, 0.0)
    reset_landmark(node, "nasion")
    assert_same(landmarks_of(ct), carried())


def test_what_a_person_placed_has_no_place_before(ct: Any) -> None:
    node = put_landmarks(ct, carried())
    node.SetNthControlPointPosition(4, 1.0, 2.0, 3.0)
    assert landmarks_of(ct).status[4] is LandmarkStatus.PLACED
    with pytest.raises(InputError, match="placed by hand"):
        reset_landmark(node, NAMES[4])
    with pytest.raises(InputError, match="“elbow” is not among them"):
        reset_landmark(node, "elbow")


def test_a_list_that_a_person_broke_is_refused_and_still_told_about(ct: Any) -> None:
    node = put_landmarks(ct, carried())
    node.SetNthControlPointLabel(NASION, "F-1")
    with pytest.raises(InputError, match=r"Head landmarks: has points that are none .* F-1"):
        landmarks_of(ct)
    told = how_each_is(node)
    assert told[NASION].status is LandmarkStatus.UNKNOWN and told[SELLA].status is LandmarkStatus.TRANSFERRED
    node.RemoveAllControlPoints()
    with pytest.raises(InputError, match="has 0 of the skull's landmarks"):
        landmarks_of(ct)
    # Carrying over again mends it.
    put_landmarks(ct, carried())
    assert_same(landmarks_of(ct), carried())


def persons_list(points: dict[str, np.ndarray]) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Mine")
    for name, place in points.items():
        node.AddControlPoint(list(place), name)
    return node


def test_a_persons_own_list_counts_where_it_is_seen(ct: Any) -> None:
    chosen = {name: head().point(name.lower()) for name in ("nasion", "Sella", "porion right", "porion left")}
    put_under_pose(ct, POSE)
    mine = persons_list({name: rigid.transform_points(POSE, place[None])[0] for name, place in chosen.items()})
    node = adopt(ct, mine)
    assert node is landmark_node(ct) is not mine
    found = landmarks_of(ct)
    assert found.is_known.sum() == 4 and found.status[SELLA] is LandmarkStatus.PLACED
    np.testing.assert_allclose(found.point("sella"), chosen["Sella"], atol=1e-6)
    under = persons_list(chosen)
    transform(POSE, under)
    adopt(ct, under)
    np.testing.assert_allclose(landmarks_of(ct).point("sella"), chosen["Sella"], atol=1e-6)


def test_a_list_that_was_saved_from_the_ct_counts_in_the_cts_frame(ct: Any) -> None:
    """As a file that is dropped into the scene while the CT is registered: it lies beside the CT."""
    first = put_landmarks(ct, carried())
    drag(first, NASION, 3.0, 0.0, 0.0)
    dropped = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Dropped")
    dropped.CopyContent(first)
    before = landmarks_of(ct)
    put_under_pose(ct, POSE)
    adopt(ct, dropped)
    assert_same(landmarks_of(ct), before)
    assert landmarks_of(ct).status[NASION] is LandmarkStatus.CORRECTED


def test_lists_that_are_none_of_the_skulls_are_refused(ct: Any, unchanged: Callable) -> None:
    strange = persons_list({"nasion": [0, 0, 0], "L1": [1, 1, 1], "L2": [2, 2, 2]})
    few = persons_list({"nasion": [0, 0, 0], "sella": [1, 1, 1]})
    unchanged()
    with pytest.raises(InputError, match=r"Mine: .*: L1, L2"):
        adopt(ct, strange)
    with pytest.raises(InputError, match="has 2 of the skull's landmarks, expected 4"):
        adopt(ct, few)
    assert unchanged() and landmarks_of(ct) is None


def crosses(projection: CTProjection, xray: Any) -> np.ndarray:
    """Their middles, in the world."""
    model = projection.model_of(xray)
    points = vtk_to_numpy(model.GetPolyData().GetPoints().GetData()).reshape(-1, 4, 3).mean(axis=1)
    matrix = slicer.util.arrayFromTransformMatrix(model.GetParentTransformNode(), toWorld=True)
    return rigid.transform_points(matrix, points)


def assert_projected(projection: CTProjection, xray: Any, camera: Any, pose: np.ndarray, moved: Any = None) -> None:
    points = head().points.copy()
    if moved is not None:
        points[NASION] = moved
    pixels = camera.project(rigid.transform_points(pose, points[np.arange(len(NAMES)) != 4]))
    expected = np.array([world_of_pixel(xray, *pixel) for pixel in pixels])
    np.testing.assert_allclose(crosses(projection, xray), expected, atol=1e-5)


def test_crosses_follow_a_dragged_point_the_ct_and_a_camera(ct: Any, unchanged: Callable) -> None:
    nodes = xrays(CAMERAS)
    node = put_landmarks(ct, carried())
    unchanged()
    projection = CTProjection(ct, nodes)
    for xray, camera in zip(nodes, CAMERAS, strict=True):
        assert_projected(projection, xray, camera, np.eye(4))
    drag(node, NASION, 0.0, 5.0, 0.0)
    moved = head().points[NASION] + [0.0, 5.0, 0.0]
    for xray, camera in zip(nodes, CAMERAS, strict=True):
        assert_projected(projection, xray, camera, np.eye(4), moved)
    placed = put_under_pose(ct, POSE)
    assert node.GetTransformNodeID() == placed.GetID(), "the points stay with the CT"
    assert_projected(projection, nodes[0], CAMERAS[0], POSE, moved)
    slicer.util.updateTransformMatrixFromArray(placed, np.eye(4))
    assert_projected(projection, nodes[1], CAMERAS[1], np.eye(4), moved)
    camera = c_arm(40.0, spacing=(2.0, 2.2))
    set_camera(nodes[1], camera)
    assert_projected(projection, nodes[1], camera, np.eye(4), moved)
    colours = vtk_to_numpy(projection.model_of(nodes[0]).GetPolyData().GetPointData().GetScalars())
    assert len(np.unique(colours, axis=0)) == 3
    projection.stop()
    drag(node, NASION, 0.0, 5.0, 0.0)
    assert all(xray.GetNodeReference("FluoroRegistration.CTProjection") is None for xray in nodes)


def test_an_x_ray_without_geometry_and_a_ct_without_landmarks_have_no_crosses(ct: Any) -> None:
    nodes = [*xrays(CAMERAS[:1]), add_radiograph(blank(CAMERAS[1]), "Picture", calibrated=False)]
    projection = CTProjection(ct, nodes)
    assert [projection.model_of(one).GetPolyData().GetNumberOfLines() for one in nodes] == [0, 0]
    projection.stop()
    put_landmarks(ct, carried())
    projection = CTProjection(ct, nodes)
    assert [projection.model_of(one).GetPolyData().GetNumberOfLines() for one in nodes] == [108, 0]
    set_camera(nodes[1], CAMERAS[1])
    assert_projected(projection, nodes[1], CAMERAS[1], np.eye(4))
    projection.stop()
