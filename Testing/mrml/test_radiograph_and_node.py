"""A radiograph becomes nodes of the scene and comes back whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import slicer
from DiffRegistrationLib.mrml import xray_node
from DiffRegistrationLib.mrml.attributes import DETECTOR, MASK, PIXELS
from DiffRegistrationLib.mrml.xray_node import add_radiograph, geometry_of, radiograph_from_node, set_mask
from DiffRegistrationLib.xray.radiograph import Radiograph
from made_up_xrays import CAMERAS, assert_same, picture, pinhole, radiograph

pytestmark = pytest.mark.mrml


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
def test_a_radiograph_comes_back_from_its_node_to_the_bit_also_from_a_saved_scene(
    scene: Any, reopened: Callable, camera: Callable
) -> None:
    seen = radiograph(camera())
    node = add_radiograph(seen)
    assert_same(radiograph_from_node(node), seen)
    assert node.GetAttribute(PIXELS) == "attenuation"
    successor = reopened()
    assert_same(radiograph_from_node(successor(node)), seen)
    assert successor(node).GetNodeReference(MASK).IsA("vtkMRMLLabelMapVolumeNode")


def test_a_radiograph_without_a_word_of_its_origin_comes_back_without_one(scene: Any) -> None:
    seen = Radiograph(picture(), np.ones(pinhole().size, bool), pinhole())
    assert_same(radiograph_from_node(add_radiograph(seen)), seen)


def test_what_may_not_be_used_need_not_be_finite(scene: Any) -> None:
    seen = radiograph()
    pixels = np.where(seen.mask, seen.attenuation, np.float32(np.nan))
    holed = Radiograph(pixels, seen.mask, seen.camera, seen.provenance, seen.world)
    assert_same(radiograph_from_node(add_radiograph(holed)), holed)


def test_the_image_lies_in_the_scene_as_a_dicom_image_would_with_its_greys_set(scene: Any) -> None:
    seen = radiograph()
    node = add_radiograph(seen, "Lateral")
    matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    node.GetIJKToRASMatrix(matrix)
    np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(matrix), np.diag([-0.4, -0.7, 1, 1]), atol=1e-12)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node)[0], seen.attenuation)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node.GetNodeReference(MASK))[0] > 0, seen.mask)
    display = node.GetDisplayNode()
    assert not display.GetAutoWindowLevel()
    low, high = np.percentile(seen.attenuation[seen.mask], [1, 99])
    np.testing.assert_allclose([display.GetWindowLevelMin(), display.GetWindowLevelMax()], [low, high], rtol=1e-5)
    assert node.GetName() == "Lateral" and node.GetNodeReference(DETECTOR).GetName() == "Lateral detector"
    assert not node.GetNodeReference(MASK).GetHideFromEditors(), "Slicer's Save dialog leaves hidden nodes out"


def test_another_mask_is_told_and_is_taken_away_again(scene: Any, unchanged: Callable) -> None:
    node = add_radiograph(radiograph())
    unchanged()
    chosen = np.zeros(pinhole().size, dtype=bool)
    chosen[10:20, 7:31] = True
    set_mask(node, chosen)
    assert unchanged()
    seen = radiograph_from_node(node)
    np.testing.assert_array_equal(seen.mask, chosen)
    (line,) = [line for line in seen.provenance if line.quantity == "field of view"]
    assert line.origin == "given mask" and line.value == "18.2 % of the image"
    set_mask(node, None)
    assert radiograph_from_node(node).mask.all()


def test_a_label_map_that_is_painted_on_later_is_the_mask_from_then_on(scene: Any) -> None:
    node = add_radiograph(radiograph())
    painted = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    slicer.util.updateVolumeFromArray(painted, np.ones((1, *pinhole().size), np.int16))
    set_mask(node, painted)
    slicer.util.arrayFromVolume(painted)[0, 2:9, 3] = 0
    assert painted.GetParentTransformNode() is node.GetParentTransformNode()
    assert painted.GetSpacing() == node.GetSpacing()
    np.testing.assert_array_equal(~radiograph_from_node(node).mask, np.pad([[1]] * 7, ((2, 21), (3, 40))) > 0)


def test_geometry_is_calibrated_assumed_or_missing(scene: Any) -> None:
    seen = radiograph()
    known = geometry_of(add_radiograph(seen))
    assert known.state == "calibrated", "an assumed grey level is nothing of the camera's"
    assert known.summary == "SDD 1020 mm, pixels 0.7 × 0.4 mm"
    assert [line.quantity for line in known.lines] == ["source-detector distance", "pixel spacing"]
    guessed = xray_node.Provenance("principal point", "21, 14 px", "middle of the image", True)
    half_known = Radiograph(seen.attenuation, seen.mask, seen.camera, (*seen.provenance, guessed), seen.world)
    assert geometry_of(add_radiograph(half_known)).state == "assumed"
    assert geometry_of(add_radiograph(seen, calibrated=False)).state == "missing"


def test_a_failure_half_way_leaves_no_half_made_node(
    scene: Any, unchanged: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(xray_node, "show_window", fail)
    with pytest.raises(MemoryError):
        add_radiograph(radiograph())
    assert unchanged()
