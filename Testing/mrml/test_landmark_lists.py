"""Point lists and the table of a study say where each landmark is, how sure that is, and how far views disagree."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.xray_node import add_radiograph
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.landmark_files import read_landmarks
from LandmarkDetectionLib.mrml.attributes import TABLE
from LandmarkDetectionLib.mrml.landmark_study import frame_of, make_study, own_nodes, points_of, switch
from LandmarkDetectionLib.mrml.landmark_table import write_csv
from LandmarkDetectionLib.mrml.point_lists import list_of, write_point_list
from LandmarkDetectionLib.mrml.study_node import own_node
from made_up_landmarks import NAMES, blank, c_arm, made_run, sequences, xrays
from made_up_xrays import transform, world_of_pixel

pytestmark = pytest.mark.mrml

CAMERAS = [c_arm(0.0), c_arm(90.0)]
SIDES = ("right", "left", "midline")


def points_in(study: Any, view: int | None) -> dict[str, tuple[Any, int]]:
    """By the landmarks' names, the list and the place in it, of a view or (None) in space."""
    named = {skull_landmarks().definition(name).abbreviation: name for name in NAMES}
    return {
        named[node.GetNthControlPointLabel(n)]: (node, n)
        for node in (list_of(study, view, side) for side in SIDES)
        for n in range(node.GetNumberOfControlPoints())
    }


def test_every_landmark_stands_in_the_list_of_its_side_at_its_pixel(scene: Any) -> None:
    run, nodes = made_run(CAMERAS), xrays(CAMERAS)
    study = make_study(run, nodes)
    for view, xray in enumerate(nodes):
        points = points_in(study, view + 1)
        assert set(points) == set(NAMES)
        found = run.at(0, view)
        for name, (node, n) in points.items():
            u, v = found.pixels[NAMES.index(name)]
            np.testing.assert_allclose(node.GetNthControlPointPositionWorld(n), world_of_pixel(xray, u, v), atol=1e-3)
            side = skull_landmarks().definition(name).side
            assert node is list_of(study, view + 1, side) and node.GetLocked()
            assert node.GetTransformNodeID() == xray.GetTransformNodeID()
    for name, (node, n) in points_in(study, None).items():
        place = points_of(study).points[NAMES.index(name)]
        np.testing.assert_allclose(node.GetNthControlPointPositionWorld(n), place, atol=1e-9)
        assert node.GetTransformNodeID() is None
    colours = {list_of(study, 1, side).GetDisplayNode().GetSelectedColor() for side in SIDES}
    marks = {list_of(study, 1, side).GetDisplayNode().GetGlyphType() for side in SIDES}
    assert len(colours) == len(marks) == 3


def test_words_and_colour_say_how_sure_a_point_is(scene: Any) -> None:
    run = made_run(CAMERAS)
    front, side = run.found[0]
    where = {name: NAMES.index(name) for name in ("nasion", "sella", "rhinion", "basion")}
    visibility, covariance = front.visibility.copy(), front.pixel_covariance.copy()
    visibility[where["sella"]] = 0.2
    covariance[where["rhinion"]] *= 400
    unknown = {"pixels": front.pixels, "network_pixels": front.network_pixels, "camera_points": front.camera_points}
    unknown = {
        name: np.where(np.arange(len(NAMES))[:, None] == where["basion"], np.nan, v) for name, v in unknown.items()
    }
    front = replace(front, visibility=visibility, pixel_covariance=covariance, **unknown)
    study = make_study(replace(run, found=((front, side),)), xrays(CAMERAS))
    shown, space = points_in(study, 1), points_in(study, None)

    def told(points: dict[str, tuple[Any, int]], name: str) -> tuple[str, bool]:
        node, n = points[name]
        return node.GetNthControlPointDescription(n), bool(node.GetNthControlPointSelected(n))

    residual = points_of(study).residual_mm[0, where["nasion"]]
    assert told(shown, "nasion") == (
        f"Nasion · ±0.6 mm · in the image · {residual:.1f} mm from the triangulated point",
        True,
    )
    words, sure = told(shown, "sella")
    assert words.startswith("Sella · ±0.6 mm · covered or doubtful") and not sure
    words, sure = told(shown, "rhinion")
    assert words.startswith("Rhinion · ±12.2 mm · in the image") and not sure
    node, n = shown["basion"]
    assert node.GetNthControlPointPositionStatus(n) == node.PositionUndefined
    assert told(shown, "basion") == ("Basion · not known", False)
    assert "±0.6 mm · triangulated from 2 views" in told(space, "nasion")[0] and told(space, "nasion")[1]
    assert told(space, "basion") == ("Basion · ±14.4 mm · from one view, its depth is not sure", False)
    outside = next(
        name for name, seen in zip(NAMES, frame_of(study, 0).views[0].seen, strict=True) if seen == "outside"
    )
    assert "outside the image" in told(shown, outside)[0] and not told(shown, outside)[1]
    switch(study, 0, 0, ["nasion"], True)
    assert told(shown, "nasion")[0].endswith("in the image · switched off")


def test_an_x_ray_without_geometry_has_its_points_in_the_image_alone(scene: Any) -> None:
    node = add_radiograph(blank(CAMERAS[0]), "Picture", calibrated=False)
    moved = transform(np.array([[0, -1, 0, 5.0], [1, 0, 0, 6.0], [0, 0, 1, 7.0], [0, 0, 0, 1]]), node)
    run = made_run(CAMERAS[:1], planar=[True])
    study = make_study(run, [node])
    point, n = points_in(study, 1)["nasion"]
    u, v = run.at(0, 0).pixels[NAMES.index("nasion")]
    np.testing.assert_allclose(point.GetNthControlPointPositionWorld(n), world_of_pixel(node, u, v), atol=1e-3)
    assert point.GetTransformNodeID() == moved.GetID()
    assert point.GetNthControlPointDescription(n) == "Nasion · in the image" and point.GetNthControlPointSelected(n)
    assert all(list_of(study, None, side).GetNumberOfDefinedControlPoints() == 0 for side in SIDES)


def test_the_table_has_a_row_for_every_landmark(scene: Any) -> None:
    study = make_study(made_run(CAMERAS), xrays(CAMERAS))
    table, frame = own_node(study, TABLE).GetTable(), frame_of(study, 0)
    columns = {table.GetColumnName(n): table.GetColumn(n) for n in range(table.GetNumberOfColumns())}
    assert list(columns) == [
        *("Landmark", "Abbr.", "Side", "X1 u", "X1 v", "X1 ± mm", "X1 seen", "X1 seen %"),
        *("X1 residual mm", "X1 residual px"),
        *(
            "X2 u",
            "X2 v",
            "X2 ± mm",
            "X2 seen",
            "X2 seen %",
            "X2 residual mm",
            "X2 residual px",
            "x",
            "y",
            "z",
            "± mm",
            "From",
            "Used",
        ),
    ]
    assert table.GetNumberOfRows() == len(NAMES)
    row = NAMES.index("porion left")
    told = {name: column.GetValue(row) for name, column in columns.items()}
    assert (told["Landmark"], told["Side"]) == ("Porion left", "left")
    assert told["X2 u"] == pytest.approx(frame.views[1].pixels[row, 0], abs=0.005)
    assert told["X2 residual mm"] == pytest.approx(frame.points.residual_mm[1, row], abs=0.005)
    assert told["X2 residual px"] == pytest.approx(frame.points.residual_px[1, row], abs=0.005)
    assert told["X1 seen %"] == pytest.approx(100 * frame.views[0].visibility[row], abs=0.005)
    assert told["z"] == pytest.approx(frame.points.points[row, 2], abs=0.005)
    assert (told["From"], told["Used"], told["X1 seen"]) == ("triangulated", "X1, X2", "inside")
    alone = next(n for n, how in enumerate(frame.points.how) if how.value == "one view")
    assert np.isnan(columns["X1 residual mm"].GetValue(alone)) and columns["From"].GetValue(alone) == "one view"


def test_all_frames_and_all_points_go_to_files(scene: Any, tmp_path: Path) -> None:
    numbers = [3, 7]
    study = make_study(made_run(CAMERAS, numbers), sequences(CAMERAS, numbers))
    write_csv(tmp_path / "all.csv", study)
    with (tmp_path / "all.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["Frame"] for row in rows] == ["3"] * len(NAMES) + ["7"] * len(NAMES)
    last = rows[len(NAMES) + NAMES.index("nasion")]
    points = points_of(study, 7)
    assert float(last["x"]) == pytest.approx(points.points[NAMES.index("nasion"), 0], abs=1e-4)
    assert last["Landmark"] == "Nasion" and last["X1 seen"] == "inside" and "nan" not in str(rows)
    write_csv(tmp_path / "one.csv", study, all_frames=False)
    assert len((tmp_path / "one.csv").read_text(encoding="utf-8").splitlines()) == len(NAMES) + 1
    write_point_list(tmp_path / "points.mrk.json", study)
    read = read_landmarks(tmp_path / "points.mrk.json")
    np.testing.assert_allclose(read.points, points_of(study).points, atol=1e-3)
    np.testing.assert_allclose(read.uncertainty_mm, points_of(study).uncertainty_mm, atol=0.051)


def test_a_person_cannot_drag_what_was_found_and_lists_that_were_cut_short_do_not_fail(scene: Any) -> None:
    study = make_study(made_run(CAMERAS), xrays(CAMERAS))
    assert all(node.GetLocked() for node in own_nodes(study) if node.IsA("vtkMRMLMarkupsNode"))
    node = list_of(study, 1, "midline")
    node.RemoveNthControlPoint(22)
    switch(study, 0, 0, ["nasion"], True)
    assert node.GetNumberOfControlPoints() == 22
    slicer.mrmlScene.RemoveNode(list_of(study, 1, "left"))
    switch(study, 0, 0, ["nasion"], False)
    assert "triangulated point" in node.GetNthControlPointDescription(1)
