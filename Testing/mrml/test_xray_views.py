"""A slice view shows an X-ray upright and not mirrored, its DRR right on it: what Slicer blends is looked at."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.drr_node import show_drr, show_overlay
from DiffRegistrationLib.mrml.xray_layouts import LAYOUT_ID, layout_description, view_name
from DiffRegistrationLib.mrml.xray_node import add_radiograph, set_camera
from DiffRegistrationLib.mrml.xray_views import show_in_view
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.radiograph import Radiograph
from made_up_xrays import POSE, volume
from vtk.util.numpy_support import vtk_to_numpy

pytestmark = pytest.mark.mrml

# An image of 80 × 120 mm fills a view with three by three of its pixels for each of the image's.
SIZE, VIEW = (80, 120), (360, 240)


def pinhole(pose: np.ndarray) -> PinholeCamera:
    return PinholeCamera.from_distances(1000.0, (1.0, 1.0), SIZE, pose)


def frontal() -> Camera:
    return c_arm_camera(
        source_detector_distance=1000.0,
        source_object_distance=700.0,
        pixel_spacing=(1.0, 1.0),
        size=SIZE,
        primary_angle_deg=0.0,
        secondary_angle_deg=0.0,
    )


SEEN_FROM = {
    "frontal": frontal(),
    "obliquely": pinhole(POSE),
    "the other side": pinhole(rigid.exp([0.0, 2.9, 0.0, 0.0, 0.0, 700.0])),
    "head down": pinhole(rigid.exp([0.0, 0.0, 3.0, 10.0, 0.0, 700.0])),
    "slit": ScanningSlitCamera(POSE, SIZE, (1.0, 1.0), (20.3, 11.7), 560.0, 1010.0),
}


@pytest.fixture
def view(scene: Any) -> Iterator[Any]:
    """A slice view's logic, 360 × 240 pixels large."""
    application = slicer.vtkMRMLApplicationLogic()
    application.SetMRMLScene(scene)
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(scene)
    logic.AddSliceNode(view_name(1)).SetDimensions(*VIEW, 1)
    yield logic
    logic.SetMRMLScene(None)
    application.SetMRMLScene(None)


def shown(logic: Any) -> np.ndarray:
    """What the view shows in the middle of each pixel of the X-ray, (rows, columns, RGB), the first row at the top."""
    port = logic.GetImageDataConnection()
    port.GetProducer().Update()
    image = port.GetProducer().GetOutputDataObject(port.GetIndex())
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(VIEW[1], VIEW[0], -1)
    return pixels[::-1][1::3, 1::3, :3].astype(int)


def image() -> np.ndarray:
    """Black, but for a bar at the top left and a point at the bottom right."""
    pixels = np.zeros(SIZE, np.float32)
    pixels[8:16, 12:60] = 1
    pixels[70:74, 100:104] = 1
    return pixels


def added(camera: Camera) -> Any:
    node = add_radiograph(Radiograph(image(), np.ones(SIZE, bool), camera))
    node.GetDisplayNode().SetWindowLevelMinMax(0, 1)
    node.GetDisplayNode().SetInterpolate(False)
    return node


def difference(view: np.ndarray, expected: np.ndarray) -> float:
    """Part of the pixels that differ by more than a grey or two."""
    return float((np.abs(view - 255 * expected) > 3).mean())


@pytest.mark.parametrize("camera", SEEN_FROM.values(), ids=SEEN_FROM.keys())
def test_row_0_is_at_the_top_and_columns_go_to_the_right(view: Any, camera: Camera) -> None:
    show_in_view(view, added(camera), opacity=0.0)
    assert difference(shown(view)[..., 0], image()) == 0
    assert difference(shown(view)[..., 0], image()[:, ::-1]) > 0.03


def test_the_drr_lies_on_the_x_ray_and_fades_in(view: Any) -> None:
    node = added(SEEN_FROM["obliquely"])
    drr = show_drr(node, image())
    drr.GetDisplayNode().SetWindowLevelMinMax(0, 2)
    drr.GetDisplayNode().SetInterpolate(False)
    show_in_view(view, node, "fade", 1.0)
    assert difference(shown(view)[..., 0], 0.5 * image()) == 0
    show_in_view(view, node, "fade", 0.5)
    assert difference(shown(view)[..., 0], 0.75 * image()) == 0
    # A small DRR, of means of 4 × 4 pixels, covers the same places; the bar's edges lie on multiples of 4.
    small = show_drr(node, image().reshape(20, 4, 30, 4).mean(axis=(1, 3)))
    small.GetDisplayNode().SetWindowLevelMinMax(0, 1)
    show_in_view(view, node, "fade", 1.0)
    assert difference(shown(view)[:40, :, 0], image()[:40]) == 0


def test_a_picture_of_both_lies_there_in_its_colours(view: Any) -> None:
    node = added(SEEN_FROM["obliquely"])
    grain = np.random.default_rng(1).normal(0, 0.1, (2, *SIZE)).astype(np.float32)
    slicer.util.updateVolumeFromArray(node, (image() + grain[0])[None])
    show_drr(node, np.roll(image(), 4, axis=0) + grain[1])
    picture = show_overlay(node, "colours")
    picture.GetDisplayNode().SetInterpolate(False)
    show_in_view(view, node, "colours", 1.0)
    drawn = slicer.util.arrayFromVolume(picture)[0]
    green, magenta = drawn[9:11, 15:55], drawn[17:19, 15:55]
    assert green[..., 1].mean() > green[..., 0].mean() and magenta[..., 1].mean() < magenta[..., 0].mean()
    for channel in range(3):
        assert difference(shown(view)[..., channel], drawn[..., channel] / 255) == 0


def test_zoom_stays_while_the_same_x_ray_is_shown_and_is_fitted_for_another(view: Any) -> None:
    node, other = added(SEEN_FROM["obliquely"]), added(SEEN_FROM["frontal"])
    show_in_view(view, node)
    view.GetSliceNode().SetFieldOfView(30, 20, 1)
    show_in_view(view, node, "fade", 0.2)
    assert view.GetSliceNode().GetFieldOfView()[0] == pytest.approx(30)
    show_in_view(view, node, fit=True)
    assert view.GetSliceNode().GetFieldOfView()[0] == pytest.approx(120)
    view.GetSliceNode().SetFieldOfView(30, 20, 1)
    show_in_view(view, other)
    assert view.GetSliceNode().GetFieldOfView()[0] == pytest.approx(120)
    # A camera that moved takes the view along.
    set_camera(other, SEEN_FROM["head down"])
    show_in_view(view, other, opacity=0.0)
    assert difference(shown(view)[..., 0], image()) == 0


def test_volumes_loaded_later_do_not_take_the_view(view: Any) -> None:
    show_in_view(view, added(SEEN_FROM["frontal"]))
    assert not view.GetSliceCompositeNode().GetDoPropagateVolumeSelection()


def test_what_is_no_x_ray_is_not_shown(view: Any, unchanged: Callable) -> None:
    ct = volume(np.zeros((3, 4, 5), np.int16))
    unchanged()
    with pytest.raises(InputError, match="a single image was expected"):
        show_in_view(view, ct)
    assert unchanged() and view.GetSliceCompositeNode().GetBackgroundVolumeID() is None


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_the_layout_has_a_view_for_each_x_ray_and_one_in_3d(scene: Any, count: int) -> None:
    with_plot = ElementTree.fromstring(layout_description(count, plot=True))
    kinds = [view.get("class") for view in with_plot.iter("view")]
    assert kinds == ["vtkMRMLSliceNode"] * count + ["vtkMRMLViewNode", "vtkMRMLPlotViewNode"]
    tree = ElementTree.fromstring(layout_description(count))
    views = [(view.get("class"), view.get("singletontag")) for view in tree.iter("view")]
    assert views == [("vtkMRMLSliceNode", f"XRay{n + 1}") for n in range(count)] + [("vtkMRMLViewNode", "1")]
    layout = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
    assert layout.AddLayoutDescription(LAYOUT_ID + count, layout_description(count))
