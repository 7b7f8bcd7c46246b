"""CT localizers: the slit camera must see header points where the image holds them, from any side."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.lps import ras_points
from DiffRegistrationLib.xray.files.xray_files import read_xray
from DiffRegistrationLib.xray.geometry import ScanningSlitCamera
from synthetic_xray_dicom import write_xray

SOD, SDD = 570.0, 1040.0


def scout_image(rows: int, columns: int) -> np.ndarray:
    """HU-like + 1024: a different value everywhere, black border on the right."""
    v, u = np.mgrid[:rows, :columns]
    image = 100.0 + 3 * u + 2 * v + u * v / 10
    image[:, -4:] = 0
    return image


def scout_tags(right, down, **more):
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        "DistanceSourceToDetector": SDD,
        "DistanceSourceToPatient": SOD,
        "PixelSpacing": [0.8, 1.1],
        "ImagePositionPatient": [3.0, -40.0, 500.0],
        "ImageOrientationPatient": [*right, *down],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "PatientPosition": "HFS",
        **more,
    }


@pytest.mark.parametrize(
    ("right", "down", "angle", "source_side"),
    [
        # Lateral, tube on the patient's left; AP with the tube above, and below (stored mirrored, facing the patient).
        ((0, 1, 0), (0, 0, -1), 90, (1, 0, 0)),
        ((0, -1, 0), (0, 0, -1), 270, (-1, 0, 0)),
        ((1, 0, 0), (0, 0, -1), 0, (0, -1, 0)),
        ((1, 0, 0), (0, 0, -1), 180, (0, 1, 0)),
        # Travel along the rows: the fan runs down the image.
        ((0, 0, -1), (0, 1, 0), 270, (-1, 0, 0)),
        ((0, 0, 1), (1, 0, 0), 0, (0, -1, 0)),
        ((0, 0, -1), (0, 1, 0), 90, (1, 0, 0)),
        # No angle, and an angle that cannot be: as seen from the source.
        ((0, 1, 0), (0, 0, -1), None, (1, 0, 0)),
        ((0, 1, 0), (0, 0, -1), 0, (1, 0, 0)),
    ],
)
def test_camera_sees_the_image_where_its_header_puts_it(tmp_path, right, down, angle, source_side):
    tags = scout_tags(right, down) | ({} if angle is None else {"AngularPosition": angle})
    rows, columns = 40, 60
    stored = scout_image(rows, columns)
    radiograph = read_xray(write_xray(tmp_path, stored, "CT", **tags))
    camera = radiograph.camera
    assert isinstance(camera, ScanningSlitCamera)
    right, down, side = np.array(right), np.array(down), np.array(source_side)
    fan_along_rows = abs(down[2]) == 1
    for row, column in ((4, 7), (20, 50), (33, 12)):
        in_plane = np.array([3.0, -40.0, 500.0]) + 1.1 * column * right + 0.8 * row * down
        u, v = camera.project(ras_points(in_plane)[None])[0]
        np.testing.assert_allclose([u, v], np.rint([u, v]), atol=1e-6)
        assert radiograph.attenuation[round(v), round(u)] == pytest.approx(stored[row, column] - 1024, abs=0.51)
        # A point halfway to the source is magnified twice about the fan's axis and nowhere along the travel.
        axis = columns / 2 if fan_along_rows else rows / 2
        distance = (column - axis) * 1.1 * right if fan_along_rows else (row - axis) * 0.8 * down
        halfway = in_plane - distance / 2 + side * SOD / 2
        np.testing.assert_allclose(camera.project(ras_points(halfway)[None])[0], [u, v], atol=1e-6)
    on_axis = np.array([3.0, -40.0, 500.0]) + (30 * 1.1 * right if fan_along_rows else 20 * 0.8 * down)
    source = camera.back_project(np.array([[camera.centre[0], 0.0]]), 0.0)
    along = np.abs(right if not fan_along_rows else down).astype(bool)
    np.testing.assert_allclose(source[0][~along], ras_points(on_axis + SOD * side)[~along], atol=1e-6)


def test_black_border_is_masked_and_the_rest_kept_as_it_is(tmp_path):
    path = write_xray(tmp_path, scout_image(40, 60), "CT", **scout_tags((0, 1, 0), (0, 0, -1), AngularPosition=90))
    radiograph = read_xray(path)
    assert not radiograph.mask[:, -4:].any() and radiograph.mask[:, :-4].mean() > 0.99
    used = radiograph.mask
    np.testing.assert_allclose(radiograph.attenuation[used], (np.rint(scout_image(40, 60)) - 1024)[used])


def test_contradicting_tube_angle_is_noted_as_assumed(tmp_path):
    path = write_xray(tmp_path, scout_image(40, 60), "CT", **scout_tags((0, 1, 0), (0, 0, -1), AngularPosition=0))
    line = next(p for p in read_xray(path).provenance if p.quantity == "source")
    assert line.assumed and "does not fit" in line.origin


def test_missing_distances_are_listed(tmp_path):
    tags = scout_tags((0, 1, 0), (0, 0, -1))
    del tags["DistanceSourceToDetector"], tags["DistanceSourceToPatient"]
    with pytest.raises(InputError, match=r"\(0018,1110\).*\(0018,1111\)"):
        read_xray(write_xray(tmp_path, scout_image(40, 60), "CT", **tags))
