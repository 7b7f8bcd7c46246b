"""DICOM tags to camera: what the reader returns must be what a C-arm would have seen, mirrored nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.xray_files import CArmGeometry, read_xray, read_xray_frames
from DiffRegistrationLib.xray.geometry import PinholeCamera
from DiffRegistrationLib.xray.radiograph import Radiograph
from synthetic_xray_dicom import GEOMETRY, darkest_spot, item, shadow, write_xray

SIZE = (240, 320)
DIRECTIONS = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}
# On the patient's left, in front of the isocentre and above it, all by different amounts (RAS mm).
MARKER = np.array([-20.0, 8.0, 14.0])


def stored_pixel(toward_detector: str, right: str, down: str) -> np.ndarray:
    """Where the marker lies in an image whose right and bottom point to these sides of the patient, by triangles."""
    scale = 1200 / (800 + MARKER @ DIRECTIONS[toward_detector]) / 0.4
    middle = (np.array(SIZE[::-1]) - 1) / 2
    return middle + scale * np.array([MARKER @ DIRECTIONS[right], MARKER @ DIRECTIONS[down]])


def marker_image(pixel: np.ndarray) -> np.ndarray:
    return shadow(SIZE, (pixel[0], pixel[1], 1.5))


def pinhole(radiograph: Radiograph) -> PinholeCamera:
    assert isinstance(radiograph.camera, PinholeCamera)
    return radiograph.camera


@pytest.mark.parametrize(
    ("primary", "toward_detector", "right", "down", "written"),
    [
        (0, "A", "L", "F", True),
        (0, "A", "L", "F", False),
        (0, "A", "R", "F", True),
        (0, "A", "R", "H", True),
        (0, "A", "F", "R", True),
        (180, "P", "L", "F", True),
        (180, "P", "L", "F", False),
        (-180, "P", "R", "F", True),
        (90, "L", "P", "F", True),
        (90, "L", "P", "F", False),
        (90, "L", "A", "F", True),
        (-90, "R", "A", "F", True),
        (-90, "R", "A", "F", False),
        (-90, "R", "P", "F", True),
    ],
)
def test_marker_on_the_patients_left_lies_where_the_camera_projects_it(
    tmp_path, primary, toward_detector, right, down, written
):
    tags = {**GEOMETRY, "PositionerPrimaryAngle": primary}
    if written:
        tags["PatientOrientation"] = [right, down]
    radiograph = read_xray(write_xray(tmp_path, marker_image(stored_pixel(toward_detector, right, down)), **tags))
    np.testing.assert_allclose(
        darkest_spot(radiograph.attenuation), radiograph.camera.project(MARKER[None])[0], atol=0.1
    )
    layout = next(line for line in radiograph.provenance if line.quantity == "image layout")
    assert layout.assumed != written


def test_orientation_that_cannot_be_at_these_angles_is_not_believed(tmp_path):
    path = write_xray(
        tmp_path,
        marker_image(stored_pixel("L", "P", "F")),
        **{**GEOMETRY, "PositionerPrimaryAngle": 90},
        PatientOrientation=["L", "F"],
    )
    layout = next(line for line in read_xray(path).provenance if line.quantity == "image layout")
    assert layout.assumed and "does not fit" in layout.origin


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS"])
def test_angles_are_the_patients_whatever_the_position_on_the_table(tmp_path, position):
    path = write_xray(tmp_path, marker_image(np.array([100, 90])), **GEOMETRY, PatientPosition=position)
    np.testing.assert_allclose(pinhole(read_xray(path)).source, [0, -800, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("tags", "spacing", "assumed"),
    [
        ({"ImagerPixelSpacing": [0.3, 0.4], "PixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "GEOMETRY"},
         (0.3, 0.4), False),
        ({"PixelSpacing": [0.2, 0.3], "PixelSpacingCalibrationType": "GEOMETRY"}, (0.3, 0.45), False),
        ({"PixelSpacing": [0.2, 0.3], "PixelSpacingCalibrationType": "FIDUCIAL",
          "EstimatedRadiographicMagnificationFactor": 2}, (0.4, 0.6), True),
        ({"PixelSpacing": [0.2, 0.2]}, (0.3, 0.3), True),
        ({"PixelSpacing": [0.2, 0.2], "Modality": "DX"}, (0.2, 0.2), True),
    ],
)  # fmt: skip
def test_spacing_is_brought_to_the_detector(tmp_path, tags, spacing, assumed):
    known = {name: value for name, value in GEOMETRY.items() if name != "ImagerPixelSpacing"}
    radiograph = read_xray(write_xray(tmp_path, marker_image(np.array([100, 90])), **known, **tags))
    np.testing.assert_allclose(pinhole(radiograph).pixel_spacing, spacing)
    np.testing.assert_allclose(np.diag(pinhole(radiograph).intrinsic)[:2], [1200 / spacing[1], 1200 / spacing[0]])
    line = next(p for p in radiograph.provenance if p.quantity == "pixel spacing at the detector")
    assert line.assumed == assumed


def test_source_object_distance_comes_from_the_magnification_if_nothing_else_tells(tmp_path):
    known = {name: value for name, value in GEOMETRY.items() if name != "DistanceSourceToPatient"}
    path = write_xray(
        tmp_path, marker_image(np.array([100, 90])), **known, EstimatedRadiographicMagnificationFactor=1.6
    )
    np.testing.assert_allclose(np.linalg.norm(pinhole(read_xray(path)).source), 750)


@pytest.mark.parametrize(("steps", "expected"), [([5.0], (10, 15, 20)), ([0.0, 7.0, 9.0], (10, 17, 19))])
def test_angle_of_each_frame_follows_its_increment(tmp_path, steps, expected):
    tags = {**GEOMETRY, "PositionerPrimaryAngle": 10, "PositionerPrimaryAngleIncrement": steps}
    path = write_xray(tmp_path, np.stack([marker_image(np.array([100, 90]))] * 3), **tags)
    for radiograph, angle in zip(read_xray_frames(path), expected, strict=True):
        a = np.radians(angle)
        np.testing.assert_allclose(pinhole(radiograph).source, [800 * np.sin(a), -800 * np.cos(a), 0], atol=1e-9)


@pytest.mark.parametrize(("rotation", "flip"), [(0, "NO"), (90, "NO"), (180, "YES"), (270, "YES"), (0, "YES")])
def test_detector_image_turned_and_mirrored_before_storing_is_brought_back(tmp_path, rotation, flip):
    # The whole detector, 0.2 mm elements, seen facing the patient; the field of view starts at row 40, column 100 and
    # holds 480 × 640 elements binned 2 × 2. The isocentre falls on element (300, 340) counted from the first's centre.
    marker = stored_pixel("A", "L", "F") - (np.array(SIZE[::-1]) - 1) / 2
    principal = np.array([(340 - 100 - 0.5) / 2, (300 - 40 - 0.5) / 2])
    detector = marker_image(principal + marker)
    stored = np.rot90(detector, -rotation // 90)
    if flip == "YES":
        stored = stored[:, ::-1]
    path = write_xray(
        tmp_path,
        stored,
        **GEOMETRY,
        FieldOfViewRotation=rotation,
        FieldOfViewHorizontalFlip=flip,
        FieldOfViewOrigin=[40, 100],
        DetectorElementSpacing=[0.2, 0.2],
        PositionOfIsocenterProjection=[300.0, 340.0],
    )
    radiograph = read_xray(path)
    assert radiograph.camera.size == SIZE
    np.testing.assert_allclose(radiograph.camera.project(np.zeros((1, 3)))[0], [319 - principal[0], principal[1]])
    np.testing.assert_allclose(
        darkest_spot(radiograph.attenuation), radiograph.camera.project(MARKER[None])[0], atol=0.1
    )
    line = next(p for p in radiograph.provenance if p.quantity == "principal point")
    assert not line.assumed


def test_principal_point_from_the_middle_of_the_active_area(tmp_path):
    path = write_xray(
        tmp_path,
        marker_image(np.array([100, 90])),
        **GEOMETRY,
        DetectorActiveOrigin=[10, 20],
        DetectorActiveDimensions=[120.0, 160.0],
        FieldOfViewOrigin=[50, 60],
        DetectorElementSpacing=[0.2, 0.2],
        PatientOrientation=["R", "F"],
    )
    # Middle: row 10 + 300, column 20 + 400 elements from the corner; 2 × 2 elements make a pixel.
    expected = [(420 - 60) / 2 - 0.5, (310 - 50) / 2 - 0.5]
    np.testing.assert_allclose(pinhole(read_xray(path)).intrinsic[:2, 2], expected)


def test_unsquare_spacing_swaps_with_the_axes(tmp_path):
    tags = {**GEOMETRY, "ImagerPixelSpacing": [0.3, 0.4], "PatientOrientation": ["F", "R"]}
    camera = pinhole(read_xray(write_xray(tmp_path, marker_image(np.array([100, 90])), **tags)))
    assert camera.size == SIZE[::-1]
    assert camera.pixel_spacing == (0.4, 0.3)


def test_enhanced_object_keeps_its_numbers_in_functional_groups(tmp_path):
    shared = item(
        XRayGeometrySequence=[item(DistanceSourceToDetector=1200, DistanceSourceToIsocenter=780)],
        FramePixelDataPropertiesSequence=[
            item(ImagerPixelSpacing=[0.4, 0.4], PixelIntensityRelationship="LIN", PixelIntensityRelationshipSign=1)
        ],
    )
    frames = [
        item(PositionerPositionSequence=[item(PositionerPrimaryAngle=angle, PositionerSecondaryAngle=30)])
        for angle in (0, 90)
    ]
    path = write_xray(
        tmp_path,
        np.stack([marker_image(np.array([100, 90]))] * 2),
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )
    radiograph = read_xray(path, frame=1)
    np.testing.assert_allclose(pinhole(radiograph).source, 780 * np.array([np.cos(np.pi / 6), 0, -0.5]), atol=1e-9)
    assert any(line.quantity == "polarity" and not line.assumed for line in radiograph.provenance)


def test_numbers_of_the_user_override_tags_and_stand_in_for_missing_ones(tmp_path):
    path = write_xray(tmp_path, marker_image(np.array([100, 90])), DistanceSourceToDetector=999)
    given = CArmGeometry(1200, 800, (0.4, 0.4), 90, 0, (150.0, 100.0), ("A", "F"))
    radiograph = read_xray(path, geometry=given)
    camera = pinhole(radiograph)
    np.testing.assert_allclose(camera.source, [800, 0, 0], atol=1e-9)
    np.testing.assert_allclose(camera.intrinsic, [[3000, 0, 150], [0, 3000, 100], [0, 0, 1]])
    lines = [line for line in radiograph.provenance if line.quantity == "source-detector distance"]
    assert [line.origin for line in lines] == ["given by the user"]


def test_everything_missing_is_listed_at_once_with_tags_and_options(tmp_path):
    path = write_xray(tmp_path, marker_image(np.array([100, 90])), DistanceSourceToPatient=800, PatientName="Doe^Jane")
    with pytest.raises(InputError) as caught:
        read_xray(path)
    message = str(caught.value)
    for word in ("(0018,1110)", "(0018,1164)", "(0018,1510)", "(0018,1511)", "--sdd", "--spacing", "--angles"):
        assert word in message
    assert "(0018,1111)" not in message and "Doe" not in message


def test_spacing_in_the_patient_without_distances_is_missing(tmp_path):
    path = write_xray(
        tmp_path,
        marker_image(np.array([100, 90])),
        PixelSpacing=[0.2, 0.2],
        PositionerPrimaryAngle=0,
        PositionerSecondaryAngle=0,
    )
    with pytest.raises(InputError, match="unusable"):
        read_xray(path)
    given = CArmGeometry(source_detector_distance=1000, source_object_distance=500)
    assert pinhole(read_xray(path, geometry=given)).pixel_spacing == (0.4, 0.4)


def test_swapped_distances_name_the_file_and_the_numbers(tmp_path):
    tags = {**GEOMETRY, "DistanceSourceToPatient": 1300}
    with pytest.raises(InputError, match=r"xray\.dcm.*1300 mm.*1200 mm"):
        read_xray(write_xray(tmp_path, marker_image(np.array([100, 90])), **tags))


def test_provenance_holds_nothing_of_the_patient(tmp_path):
    names = {"PatientName": "Doe^Jane", "PatientID": "4711", "PatientBirthDate": "19700102"}
    path = write_xray(tmp_path, marker_image(np.array([100, 90])), **GEOMETRY, **names, PatientOrientation=["L", "F"])
    written = "\n".join(map(str, read_xray(path).provenance))
    for secret in ("Doe", "4711", "19700102", "1.2.826"):
        assert secret not in written
