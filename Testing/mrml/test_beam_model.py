"""The beam in the 3D view runs from the camera's source to the edges of its detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from DiffRegistrationLib.mrml.attributes import BEAM
from DiffRegistrationLib.mrml.beam_model import hide_beam, show_beam
from DiffRegistrationLib.mrml.xray_node import add_radiograph, set_camera
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, rigid
from made_up_xrays import CAMERAS, picture, pinhole, radiograph, slit, volume

pytestmark = pytest.mark.mrml


def lines_of(node: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Both ends of each line."""
    mesh, points = node.GetPolyData(), slicer.util.arrayFromModelPoints(node)
    ends, found = vtk.vtkIdList(), []
    for cell in range(mesh.GetNumberOfCells()):
        mesh.GetCellPoints(cell, ends)
        if ends.GetNumberOfIds() == 2:
            found.append((points[ends.GetId(0)], points[ends.GetId(1)]))
    return found


def assert_beam_of(node: Any, camera: Camera) -> None:
    rows, columns = camera.size
    corners = np.array([[-0.5, -0.5], [columns - 0.5, -0.5], [columns - 0.5, rows - 0.5], [-0.5, rows - 0.5]])
    rays = camera.rays(corners)
    found = lines_of(node)
    for source, target in zip(rays.source, rays.target, strict=True):
        assert any(np.allclose(a, source, atol=1e-6) and np.allclose(b, target, atol=1e-6) for a, b in found)
    for one, other in zip(rays.target, np.roll(rays.target, -1, axis=0), strict=True):
        assert any(np.allclose(a, one, atol=1e-6) and np.allclose(b, other, atol=1e-6) for a, b in found)
    assert node.GetParentTransformNode() is None


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
def test_it_ends_at_the_detector_s_corners(scene: Any, camera: Callable) -> None:
    assert_beam_of(show_beam(add_radiograph(radiograph(camera()))), camera())


def test_the_source_is_a_ball_and_that_of_a_slit_travels(scene: Any) -> None:
    (cone,), moving = pinhole().rays(np.zeros((1, 2))).source, slit().rays(np.array([[0, -0.5], [0, 29.5]])).source
    for camera, sources in ((pinhole(), [cone]), (slit(), moving)):
        points = slicer.util.arrayFromModelPoints(show_beam(add_radiograph(radiograph(camera))))
        radius = 0.008 * np.linalg.norm(camera.rays(np.zeros((1, 2))).target[0] - sources[0])
        for source in sources:
            off = np.linalg.norm(points - source, axis=1)
            assert (np.abs(off - radius) < 0.02 * radius).sum() > 50
        assert (len(lines_of(show_beam(add_radiograph(radiograph(camera)))))) == 8 + (len(sources) - 1)


def test_it_is_made_once_follows_the_camera_and_is_saved(scene: Any, unchanged: Callable, reopened: Callable) -> None:
    node = add_radiograph(radiograph())
    beam = show_beam(node)
    unchanged()
    moved = pinhole().moved(rigid.exp([0.1, 0.5, -0.2, 40.0, 10.0, -60.0]))
    set_camera(node, moved)
    assert_beam_of(beam, moved)
    hide_beam(node)
    assert not beam.GetDisplayNode().GetVisibility()
    assert show_beam(node) is beam and beam.GetDisplayNode().GetVisibility() and unchanged()
    successor = reopened()
    assert successor(node).GetNodeReference(BEAM) is successor(beam)
    assert_beam_of(successor(beam), moved)


def test_without_a_camera_there_is_none(scene: Any, unchanged: Callable) -> None:
    node = volume(picture()[None])
    unchanged()
    hide_beam(node)
    with pytest.raises(InputError, match="Give it a camera first"):
        show_beam(node)
    assert unchanged()
