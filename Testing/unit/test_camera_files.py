"""Camera files: each format from first principles, lossless where it is ours, and refused with a word that helps."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import read_camera, write_camera
from DiffRegistrationLib.xray.files.deepfluoro import read_deepfluoro
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.provenance import Provenance

SIZE = (900, 1200)
POSE = rigid.rigid(rigid.rotation_exp([0.4, -1.9, 0.3]), [12.0, -30.0, 800.0])
POINTS = np.array([[10.0, -25.0, 8.0], [-60.0, 12.0, 40.0], [33.0, 70.0, -51.0], [0.0, 0.0, 0.0]])


@pytest.fixture
def camera() -> PinholeCamera:
    return PinholeCamera(np.array([[5200.0, 0, 640.0], [0, 5200.0, 431.0], [0, 0, 1]]), POSE, SIZE)


def matrix_text(matrix: np.ndarray, separator: str = ",") -> str:
    return "".join(separator.join(repr(float(x)) for x in row) + "\n" for row in matrix)


def mayacam2_text(camera: PinholeCamera) -> str:
    R, t = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3:]
    return (
        f"image size\n{camera.size[1]},{camera.size[0]}\n\ncamera matrix\n{matrix_text(camera.intrinsic)}\n"
        f"rotation\n{matrix_text(R)}\ntranslation\n{matrix_text(t)}"
    )


def written(folder: Path, text: str) -> Path:
    # A name that says nothing, and one that other programs stumble over.
    path = folder / "Kalibrierung für Bild 1"
    path.write_text(text, encoding="utf-8")
    return path


def test_json_keeps_every_bit_of_a_pinhole_camera(tmp_path):
    camera = PinholeCamera(
        np.array([[1e4 / 3, 0.1, 640.7], [0, 1e4 / 7, 431.1], [0, 0, 1]]), POSE, SIZE, (0.1, 0.2 / 3)
    )
    lines = (Provenance("camera matrix", "f = 1", "calibration", assumed=True),)
    write_camera(tmp_path / "camera.json", camera, lines)
    read = read_camera(tmp_path / "camera.json", size=SIZE)
    assert isinstance(read.camera, PinholeCamera)
    np.testing.assert_array_equal(read.camera.intrinsic, camera.intrinsic)
    np.testing.assert_array_equal(read.camera.camera_from_world, camera.camera_from_world)
    assert (read.camera.size, read.camera.pixel_spacing) == (camera.size, camera.pixel_spacing)
    assert read.provenance == lines
    assert [p.name for p in tmp_path.iterdir()] == ["camera.json"]


def test_json_keeps_every_bit_of_a_scanning_slit(tmp_path):
    camera = ScanningSlitCamera(POSE, SIZE, (1.0 / 3, 0.7), (250.3, 1.0 / 7), 570.1, 1040.2)
    write_camera(tmp_path / "scout.txt", camera)
    read = read_camera(tmp_path / "scout.txt").camera
    assert isinstance(read, ScanningSlitCamera)
    np.testing.assert_array_equal(read.camera_from_world, camera.camera_from_world)
    assert (read.size, read.pixel_spacing, read.centre) == (camera.size, camera.pixel_spacing, camera.centre)
    assert (read.source_object_distance, read.source_detector_distance) == (570.1, 1040.2)


@pytest.mark.parametrize("separator", [",", "  ", "\t", ", "])
def test_projection_matrix_text(tmp_path, camera, separator):
    text = "# P\n" + matrix_text(-2.5 * camera.projection_matrix, separator)
    read = read_camera(written(tmp_path, text), size=SIZE)
    np.testing.assert_allclose(read.camera.project(POINTS), camera.project(POINTS), atol=1e-6)
    assert any(line.assumed and line.quantity == "world" for line in read.provenance)


def test_mayacam2_is_opencv_with_columns_before_rows(tmp_path, camera):
    read = read_camera(written(tmp_path, mayacam2_text(camera)), size=SIZE)
    np.testing.assert_allclose(read.camera.project(POINTS), camera.project(POINTS), atol=1e-9)
    assert read.camera.size == SIZE


def test_mayacam1_is_a_camera_as_maya_poses_it(tmp_path):
    """Turned by 90° about y, a Maya camera at +x looks along −x: +z is at its left, +y up. Worked out by hand."""
    text = "1000,0,0\n0,90,0\n0,0,0\n601,401,-2000\n0.1,1200,900\n"
    camera = read_camera(written(tmp_path, text)).camera
    np.testing.assert_allclose(camera.source, [1000, 0, 0], atol=1e-9)
    # Pixels count from 1, rows upward: row 401 of 900 from below is row 499 from above, counted from 0.
    np.testing.assert_allclose(camera.project([[0.0, 0, 0]])[0], [600, 499], atol=1e-9)
    np.testing.assert_allclose(camera.project([[0.0, 10, 0]])[0], [600, 479], atol=1e-9)
    np.testing.assert_allclose(camera.project([[0.0, 0, 10]])[0], [580, 499], atol=1e-9)


def test_mayacam1_and_mayacam2_of_one_camera_agree(tmp_path, camera):
    """Rotation angles solved for from Rz·Ry·Rx, so that an order mistaken on reading shows."""
    axes = camera.camera_from_world[:3, :3].T @ np.diag([1.0, -1.0, -1.0])
    angles = np.degrees(
        [np.arctan2(axes[2, 1], axes[2, 2]), -np.arcsin(axes[2, 0]), np.arctan2(axes[1, 0], axes[0, 0])]
    )
    u, v = camera.intrinsic[0, 2] + 1, SIZE[0] - camera.intrinsic[1, 2]
    rows = [camera.source, angles, [0, 0, 0], [u, v, -5200.0], [0.1, SIZE[1], SIZE[0]]]
    read = read_camera(written(tmp_path, matrix_text(np.array(rows, dtype=float))), size=SIZE)
    np.testing.assert_allclose(read.camera.project(POINTS), camera.project(POINTS), atol=1e-8)


def test_mayacam1_without_a_size_takes_the_image_s(tmp_path):
    path = written(tmp_path, "1000,0,0\n0,90,0\n0,0,0\n601,401,-2000\n0.1,0,0\n")
    with pytest.raises(InputError, match="no image size"):
        read_camera(path)
    assert read_camera(path, size=SIZE).camera.size == SIZE


@pytest.fixture
def deepfluoro(tmp_path) -> Path:
    """A file laid out as the data set documents: camera frame with z toward the source, LPS millimetres."""
    path = tmp_path / "full_res.h5"
    rng = np.random.default_rng(3)
    K = np.array([[-5257.0, 0, 30.0], [0, -5257.0, 20.0], [0, 0, 1]])
    extrinsic = rigid.rigid(rigid.rotation_exp([0.0, 0.2, 0.1]), [1.0, 2.0, -800.0])
    cam_to_volume = rigid.exp([0.3, -0.8, 1.2, 40.0, -700.0, 90.0])
    volume_points = rigid.transform_points(cam_to_volume, [[2.0, 1.0, 0.5], [-1.0, 0.5, -30.0]])
    with h5py.File(path, "w") as file:
        group = file.create_group("proj-params")
        group["intrinsic"], group["extrinsic"] = K.astype(np.float32), extrinsic.astype(np.float32)
        group["num-rows"], group["num-cols"] = 48, 64
        group["pixel-row-spacing"], group["pixel-col-spacing"] = 0.194, 0.194
        view = file.create_group("17-1882/projections/000")
        view["image/pixels"] = rng.uniform(1, 2, (48, 64)).astype(np.float32)
        view["gt-poses/cam-to-pelvis-vol"] = cam_to_volume
        for name, point in zip(("FH-l", "FH-r"), volume_points, strict=True):
            camera_point = K @ rigid.transform_points(extrinsic @ rigid.inverse(cam_to_volume), [point])[0]
            view[f"gt-landmarks/{name}"] = (camera_point[:2] / camera_point[2])[:, None]
            file[f"17-1882/vol-landmarks/{name}"] = point[:, None]
    return path


def test_deepfluoro_landmarks_of_the_ct_project_onto_those_of_the_image(deepfluoro):
    found = read_deepfluoro(deepfluoro, "17-1882", 0)
    assert found.camera.intrinsic[0, 2] == pytest.approx(63 - 30)
    assert found.camera.source_detector_distance == pytest.approx(5257 * 0.194)
    for name, pixel in found.image_landmarks.items():
        world = rigid.transform_points(found.world_from_ct, [found.ct_landmarks[name]])
        np.testing.assert_allclose(found.camera.project(world)[0], pixel, atol=1e-3)
    with h5py.File(deepfluoro) as file:
        np.testing.assert_array_equal(found.intensity[:, ::-1], file["17-1882/projections/000/image/pixels"][()])
        assert found.image_landmarks["FH-l"][0] == 63 - file["17-1882/projections/000/gt-landmarks/FH-l"][0, 0]
        np.testing.assert_array_equal(
            found.ct_landmarks["FH-l"] * [-1, -1, 1], file["17-1882/vol-landmarks/FH-l"][:, 0]
        )
    assert any("mirrored" in line.value for line in found.provenance)


def test_deepfluoro_file_is_a_camera_file_too(deepfluoro):
    camera = read_camera(deepfluoro, size=(48, 64)).camera
    np.testing.assert_array_equal(camera.intrinsic, read_deepfluoro(deepfluoro, "17-1882", 0).camera.intrinsic)
    with pytest.raises(InputError, match="48 rows × 64 columns"):
        read_camera(deepfluoro, size=(64, 48))


def test_deepfluoro_says_what_there_is_to_choose_from(deepfluoro):
    with pytest.raises(InputError, match="Choose one of: 17-1882"):
        read_deepfluoro(deepfluoro, "18-0000", 0)
    with pytest.raises(InputError, match="Choose 0 to 0"):
        read_deepfluoro(deepfluoro, "17-1882", 7)


def test_unknown_and_empty_files_name_what_is_supported(tmp_path):
    for text in ("", "\n \n", "1 2 3\n4 5 6\n", '{"a": 1}', "a letter to a friend"):
        with pytest.raises(InputError, match="MayaCam 1 and MayaCam 2"):
            read_camera(written(tmp_path, text))
    (tmp_path / "picture").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    with pytest.raises(InputError, match="3×4 projection matrix"):
        read_camera(tmp_path / "picture")
    with pytest.raises(InputError, match="cannot be read"):
        read_camera(tmp_path / "nothing.txt")


def test_another_image_size_names_both(tmp_path, camera):
    with pytest.raises(InputError, match=r"900 rows × 1200 columns.*1200 rows × 900 columns"):
        read_camera(written(tmp_path, mayacam2_text(camera)), size=(1200, 900))
    with pytest.raises(InputError, match="image's size"):
        read_camera(written(tmp_path, matrix_text(camera.projection_matrix)))


def test_a_value_that_is_no_number_is_named_with_its_line(tmp_path, camera):
    lines = mayacam2_text(camera).splitlines()
    lines[5] = "0,zwölf,431"
    with pytest.raises(InputError, match="line 6: “zwölf” is not a number"):
        read_camera(written(tmp_path, "\n".join(lines)))
    with pytest.raises(InputError, match="line 2: “x” is not a number"):
        read_camera(written(tmp_path, "1 2 3 4\n5 x 7 8\n9 1 2 3\n"), size=SIZE)


def test_missing_fields_are_named(tmp_path, camera):
    text = mayacam2_text(camera)
    with pytest.raises(InputError, match="lacks: translation"):
        read_camera(written(tmp_path, text[: text.index("translation")]))
    with pytest.raises(InputError, match="“rotation” has 2 rows, expected 3"):
        read_camera(written(tmp_path, text.replace("rotation\n" + matrix_text(POSE[:1, :3]), "rotation\n")))
    write_camera(tmp_path / "camera.json", camera)
    content = json.loads((tmp_path / "camera.json").read_text())
    del content["intrinsic_px"]
    with pytest.raises(InputError, match="“intrinsic_px” is missing"):
        read_camera(written(tmp_path, json.dumps(content)))


def test_a_rotation_that_is_none_is_refused_with_how_far_it_is_off(tmp_path, camera):
    text = mayacam2_text(camera)
    R = matrix_text(POSE[:3, :3])
    with pytest.raises(InputError, match=r"off the identity by 0\.0201"):
        read_camera(written(tmp_path, text.replace(R, matrix_text(1.01 * POSE[:3, :3]))))
    with pytest.raises(InputError, match="mirrors"):
        read_camera(written(tmp_path, text.replace(R, matrix_text(POSE[:3, :3] * [1, 1, -1]))))


def test_a_newer_file_is_not_guessed_at(tmp_path, camera):
    write_camera(tmp_path / "camera.json", camera)
    content = json.loads((tmp_path / "camera.json").read_text())
    content["version"] = 2
    with pytest.raises(InputError, match="version 2, expected 1"):
        read_camera(written(tmp_path, json.dumps(content)))
