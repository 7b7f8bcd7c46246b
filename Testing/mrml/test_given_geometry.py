"""The geometry that a user gives by a camera file or in numbers fits the pixels, however they were turned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from DiffRegistrationLib.mrml.camera_attributes import of_camera, of_pixels
from DiffRegistrationLib.mrml.given_geometry import use_c_arm, use_camera_file, write_c_arm
from DiffRegistrationLib.mrml.sequence_items import items_of, sequence_of
from DiffRegistrationLib.mrml.xray_node import add_radiograph, add_xray, geometry_of, radiograph_from_node, size_of
from DiffRegistrationLib.mrml.xray_sequence import add_radiograph_sequence, add_xray_file, frames_of, radiographs_of
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.c_arm_geometry import CArmGeometry
from DiffRegistrationLib.xray.files.c_arm_view import CArmSource, c_arm_view
from DiffRegistrationLib.xray.files.camera_files import write_camera
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.radiograph import Radiograph
from made_up_xrays import assert_same_camera, picture, pinhole, radiograph, slit, volume
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

pytestmark = pytest.mark.mrml

SIZE = (90, 70)
NUMBERS = CArmGeometry(1200.0, 800.0, (0.4, 0.3), 0.0, 10.0, (31.0, 47.0))


def grey() -> np.ndarray:
    return (3000 * np.exp(-0.3 * picture(SIZE))).astype(np.uint16)


def dicom(pixels: np.ndarray, tags: dict[str, Any]) -> FileDataset:
    """An XA image with these tags."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.12.1")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.PhotometricInterpretation = "XA", "MONOCHROME2"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = *pixels.shape, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = pixels.astype("<u2").tobytes()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.fixture
def png(tmp_path: Path) -> Path:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(grey()), str(tmp_path / "xray.png"))
    return tmp_path / "xray.png"


def assert_seen_alike(left: Radiograph, right: Radiograph) -> None:
    np.testing.assert_array_equal(left.attenuation, right.attenuation)
    np.testing.assert_array_equal(left.mask, right.mask)
    assert_same_camera(left.camera, right.camera)
    assert left.world == right.world
    assert set(left.provenance) == set(right.provenance)


def test_a_file_without_geometry_waits_for_it_and_is_then_as_if_it_had_been_read_with_it(
    scene: Any, png: Path, unchanged: Callable
) -> None:
    node = add_xray_file(png)
    unchanged()
    assert geometry_of(node).state == "missing"
    with pytest.raises(InputError, match="geometry is not known"):
        radiograph_from_node(node)
    use_c_arm(node, NUMBERS)
    expected = XrayFile(png, geometry=NUMBERS).read()
    assert not np.array_equal(
        expected.attenuation,
        XrayFile(png, geometry=CArmGeometry(1200.0, 800.0, (0.4, 0.3), 180.0, 10.0)).read().attenuation,
    )
    assert_seen_alike(radiograph_from_node(node), expected)
    # Numbers are given anew: the pixels are not turned once more, and back where the beam comes from the other side.
    again = CArmGeometry(1000.0, 700.0, (0.4, 0.3), 170.0, -5.0, (31.0, 47.0))
    use_c_arm(node, again)
    assert_seen_alike(radiograph_from_node(node), XrayFile(png, geometry=again).read())
    use_c_arm(node, NUMBERS)
    assert_seen_alike(radiograph_from_node(node), expected)


def test_a_camera_file_speaks_of_the_image_as_it_is_stored(scene: Any, png: Path, tmp_path: Path) -> None:
    write_camera(
        tmp_path / "camera.json",
        pinhole(SIZE),
        (),
    )
    expected = XrayFile(png, camera=tmp_path / "camera.json").read()
    for node in (add_xray_file(png), add_xray(XrayFile(png, geometry=NUMBERS))):
        use_camera_file(node, tmp_path / "camera.json")
        seen = radiograph_from_node(node)
        np.testing.assert_array_equal(seen.attenuation, expected.attenuation)
        np.testing.assert_array_equal(seen.mask, expected.mask)
        assert_same_camera(seen.camera, expected.camera)


def test_numbers_turn_the_pixels_of_an_image_that_slicer_loaded(scene: Any, png: Path) -> None:
    node = volume(grey()[None])
    use_c_arm(node, NUMBERS)
    expected = XrayFile(png, geometry=NUMBERS, bone_is_bright=False).read()
    np.testing.assert_array_equal(radiograph_from_node(node).attenuation, expected.attenuation)


def test_missing_numbers_are_listed_and_nothing_changes(scene: Any, png: Path, unchanged: Callable) -> None:
    node = add_xray_file(png)
    unchanged()
    with pytest.raises(InputError, match=r"incomplete\. Missing: source-detector distance.*pixel spacing"):
        use_c_arm(node, CArmGeometry(primary_angle_deg=10.0, secondary_angle_deg=0.0, source_object_distance=800.0))
    assert unchanged() and geometry_of(node).state == "missing" and size_of(node) == SIZE


def test_a_c_arm_that_turned_needs_a_camera_for_each_frame(scene: Any, unchanged: Callable) -> None:
    node, _browser = add_radiograph_sequence([radiograph(seed=n) for n in range(3)], range(3), calibrated=False)
    for angle, item in enumerate(items_of(sequence_of(node))):
        write_c_arm(item, CArmSource(CArmGeometry(primary_angle_deg=10.0 * angle, secondary_angle_deg=0.0)))
    unchanged()
    with pytest.raises(InputError, match="moved from frame to frame"):
        use_c_arm(node, CArmGeometry(1000.0, 700.0, (0.3, 0.3)))
    assert unchanged() and geometry_of(node).state == "missing"


def test_one_number_of_a_complete_file_can_be_replaced(scene: Any, tmp_path: Path) -> None:
    tags = {
        "DistanceSourceToDetector": 1200, "DistanceSourceToPatient": 800, "ImagerPixelSpacing": [0.4, 0.3],
        "PositionerPrimaryAngle": 170, "PositionerSecondaryAngle": -5, "FieldOfViewHorizontalFlip": "YES",
    }  # fmt: skip
    path = tmp_path / "xray.dcm"
    dicom(grey(), tags).save_as(path)
    node = add_xray_file(path)
    assert_seen_alike(radiograph_from_node(node), XrayFile(path).read())
    use_c_arm(node, CArmGeometry(source_detector_distance=1100.0))
    expected = XrayFile(path, geometry=CArmGeometry(source_detector_distance=1100.0)).read()
    assert_seen_alike(radiograph_from_node(node), expected)


def test_a_localizer_is_no_c_arm_image(scene: Any, unchanged: Callable) -> None:
    node = add_radiograph(radiograph(slit()))
    unchanged()
    with pytest.raises(InputError, match="localizer of a CT scanner"):
        use_c_arm(node, NUMBERS)
    assert unchanged()


def test_what_is_told_of_a_camera_and_what_of_its_pixels_is_told_apart(png: Path) -> None:
    lines = XrayFile(png, geometry=NUMBERS).read().provenance
    assert of_camera(lines) == c_arm_view(png, SIZE, NUMBERS).provenance
    assert set(of_pixels(lines)) == set(lines) - set(of_camera(lines))


@pytest.mark.real
def test_what_a_real_cine_does_say_is_not_asked_again(scene: Any, real_data: Path) -> None:
    path = real_data / "xray_dicom" / "xa_cine_jpeg_baseline.dcm"
    node = add_xray_file(path)
    assert frames_of(node) == 96 and geometry_of(node).state == "missing"
    # Its angles are in its tags; distances and spacing are not.
    known = CArmGeometry(1000.0, 700.0, (0.3, 0.3))
    use_c_arm(node, known)
    expected = XrayFile(path, geometry=known, frame=0).read()
    (seen,) = radiographs_of(node, [0])
    assert_same_camera(seen.camera, expected.camera)
    assert {line for line in expected.provenance if "angle" in line.quantity} <= set(seen.provenance)
    assert geometry_of(node).state == "assumed"
