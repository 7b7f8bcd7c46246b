"""Cameras written in each format: the same when read again, or refused; a distortion is kept by our own."""

import json
from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.calibrated_camera import CalibratedCamera
from DiffRegistrationLib.xray.files.camera_files import read_camera, write_camera
from DiffRegistrationLib.xray.files.camera_writing import FORMATS, write_camera_as
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.geometry.lens_distortion import BrownDistortion, PolynomialDistortion

SIZE = (900, 1200)
POSE = rigid.rigid(rigid.rotation_exp([0.4, -1.9, 0.3]), [12.0, -30.0, 800.0])
POINTS = np.array([[10.0, -25.0, 8.0], [-60.0, 12.0, 40.0], [33.0, 70.0, -51.0], [0.0, 0.0, 0.0]])


@pytest.fixture
def camera() -> PinholeCamera:
    return PinholeCamera(np.array([[5200.0, 0, 640.0], [0, 5200.0, 431.0], [0, 0, 1]]), POSE, SIZE)


# Off-centre, and what each format can hold beyond: pixels that are not square, a skew.
OBLONG, SKEW = (5200.0, 5311.25), 0.75


def demanding(format_name: str) -> PinholeCamera:
    fu, fv = (5200.0, 5200.0) if format_name == "mayacam1" else OBLONG
    skew = 0.0 if format_name.startswith("mayacam") else SKEW
    K = np.array([[fu, skew, 640.0 + 1 / 3], [0, fv, 431.0 - 1 / 7], [0, 0, 1]])
    return PinholeCamera(K, POSE, SIZE, (0.2 / 3, 0.2 / 3 * fv / fu))


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_is_written_reads_as_the_same_camera_again_and_again(tmp_path, format_name):
    camera = demanding(format_name)
    for turn in ("first", "second"):
        path = tmp_path / turn
        write_camera_as(path, camera, format_name)
        read = read_camera(path, size=SIZE).camera
        assert isinstance(read, PinholeCamera) and read.size == SIZE
        np.testing.assert_allclose(read.project(POINTS), camera.project(POINTS), rtol=0, atol=1e-6)
        np.testing.assert_allclose(read.source, camera.source, rtol=0, atol=1e-6)
        if format_name in ("json", "xreg"):
            assert read.pixel_spacing == pytest.approx(camera.pixel_spacing)
        camera = read
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first", "second"]


def test_mayacam1_holds_a_camera_whose_angles_are_not_unique(tmp_path):
    """Ry by ±90°, where Rz and Rx turn about one axis."""
    for degrees in (90.0, -90.0):
        turned = rigid.rotation_exp([0, np.radians(degrees), 0]) @ rigid.rotation_exp([0.7, 0, 0])
        camera = PinholeCamera(demanding("mayacam1").intrinsic, rigid.rigid(turned.T, [3.0, -8.0, 900.0]), SIZE)
        write_camera_as(tmp_path / "camera", camera, "mayacam1")
        read = read_camera(tmp_path / "camera").camera
        np.testing.assert_allclose(read.project(POINTS), camera.project(POINTS), rtol=0, atol=1e-6)


def test_what_a_format_cannot_hold_is_refused_and_nothing_is_written(tmp_path, camera):
    slit = ScanningSlitCamera(POSE, SIZE, (0.5, 0.5), (250.0, 100.0), 570.0, 1040.0)
    bent = CalibratedCamera(camera, (), BrownDistortion((0.1, 0, 0), (0, 0), (5200.0, 5200.0), (640.0, 431.0)))
    away = camera.moved(rigid.rigid(np.eye(3), camera.source + 2 * (camera.source - POINTS[0])))
    behind = replace(camera, camera_from_world=np.diag([-1.0, 1, -1, 1]) @ POSE)
    refused = [
        (slit, [name for name in FORMATS if name != "json"], "holds no scanning slit"),
        (bent, [name for name in FORMATS if name != "json"], "holds no distortion"),
        (demanding("json"), ["mayacam1", "mayacam2"], "knows no skew"),
        (replace(camera, intrinsic=camera.intrinsic * [[1], [1.02], [1]]), ["mayacam1"], "holds one focal length"),
        (camera, ["xreg"], "needs the pixel spacing"),
        (behind, ["projection-matrix"], "behind it"),
        (away, ["mayacam3"], "Use one of json, mayacam1"),
    ]
    for held, names, words in refused:
        for name in names:
            with pytest.raises(InputError, match=words):
                write_camera_as(tmp_path / "camera", held, name)
    assert list(tmp_path.iterdir()) == []


DISTORTIONS = {
    "brown": BrownDistortion((0.1 / 3, -0.02, 1e-3), (1e-4, -2e-4 / 7), (5200.0, 5311.0), (640.1, 431.2)),
    "polynomial": PolynomialDistortion(np.linspace(-2 / 3, 3, 20).reshape(10, 2), (599.5, 449.5), 600.0),
}


@pytest.mark.parametrize("name", DISTORTIONS)
def test_json_keeps_a_distortion(tmp_path, camera, name):
    write_camera(tmp_path / "camera.json", camera, (), DISTORTIONS[name])
    read = read_camera(tmp_path / "camera.json")
    points = np.array([[100.0, 200.0], [640.0, 431.0], [1100.0, 850.0]])
    np.testing.assert_array_equal(read.distortion.undistorted(points), DISTORTIONS[name].undistorted(points))
    assert [line.quantity for line in read.provenance].count("distortion") == 1
    write_camera_as(tmp_path / "again.json", read, "json")
    again = read_camera(tmp_path / "again.json")
    assert again.provenance == read.provenance
    np.testing.assert_array_equal(again.distortion.undistorted(points), read.distortion.undistorted(points))
    np.testing.assert_array_equal(again.camera.intrinsic, camera.intrinsic)


def test_json_names_what_is_wrong_with_a_distortion(tmp_path, camera):
    write_camera(tmp_path / "camera.json", camera, (), DISTORTIONS["polynomial"])
    good = json.loads((tmp_path / "camera.json").read_text())
    path = tmp_path / "wrong.json"
    wrong = [
        ({"degree": 4}, "“coefficients_u_px” is not 15 finite numbers"),
        ({"scale_px": 0}, "scale 0.0 must be"),
        ({"type": "fisheye"}, "distortion type “fisheye”"),
        ({"centre_u_v_px": [1]}, "“centre_u_v_px” is not 2 finite numbers"),
    ]
    for change, words in wrong:
        text = json.dumps({**good, "distortion": {**good["distortion"], **change}})
        with pytest.raises(InputError, match=words):
            path.write_text(text)
            read_camera(path)
    with pytest.raises(InputError, match="“distortion” is no object"):
        path.write_text(json.dumps({**good, "distortion": [1, 2]}))
        read_camera(path)
