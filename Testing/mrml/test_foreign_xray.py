"""Images that Slicer loaded become radiographs by the rules for picture files, or are refused with a remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import slicer
from DiffRegistrationLib.mrml.attributes import CAMERA, MASK, PIXELS
from DiffRegistrationLib.mrml.ct_node import ct_from_node
from DiffRegistrationLib.mrml.drr_node import show_drr
from DiffRegistrationLib.mrml.xray_node import (
    add_radiograph,
    add_xray,
    camera_of,
    geometry_of,
    pixels_of,
    radiograph_from_node,
    set_camera,
    set_mask,
    set_pixels,
    source_file,
)
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import read_camera
from DiffRegistrationLib.xray.files.xray_files import read_xray
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from made_up_xrays import SIZE, assert_same_camera, picture, pinhole, radiograph, transform, volume

pytestmark = pytest.mark.mrml

REMEDIES = r"(Choose|Give|Load|Export|Leave|Use|Check|Paint)"


def counts(bits: int = 16) -> np.ndarray:
    """What a detector counts behind `picture`: bone is dark, some pixels are burnt out."""
    grey = (2 ** (bits - 2)) * np.exp(-0.3 * picture((90, 70)))
    grey[:7, :9] = 2**bits - 1
    return grey.astype(np.uint16 if bits == 16 else np.uint8)


@pytest.mark.parametrize("bright", [False, True], ids=["bone-dark", "bone-bright"])
@pytest.mark.parametrize("bits", [8, 16])
def test_grey_values_mean_the_same_as_in_a_picture_file(scene: Any, tmp_path: Path, bits: int, bright: bool) -> None:
    stored = counts(bits)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(stored), str(tmp_path / "xray.png"))
    camera = pinhole(stored.shape)
    of_file = read_xray(tmp_path / "xray.png", camera=camera, bone_is_bright=bright)
    node = volume(stored[None])
    set_camera(node, camera)
    set_pixels(node, "bone-bright" if bright else "bone-dark")
    of_node = radiograph_from_node(node)
    np.testing.assert_array_equal(of_node.attenuation, of_file.attenuation)
    np.testing.assert_array_equal(of_node.mask, of_file.mask)
    assert_same_camera(of_node.camera, camera)
    skipped = {"frame", "camera", "image layout"}
    assert of_node.provenance == tuple(line for line in of_file.provenance if line.quantity not in skipped)
    # The mask is the field; burnt out pixels are left out all the same.
    mask = np.zeros(stored.shape, dtype=bool)
    mask[5:60, 8:66] = True
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(mask.astype(np.uint8)), str(tmp_path / "mask.png"))
    set_mask(node, mask)
    masked = read_xray(tmp_path / "xray.png", camera=camera, bone_is_bright=bright, mask=tmp_path / "mask.png")
    np.testing.assert_array_equal(radiograph_from_node(node).mask, masked.mask)


def test_without_a_word_bone_is_dark_and_that_is_told_as_assumed(scene: Any) -> None:
    node = volume(counts()[None])
    set_camera(node, pinhole((90, 70)))
    assert pixels_of(node) == "bone-dark"
    (line,) = [line for line in radiograph_from_node(node).provenance if line.quantity == "polarity"]
    assert line.assumed and line.value == "low values are bone"
    set_pixels(node, "bone-dark")
    (line,) = [line for line in radiograph_from_node(node).provenance if line.quantity == "polarity"]
    assert not line.assumed


def test_values_that_are_said_to_be_line_integrals_stay_as_they_are(scene: Any) -> None:
    node = volume(picture()[None])
    set_camera(node, pinhole())
    set_pixels(node, "attenuation")
    np.testing.assert_array_equal(radiograph_from_node(node).attenuation, picture())


@pytest.mark.real
def test_a_real_x_ray_in_a_file_and_in_a_node_of_others_are_one(scene: Any, real_data: Path) -> None:
    folder = real_data / "wrist_biplane"
    path, calibration = folder / "cam02_frame0099.tif", folder / "xr_calib_wrist_cam02.txt"
    ours = add_xray(XrayFile(path, camera=calibration))
    of_file = XrayFile(path, camera=calibration).read()
    np.testing.assert_array_equal(radiograph_from_node(ours).attenuation, of_file.attenuation)
    assert geometry_of(ours).state == "assumed", "the calibration names neither axes nor unit"
    node = volume(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))[None])
    calibrated = read_camera(calibration, size=of_file.camera.size)
    set_camera(node, calibrated.camera, calibrated.provenance)
    np.testing.assert_array_equal(radiograph_from_node(node).attenuation, of_file.attenuation)
    np.testing.assert_array_equal(radiograph_from_node(node).mask, of_file.mask)


def test_what_is_no_x_ray_is_refused_with_a_remedy_and_the_scene_stays_as_it_was(
    scene: Any, unchanged: Callable
) -> None:
    grey = np.arange(4 * 30 * 44, dtype=np.uint16).reshape(4, 30, 44)
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    nodes = {
        "holds no image": empty,
        "colour picture .3 values a pixel": volume(np.zeros((1, 30, 44, 3), np.uint8), kind="vtkMRMLVectorVolumeNode"),
        "44 × 30 × 4 voxels, a single image": volume(grey),
        "is a label map": volume(grey[:1], kind="vtkMRMLLabelMapVolumeNode"),
        "is no volume": transform(np.eye(4)),
        "no volume was given": None,
    }
    unchanged()
    for problem, node in nodes.items():
        for use in (
            radiograph_from_node,
            camera_of,
            lambda node: set_camera(node, pinhole()),
            lambda node: set_pixels(node, "bone-dark"),
            lambda node: set_mask(node, np.ones(SIZE, bool)),
            lambda node: show_drr(node, picture()),
        ):
            with pytest.raises(InputError, match=f"{problem}.*{REMEDIES}"):
                use(node)
        if node is not None:
            assert not node.GetAttributeNames() and node.GetTransformNodeID() is None
    assert unchanged()


def test_an_x_ray_that_cannot_be_used_says_why(scene: Any, unchanged: Callable) -> None:
    node = volume(picture()[None])
    unchanged()
    with pytest.raises(InputError, match=r"geometry is not known.*Give it a camera"):
        radiograph_from_node(node)
    set_camera(node, pinhole())
    unchanged()
    for pixels, problem in (
        (np.full(SIZE, np.nan, np.float32), "no finite number"),
        (np.full(SIZE, 7, np.uint8), "every pixel is 7"),
        (np.full(SIZE, 255, np.uint8), "saturated"),
    ):
        slicer.util.updateVolumeFromArray(node, pixels[None])
        with pytest.raises(InputError, match=f"{problem}.*{REMEDIES}"):
            radiograph_from_node(node)
    set_pixels(node, "attenuation")
    slicer.util.updateVolumeFromArray(node, np.full((1, *SIZE), np.inf, np.float32))
    with pytest.raises(InputError, match="1320 of its pixels that may be used are NaN or infinite"):
        radiograph_from_node(node)
    slicer.util.updateVolumeFromArray(node, picture((44, 30))[None])
    with pytest.raises(InputError, match="calibrates images of 30 rows × 44 columns, but the image has 44 rows"):
        radiograph_from_node(node)
    node.SetAttribute(CAMERA, "{")
    for use in (radiograph_from_node, geometry_of):
        with pytest.raises(InputError, match=r"is no camera\. Give it a camera again"):
            use(node)
    assert unchanged()


def test_a_mask_that_does_not_fit_is_refused_and_the_one_before_stays(scene: Any, unchanged: Callable) -> None:
    node = add_radiograph(radiograph())
    before = node.GetNodeReferenceID(MASK)
    other = volume(np.ones((1, 44, 30), np.uint8), kind="vtkMRMLLabelMapVolumeNode")
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    unchanged()
    for mask, problem in (
        (other, "30×44 pixels, the X-ray 44×30"),
        (np.ones((44, 30), bool), "30×44 pixels"),
        (np.zeros(SIZE, bool), "covers everything"),
        (empty, "holds no image"),
    ):
        with pytest.raises(InputError, match=f"{problem}.*{REMEDIES}"):
            set_mask(node, mask)
    assert unchanged() and node.GetNodeReferenceID(MASK) == before
    np.testing.assert_array_equal(radiograph_from_node(node).mask, radiograph().mask)


def test_line_integrals_of_a_file_cannot_be_called_grey_values(scene: Any) -> None:
    node = add_radiograph(radiograph())
    with pytest.raises(InputError, match="holds line integrals"):
        set_pixels(node, "bone-dark")
    with pytest.raises(InputError, match="Use one of attenuation, bone-bright, bone-dark"):
        set_pixels(node, "bright")
    assert node.GetAttribute(PIXELS) == "attenuation"


def test_one_node_is_never_ct_and_x_ray(scene: Any, unchanged: Callable) -> None:
    xray, ct = add_radiograph(radiograph()), volume(np.arange(-1000, 1000, dtype=np.int16).reshape(10, 10, 20))
    unchanged()
    with pytest.raises(InputError, match="one slice"):
        ct_from_node(xray)
    with pytest.raises(InputError, match="a single image was expected"):
        radiograph_from_node(ct)
    assert unchanged()


def test_the_file_of_an_image_that_another_reader_loaded_is_known(scene: Any, tmp_path: Path) -> None:
    node = volume(counts()[None])
    assert source_file(node) is None
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "xray.dcm"))
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert source_file(node) == tmp_path / "xray.dcm"
    assert source_file(add_radiograph(radiograph())) is None
