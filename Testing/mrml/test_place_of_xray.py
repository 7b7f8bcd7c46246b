"""An X-ray's pixels lie where its camera has them, in the 3D scene as in its own plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.attributes import DETECTOR, MASK
from DiffRegistrationLib.mrml.detector_node import place_on_detector, restore_places
from DiffRegistrationLib.mrml.xray_node import add_radiograph, radiograph_from_node, set_camera
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, rigid
from made_up_xrays import CAMERAS, SIZE, assert_same_camera, picture, pinhole, radiograph, volume, world_of_pixel

pytestmark = pytest.mark.mrml


def assert_seen_in_place(node: Any, camera: Camera) -> None:
    """Points in front of the camera, their pixels as Slicer has them in the world, and the source are on one line."""
    points = camera.back_project(np.array([[3.2, 25.1], [40.0, 1.5], [17.3, 11.9]]), np.array([400.0, 610.0, 777.0]))
    for point, (u, v) in zip(points, camera.project(points), strict=True):
        source = camera.rays(np.array([[u, v]])).source[0]
        pixel = world_of_pixel(node, u, v)
        toward, way = point - source, pixel - source
        off = np.linalg.norm(np.cross(toward / np.linalg.norm(toward), way))
        assert off < 1e-6, off
        assert toward @ way > 0


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
def test_source_point_and_pixel_are_on_one_line_also_after_saving(
    scene: Any, reopened: Callable, camera: Callable
) -> None:
    node = add_radiograph(radiograph(camera()))
    mask = node.GetNodeReference(MASK)
    assert_seen_in_place(node, camera())
    assert_seen_in_place(mask, camera())
    successor = reopened()
    assert_seen_in_place(successor(node), camera())
    assert_seen_in_place(successor(mask), camera())


def test_the_detector_is_moved_rigidly_unless_its_axes_are_skewed(scene: Any) -> None:
    for name, camera in CAMERAS.items():
        node = add_radiograph(radiograph(camera()))
        matrix = slicer.util.arrayFromTransformMatrix(node.GetNodeReference(DETECTOR))
        assert rigid.is_rigid(matrix, 1e-9) == ("skewed" not in name)


def test_pixels_lie_at_the_detector_s_distance_with_its_spacing(scene: Any) -> None:
    node = add_radiograph(radiograph())
    depth = [(pinhole().camera_from_world @ [*world_of_pixel(node, u, v), 1])[2] for u, v in ((0, 0), (43, 29))]
    np.testing.assert_allclose(depth, 1020, atol=1e-9)
    across = world_of_pixel(node, 1, 0) - world_of_pixel(node, 0, 0)
    np.testing.assert_allclose(np.linalg.norm(across), 0.4, atol=1e-12)


@pytest.mark.parametrize("mirrored", [1, -1])
def test_a_volume_with_a_grid_of_its_own_keeps_it_and_lies_in_place(scene: Any, mirrored: int) -> None:
    grid = np.eye(4)
    grid[:3, :3] = rigid.rotation_exp([0.3, 1.1, -0.4]) @ np.diag([0.11, 0.12, mirrored * 2.5])
    grid[:3, 3] = 5, 70, -33
    node = volume(picture()[None], grid)
    set_camera(node, pinhole())
    assert_seen_in_place(node, pinhole())
    assert rigid.is_rigid(slicer.util.arrayFromTransformMatrix(node.GetParentTransformNode()), 1e-9)
    np.testing.assert_allclose(node.GetSpacing(), (0.4, 0.7, 2.5), rtol=1e-12)
    assert node.GetOrigin() == (5, 70, -33)


def test_another_camera_moves_the_same_transform_and_all_that_lies_on_the_detector(
    scene: Any, unchanged: Callable
) -> None:
    node = add_radiograph(radiograph())
    unchanged()
    turned = pinhole().moved(rigid.exp([0.1, 0.5, -0.2, 40.0, 10.0, -60.0]))
    coarser = CAMERAS["slit"]()
    for camera in (turned, coarser):
        set_camera(node, camera)
        assert_seen_in_place(node, camera)
        assert_seen_in_place(node.GetNodeReference(MASK), camera)
        assert_same_camera(radiograph_from_node(node).camera, camera)
    assert unchanged()
    quantities = [line.quantity for line in radiograph_from_node(node).provenance]
    assert quantities == ["unattenuated intensity I₀", "field of view"], "what was said of the former camera is gone"


def test_a_clone_gets_a_detector_of_its_own(scene: Any) -> None:
    node = add_radiograph(radiograph())
    clone = volume(picture()[None])
    clone.CopyReferences(node)
    place_on_detector(clone, CAMERAS["slit"]())
    assert_seen_in_place(node, pinhole())
    assert_seen_in_place(clone, CAMERAS["slit"]())


def test_a_camera_of_another_size_is_refused_and_changes_nothing(scene: Any, unchanged: Callable) -> None:
    node = volume(picture()[None])
    unchanged()
    with pytest.raises(InputError, match=r"30 rows × 44 columns, its camera 44 × 30.*Give the camera of this image"):
        set_camera(node, pinhole((44, 30)))
    assert unchanged() and node.GetParentTransformNode() is None and node.GetSpacing() == (1, 1, 1)


def test_a_picture_whose_file_keeps_no_spacing_is_put_back_in_place_after_loading(
    scene: Any, reopened: Callable, tmp_path: Any
) -> None:
    # As a PNG would be, whose spacing Slicer cannot write.
    node = volume((10 * picture()[None]).astype(np.uint8))
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "xray.nrrd"))
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert storage.WriteData(node)
    set_camera(node, pinhole())
    loaded = reopened()(node)
    assert loaded.GetSpacing() == (1, 1, 1)
    assert restore_places([loaded]) == 1
    assert_seen_in_place(loaded, pinhole())
    assert restore_places([loaded]) == 0
    assert loaded.GetImageData().GetDimensions()[1::-1] == SIZE
