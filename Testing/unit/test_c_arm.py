"""The C-arm's angles against anatomy: which side of the patient is where in the image."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera

ISOCENTRE = np.array([15.0, -40.0, 220.0])
C_ARM = {
    "source_detector_distance": 1000.0,
    "source_object_distance": 600.0,
    "pixel_spacing": (0.5, 0.25),
    "size": (401, 801),
    "isocentre": ISOCENTRE,
}
RIGHT, LEFT = np.array([1.0, 0, 0]), np.array([-1.0, 0, 0])
FRONT, BACK = np.array([0.0, 1, 0]), np.array([0.0, -1, 0])
HEAD, FEET = np.array([0.0, 0, 1]), np.array([0.0, 0, -1])


@pytest.mark.parametrize(
    ("primary", "secondary", "detector", "image_right", "image_down"),
    [
        (0, 0, FRONT, RIGHT, FEET),  # PA
        (180, 0, BACK, LEFT, FEET),  # AP
        (-180, 0, BACK, LEFT, FEET),
        (90, 0, LEFT, FRONT, FEET),  # left lateral
        (-90, 0, RIGHT, BACK, FEET),
        (0, 90, HEAD, RIGHT, FRONT),  # from the feet
        (0, -90, FEET, RIGHT, BACK),
    ],
)
def test_axes_of_the_image_are_those_of_the_patient(primary, secondary, detector, image_right, image_down):
    camera = c_arm_camera(**C_ARM, primary_angle_deg=primary, secondary_angle_deg=secondary)
    np.testing.assert_allclose(camera.source, ISOCENTRE - 600 * detector, atol=1e-9)
    centre = camera.project([ISOCENTRE])[0]
    np.testing.assert_allclose(centre, [400, 200], atol=1e-9)
    # 3 mm at the isocentre are 5 mm on the detector: 20 columns or 10 rows.
    np.testing.assert_allclose(camera.project([ISOCENTRE + 3 * image_right])[0] - centre, [20, 0], atol=1e-9)
    np.testing.assert_allclose(camera.project([ISOCENTRE + 3 * image_down])[0] - centre, [0, 10], atol=1e-9)


def test_lao_and_cranial_move_the_detector_to_the_left_and_toward_the_head():
    """LAO 30°, cranial 20°: longitude, then latitude, as DICOM defines them."""
    camera = c_arm_camera(**C_ARM, primary_angle_deg=30, secondary_angle_deg=20)
    beam = rigid.inverse(camera.camera_from_world)[:3, 2]
    transaxial = beam - (beam @ HEAD) * HEAD
    assert np.degrees(np.arctan2(transaxial @ LEFT, transaxial @ FRONT)) == pytest.approx(30)
    assert np.degrees(np.arcsin(beam @ HEAD)) == pytest.approx(20)
    rows = camera.project([ISOCENTRE, ISOCENTRE + 10 * HEAD])[:, 1]
    assert rows[1] < rows[0]


@pytest.mark.parametrize(("primary", "secondary"), [(0, 0), (35, -25), (-170, 40)])
def test_roll_turns_the_image_about_the_beam(primary, secondary):
    """With the detector turned by +90°, its x axis lies where y was: what was below now appears to the right."""
    still = c_arm_camera(**C_ARM, primary_angle_deg=primary, secondary_angle_deg=secondary)
    turned = c_arm_camera(**C_ARM, primary_angle_deg=primary, secondary_angle_deg=secondary, roll_deg=90)
    R, T = still.camera_from_world[:3, :3], turned.camera_from_world[:3, :3]
    np.testing.assert_allclose(T, [R[1], -R[0], R[2]], atol=1e-12)
    np.testing.assert_allclose(turned.source, still.source, atol=1e-9)


def test_principal_point_is_where_the_beam_meets_the_detector():
    camera = c_arm_camera(**C_ARM, primary_angle_deg=25, principal_point=(380.0, 210.5))
    np.testing.assert_allclose(camera.project([ISOCENTRE])[0], [380.0, 210.5], atol=1e-9)
    assert camera.source_detector_distance == pytest.approx(1000)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"source_object_distance": 0.0}, "source-object distance"),
        ({"source_object_distance": -5.0}, "source-object distance"),
        ({"source_object_distance": 1000.0}, "source-detector distance"),
        ({"source_detector_distance": float("nan")}, "source-detector distance"),
        ({"pixel_spacing": (0.5, 0.0)}, "pixel spacing"),
        ({"size": (0, 5)}, "image size"),
        ({"primary_angle_deg": float("inf")}, "primary angle"),
        ({"isocentre": (0.0, float("nan"), 0.0)}, "isocentre"),
    ],
)
def test_what_no_c_arm_has_is_refused_by_name(wrong, named):
    with pytest.raises(InputError, match=named):
        c_arm_camera(**{**C_ARM, **wrong})
