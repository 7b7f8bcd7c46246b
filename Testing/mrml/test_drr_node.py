"""A DRR lies on its X-ray pixel by pixel, whatever its size, and pictures of both lie there, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml.attributes import DRR, OVERLAY
from DiffRegistrationLib.mrml.drr_node import OVERLAY_MODES, drr_of, show_drr, show_overlay
from DiffRegistrationLib.mrml.xray_node import add_radiograph, set_camera
from DiffRegistrationLib.report.intensity import matched_to_xray
from DiffRegistrationLib.report.pictures import GreyWindow, checkerboard, edges, overlay
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, rigid
from made_up_xrays import CAMERAS, picture, pinhole, radiograph, slit, volume, world_of_pixel

pytestmark = pytest.mark.mrml

BIG = (123, 86)


def assert_on_the_rays_of(node: Any, camera: Camera) -> None:
    """Each pixel of `node` lies where `camera`, of the same size, has it."""
    columns, rows, _slices = node.GetImageData().GetDimensions()
    assert (rows, columns) == camera.size
    for u, v in ((0.0, 0.0), (columns - 1.0, 0.0), (3.0, rows - 1.0), (columns / 3, rows / 2)):
        ray = camera.rays(np.array([[u, v]]))
        way = ray.target[0] - ray.source[0]
        off = np.cross(way / np.linalg.norm(way), world_of_pixel(node, u, v) - ray.source[0])
        assert np.linalg.norm(off) < 1e-6


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
@pytest.mark.parametrize("binning", [1, 2, 3, 5])
def test_a_binned_drr_lies_on_the_pixels_that_it_is_made_of(scene: Any, camera: Callable, binning: int) -> None:
    # 123 and 86 are no multiples of 2, 3 and 5 all at once: what is over is dropped at right and bottom.
    node = add_radiograph(radiograph(camera(BIG)))
    binned = camera(BIG).binned(binning)
    assert_on_the_rays_of(show_drr(node, picture(binned.size)), binned)


def test_a_drr_of_any_other_size_covers_the_whole_field(scene: Any) -> None:
    node = add_radiograph(radiograph(pinhole(BIG)))
    resampled = pinhole(BIG).resampled((37, 51))
    assert_on_the_rays_of(show_drr(node, picture((37, 51))), resampled)


def test_one_node_shows_every_drr_and_follows_the_camera(scene: Any, unchanged: Callable, reopened: Callable) -> None:
    node = add_radiograph(radiograph(pinhole(BIG)))
    first = show_drr(node, picture(BIG))
    unchanged()
    small = picture(pinhole(BIG).binned(4).size, seed=5)
    assert show_drr(node, small) is first is drr_of(node)
    assert unchanged()
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(first)[0], small)
    moved = slit(BIG).moved(rigid.exp([0.1, 0.5, -0.2, 40.0, 10.0, -60.0]))
    set_camera(node, moved)
    assert_on_the_rays_of(first, moved.binned(4))
    successor = reopened()
    assert successor(node).GetNodeReference(DRR) is successor(first)
    assert_on_the_rays_of(successor(first), moved.binned(4))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(successor(first))[0], small)


def test_bone_in_the_drr_is_as_bright_as_in_the_x_ray(scene: Any) -> None:
    node = add_radiograph(radiograph(pinhole(BIG)))
    xray = node.GetDisplayNode()
    # The X-ray is 300 · DRR − 40: another unit, another offset, and a user who chose the greys.
    slicer.util.updateVolumeFromArray(node, (300 * picture(BIG) - 40)[None])
    xray.SetWindowLevelMinMax(100.0, 900.0)
    display = show_drr(node, picture(BIG)).GetDisplayNode()
    np.testing.assert_allclose(display.GetWindowLevelMin(), 140 / 300, rtol=1e-4)
    np.testing.assert_allclose(display.GetWindowLevelMax(), 940 / 300, rtol=1e-4)
    assert not display.GetAutoWindowLevel() and display.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
    raw = volume((1000 * np.exp(-picture())).astype(np.uint16)[None])
    set_camera(raw, pinhole())
    assert show_drr(raw, picture()).GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeInvertedGrey"


@pytest.mark.parametrize(("mode", "draw"), [("colours", overlay), ("checkerboard", checkerboard), ("edges", edges)])
def test_a_picture_of_both_is_that_of_the_report_in_the_same_place(
    scene: Any, unchanged: Callable, reopened: Callable, mode: str, draw: Callable
) -> None:
    seen = radiograph(pinhole(BIG))
    node = add_radiograph(seen)
    drr = 0.5 * np.roll(seen.attenuation, 3, axis=1) + 1
    show_drr(node, drr)
    made = show_overlay(node, mode)
    display = node.GetDisplayNode()
    window = GreyWindow(display.GetWindowLevelMin(), display.GetWindowLevelMax())
    expected = draw(seen.attenuation, matched_to_xray(drr, seen.attenuation, seen.mask), seen.mask, window)
    drawn = slicer.util.arrayFromVolume(made)[0]
    assert drawn.dtype == np.uint8 and np.abs(drawn.astype(int) - expected).max() <= 1
    assert_on_the_rays_of(made, pinhole(BIG))
    unchanged()
    # While it moves, small DRRs come: the same node shows them.
    binned = pinhole(BIG).binned(2)
    show_drr(node, picture(binned.size))
    assert show_overlay(node, mode) is made and unchanged()
    assert_on_the_rays_of(made, binned)
    loaded = reopened()(made)
    assert_on_the_rays_of(loaded, binned)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(made))


def test_a_picture_follows_a_change_of_the_x_ray_and_its_mask(scene: Any) -> None:
    node = add_radiograph(radiograph())
    show_drr(node, picture())
    before = slicer.util.arrayFromVolume(show_overlay(node, "colours")).copy()
    slicer.util.updateVolumeFromArray(node, picture(seed=9)[None])
    after = slicer.util.arrayFromVolume(show_overlay(node, "colours")).copy()
    assert not np.array_equal(before, after)
    mask = slicer.util.arrayFromVolume(node.GetNodeReference("FluoroRegistration.Mask"))
    mask[0, 12:20, 12:20] = 0
    slicer.util.arrayFromVolumeModified(node.GetNodeReference("FluoroRegistration.Mask"))
    masked = slicer.util.arrayFromVolume(show_overlay(node, "colours"))
    assert not np.array_equal(masked[0, 12:20, 12:20], after[0, 12:20, 12:20])


def test_what_cannot_be_laid_over_is_refused(scene: Any, unchanged: Callable) -> None:
    node = add_radiograph(radiograph())
    unchanged()
    with pytest.raises(InputError, match="has no DRR"):
        show_overlay(node, "colours")
    with pytest.raises(InputError, match=f"Use one of {', '.join(OVERLAY_MODES)}"):
        show_overlay(node, "tiles")
    for image in (np.zeros((0, 3), np.float32), np.zeros((2, 3, 4), np.float32)):
        with pytest.raises(InputError, match="expected rows × columns"):
            show_drr(node, image)
    assert unchanged()
    drr = show_drr(node, picture())
    assert show_overlay(node, "fade") is drr and node.GetNodeReference(OVERLAY) is None
