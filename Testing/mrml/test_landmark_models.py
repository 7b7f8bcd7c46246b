"""What is drawn of landmarks beside their points lies where it should and has the colour of its error."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.pose_node import put_under_pose
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from LandmarkDetectionLib.mrml.attributes import ERRORS_IN_SPACE, ERRORS_IN_VIEW, RAYS, RESIDUALS
from LandmarkDetectionLib.mrml.exposure_nodes import (
    exposure_model,
    exposure_model_of,
    exposure_table,
    exposure_table_of,
)
from LandmarkDetectionLib.mrml.landmark_study import frame_of, make_study, own_nodes, points_of, remove_study, switch
from LandmarkDetectionLib.mrml.skull_nodes import skull_model, skull_of_study, write_skull
from LandmarkDetectionLib.mrml.study_folder import folder_of
from LandmarkDetectionLib.mrml.study_node import own_node
from LandmarkDetectionLib.skull_shape.surface import Surface
from LandmarkDetectionLib.skull_shape.vtk_surfaces import read_surface, write_surface
from made_up_landmarks import NAMES, c_arm, made_run, xrays
from made_up_xrays import volume, world_of_pixel
from vtk.util.numpy_support import vtk_to_numpy

pytestmark = pytest.mark.mrml

CAMERAS = [c_arm(0.0), c_arm(90.0)]
NOSE = NAMES.index("nasion")


@pytest.fixture
def study(scene: Any) -> Any:
    return make_study(made_run(CAMERAS), xrays(CAMERAS))


def in_world(model: Any) -> np.ndarray:
    """A model's points where they are seen."""
    points = vtk_to_numpy(model.GetPolyData().GetPoints().GetData())
    parent = model.GetParentTransformNode()
    if parent is None:
        return points
    matrix = slicer.util.arrayFromTransformMatrix(parent, toWorld=True)
    return rigid.transform_points(matrix, points)


def values_of(model: Any, name: str) -> np.ndarray:
    return vtk_to_numpy(model.GetPolyData().GetPointData().GetArray(name))


def cells_of(model: Any) -> list[np.ndarray]:
    lines = model.GetPolyData().GetLines()
    offsets, corners = (vtk_to_numpy(a) for a in (lines.GetOffsetsArray(), lines.GetConnectivityArray()))
    return [corners[a:b] for a, b in pairwise(offsets)]


def test_an_ellipse_of_one_standard_deviation_surrounds_each_point_and_a_cross_those_outside(study: Any) -> None:
    view = frame_of(study, 0).views[1]
    model = own_node(study, f"{ERRORS_IN_VIEW}2")
    points, cells = in_world(model), cells_of(model)
    outside = sum(seen == "outside" for seen in view.seen)
    assert outside > 3 and len(cells) == len(NAMES) - outside + 2 * outside
    inside = [n for n, seen in enumerate(view.seen) if seen != "outside"]
    ring = points[cells[inside.index(NOSE)]]
    middle = world_of_pixel(view.node, *view.pixels[NOSE])
    np.testing.assert_allclose(ring[:-1].mean(axis=0), middle, atol=1e-3)
    np.testing.assert_allclose(ring[0], ring[-1], atol=1e-9)
    # 0.3 px along u and v, whose pixels are 2.9 mm wide and 2.6 mm high.
    reach = np.linalg.norm(ring - middle, axis=1)
    assert reach.max() == pytest.approx(0.3 * 2.9, rel=1e-2) and reach.min() == pytest.approx(0.3 * 2.6, rel=1e-2)
    np.testing.assert_allclose(values_of(model, "Standard deviation (mm)"), view.uncertainty_mm[NOSE], rtol=1e-4)
    display = model.GetDisplayNode()
    assert display.GetScalarRange() == (0.0, 6.0) and display.GetVisibility() and display.GetVisibility2D()
    assert display.GetSliceDisplayMode() == display.SliceDisplayProjection
    good, bad = (np.array(display.GetColorNode().GetLookupTable().GetTableValue(n)[:3]) for n in (0, 63))
    assert good.argmax() == 1 and bad.argmax() == 0


def test_ellipsoids_in_space_have_the_axes_of_the_error(study: Any) -> None:
    model, points = own_node(study, ERRORS_IN_SPACE), points_of(study)
    surface = in_world(model).reshape(len(NAMES), -1, 3)
    away = surface - points.points[:, None]
    inverse = np.linalg.inv(points.covariance)
    distance = np.sqrt(np.einsum("nki,nij,nkj->nk", away, inverse, away))
    np.testing.assert_allclose(distance, 2.0, rtol=1e-9)
    values = values_of(model, "Standard deviation (mm)").reshape(len(NAMES), -1)
    np.testing.assert_allclose(values, np.repeat(points.uncertainty_mm[:, None], values.shape[1], axis=1))
    assert model.GetPolyData().GetNumberOfPolys() > 50 * len(NAMES)


def test_rays_run_from_the_source_through_the_point_to_its_pixel(study: Any) -> None:
    model, frame = own_node(study, RAYS), frame_of(study, 0)
    assert not model.GetDisplayNode().GetVisibility()
    ends = in_world(model).reshape(-1, 2, 3)
    used = frame.points.used & frame.points.is_triangulated
    assert len(ends) == used.sum() > 60
    views = values_of(model, "View")[::2]
    for view, camera in enumerate(CAMERAS):
        mine = ends[views == view + 1]
        np.testing.assert_allclose(mine[:, 0], np.tile(camera.source, (len(mine), 1)), atol=1e-6)
        point = frame.points.points[NOSE]
        place = np.flatnonzero(used[view]).tolist().index(NOSE)
        start, end = mine[place]
        np.testing.assert_allclose(
            end, world_of_pixel(frame.views[view].node, *frame.views[view].pixels[NOSE]), atol=1e-3
        )
        along = (end - start) / np.linalg.norm(end - start)
        assert np.linalg.norm(np.cross(point - start, along)) < 2
    switch(study, 0, 0, ["nasion"], True)
    assert len(in_world(model)) == 2 * used.sum() - 4


def test_residual_lines_lead_from_the_pixel_to_where_the_point_falls(study: Any) -> None:
    frame = frame_of(study, 0)
    for view, camera in enumerate(CAMERAS):
        model = own_node(study, f"{RESIDUALS}{view + 1}")
        there = np.flatnonzero(np.isfinite(frame.points.residual_px[view])).tolist()
        ends = in_world(model).reshape(-1, 2, 3)[there.index(NOSE)]
        xray = frame.views[view].node
        np.testing.assert_allclose(ends[0], world_of_pixel(xray, *frame.views[view].pixels[NOSE]), atol=1e-3)
        falls = camera.project(frame.points.points[NOSE][None])[0]
        np.testing.assert_allclose(ends[1], world_of_pixel(xray, *falls), atol=1e-6)
        np.testing.assert_allclose(
            values_of(model, "Residual (px)")[::2], frame.points.residual_px[view][there], atol=1e-9
        )
        assert not model.GetDisplayNode().GetVisibility()


def ball(path: Path, name: str, moved: float = 0.0) -> tuple[Surface, np.ndarray]:
    """A tetrahedron, each corner with its own value, as the worker writes it."""
    corners = 10 * np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3.0]]) + [moved, 0, 0]
    surface = Surface(corners, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
    values = np.array([0.5, 1.5, 2.5, 4.0])
    write_surface(path, surface, {name: values})
    return surface, values


def test_the_skull_is_a_model_of_the_study_and_goes_to_files(study: Any, tmp_path: Path) -> None:
    surface, values = ball(tmp_path / "skull.vtp", "StandardDeviationMm")
    assert skull_of_study(study) is None
    model = skull_model(study, tmp_path / "skull.vtp")
    np.testing.assert_allclose(in_world(model), surface.vertices, atol=1e-6)
    np.testing.assert_allclose(values_of(model, "StandardDeviationMm"), values)
    assert skull_of_study(study) is model and model in own_nodes(study)
    assert model.GetDisplayNode().GetActiveScalarName() == "StandardDeviationMm"
    # Of the file that it came from nothing is kept: it lies in a folder of the moment.
    assert model.GetStorageNode() is None
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert tree.GetItemParent(tree.GetItemByDataNode(model)) == folder_of(study)
    moved, _ = ball(tmp_path / "other.vtp", "StandardDeviationMm", 100.0)
    count = slicer.mrmlScene.GetNumberOfNodes()
    assert skull_model(study, tmp_path / "other.vtp") is model and slicer.mrmlScene.GetNumberOfNodes() == count
    for name in ("out.stl", "out.vtp"):
        write_skull(model, tmp_path / name)
        written = read_surface(tmp_path / name)
        assert {tuple(p) for p in written.vertices.round(3)} == {tuple(p) for p in moved.vertices.round(3)}
    with pytest.raises(InputError, match="no surface file"):
        write_skull(model, tmp_path / "out.obj")
    with pytest.raises(InputError, match=r"gone\.vtp"):
        skull_model(study, tmp_path / "gone.vtp")
    remove_study(study)
    for kind in ("vtkMRMLModelNode", "vtkMRMLColorLegendDisplayNode"):
        assert not slicer.util.getNodesByClass(kind, slicer.mrmlScene)


def test_the_map_of_exposure_stays_with_its_ct_and_lenses_stand_in_a_table(scene: Any, tmp_path: Path) -> None:
    ct = volume(np.zeros((4, 5, 6), np.int16))
    assert exposure_model_of(ct) is None and exposure_table_of(ct) is None
    surface, _ = ball(tmp_path / "exposure.vtp", "RelativeExposure")
    pose = rigid.exp([0.1, 0.2, 0.3, 10, 20, 30])
    put_under_pose(ct, pose)
    model = exposure_model(ct, tmp_path / "exposure.vtp")
    np.testing.assert_allclose(in_world(model), rigid.transform_points(pose, surface.vertices), atol=1e-5)
    assert model.GetDisplayNode().GetScalarRange() == (0.0, 1.0) and exposure_model_of(ct) is model
    right = {"name": "eye lens right", "place": "inside", "margin_mm": 21.26}
    left = {"name": "eye lens left", "place": "outside", "margin_mm": None}
    node = exposure_table(
        ct,
        [
            {"frame": 3, "view": 0, "lenses": [right, left]},
            {"frame": 3, "view": 1, "lenses": [right | {"place": "edge", "margin_mm": -1.0}, left]},
        ],
    )
    assert exposure_table_of(ct) is node
    table = node.GetTable()
    rows = [[table.GetValue(row, column).ToString() for column in range(6)] for row in range(2)]
    assert [table.GetColumnName(n) for n in range(6)] == [
        *(
            "Frame",
            "View",
            "Eye lens right",
            "Eye lens right margin (mm)",
            "Eye lens left",
            "Eye lens left margin (mm)",
        )
    ]
    assert rows == [
        ["3", "1", "in the beam", "21.3", "outside", "nan"],
        ["3", "2", "at its edge", "-1", "outside", "nan"],
    ]
