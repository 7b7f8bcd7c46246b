"""xReg's camera files: laid out as it writes them, told apart by frame, mirrored where its images are."""

import sys

import h5py
import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.camera_files import read_camera
from DiffRegistrationLib.xray.files.camera_writing import write_camera_as
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid


def write_xreg_cam(group: h5py.Group, frame: str, K: np.ndarray, E: np.ndarray) -> None:
    """As WriteCamModelH5 of xReg does: strings of fixed length, coordinates in single precision."""
    group.attrs["xreg-type"] = np.bytes_("cam-model")
    group["num-rows"], group["num-cols"] = np.uint64(48), np.uint64(64)
    group["row-spacing"], group["col-spacing"] = np.float32(0.5), np.float32(0.25)
    group["cam-coord-frame-type"] = np.bytes_(frame)
    group["intrinsic"], group["extrinsic"] = K.astype(np.float32), E.astype(np.float32)


# Where xReg sees the point (10, −20, depth) of a camera frame with a source 500 mm off: from its CameraModel, by hand.
XREG = [
    ("origin-at-focal-pt-det-pos-z", (2000, 1000), 500.0, (2000 * 10 / 500 + 30, -1000 * 20 / 500 + 20), False),
    ("origin-at-focal-pt-det-neg-z", (-2000, -1000), -500.0, (2000 * 10 / 500 + 30, -1000 * 20 / 500 + 20), True),
    # On the detector: f = 2000·0.25 = 1000·0.5 = 500 mm, and the point lies 100 mm before it, 400 mm from the source.
    ("origin-on-det", (2000, 1000), 100.0, (2000 * 10 / 400 + 30, -1000 * 20 / 400 + 20), True),
]


@pytest.mark.parametrize(("frame", "focal", "depth", "pixel", "mirrored"), XREG)
def test_xreg_frames_are_told_apart_and_mirrored_images_named(tmp_path, frame, focal, depth, pixel, mirrored):
    K = np.array([[focal[0], 0, 30.0], [0, focal[1], 20.0], [0, 0, 1]])
    E = rigid.rigid(rigid.rotation_exp([0.3, -0.8, 1.2]), [40.0, -70.0, 90.0])
    with h5py.File(tmp_path / "cam.h5", "w") as file:
        write_xreg_cam(file, frame, K, E)
    read = read_camera(tmp_path / "cam.h5", size=(48, 64))
    lps = rigid.transform_points(rigid.inverse(E), [[10.0, -20.0, depth]])
    u = 63 - pixel[0] if mirrored else pixel[0]
    np.testing.assert_allclose(read.camera.project(lps * [-1, -1, 1])[0], [u, pixel[1]], atol=1e-3)
    assert read.camera.pixel_spacing == (0.5, 0.25)
    assert read.camera.source_detector_distance == pytest.approx(500)
    assert any("mirrored" in line.value for line in read.provenance) == mirrored
    # A nearer point appears larger: nothing is turned inside out.
    source = read.camera.source
    nearer = source + 0.5 * (lps[0] * [-1, -1, 1] - source)
    np.testing.assert_allclose(read.camera.project([nearer])[0], [u, pixel[1]], atol=1e-3)


def test_xreg_projections_with_different_cameras_must_be_chosen_among(tmp_path):
    K = np.array([[2000.0, 0, 30.0], [0, 1000.0, 20.0], [0, 0, 1]])
    poses = [rigid.rigid(np.eye(3), [0.0, 0, z]) for z in (500.0, 500.0, 600.0)]
    for name, chosen in (("same.h5", poses[:2]), ("different.h5", poses)):
        with h5py.File(tmp_path / name, "w") as file:
            file.attrs["xreg-type"] = np.bytes_("proj-data")
            file["num-projs"] = np.uint64(len(chosen))
            for number, pose in enumerate(chosen):
                group = file.create_group(f"proj-{number:03d}/cam")
                write_xreg_cam(group, "origin-at-focal-pt-det-pos-z", K, pose)
    assert read_camera(tmp_path / "same.h5").camera.source[2] == pytest.approx(-500)
    with pytest.raises(InputError, match="3 projections with different cameras"):
        read_camera(tmp_path / "different.h5")
    assert read_camera(tmp_path / "different.h5", projection=2).camera.source[2] == pytest.approx(-600)
    with pytest.raises(InputError, match="Choose 0 to 2"):
        read_camera(tmp_path / "different.h5", projection=3)


def test_broken_xreg_files_name_the_field(tmp_path, monkeypatch):
    K = np.array([[2000.0, 0, 30.0], [0, 1000.0, 20.0], [0, 0, 1]])
    changes: list[tuple[str, object, str]] = [
        ("intrinsic", np.eye(2), "“intrinsic” is not 3 × 3"),
        ("num-rows", np.uint64(0), "“num-rows” is 0"),
        ("row-spacing", np.float32(-1), "pixel spacing is -1"),
        ("cam-coord-frame-type", np.bytes_("origin-in-detector"), "“origin-in-detector” is unknown"),
        ("extrinsic", np.diag([1.0, 1, -1, 1]), "mirrors"),
        ("intrinsic", np.zeros((3, 3)), "are no camera"),
    ]
    for name, value, words in changes:
        with h5py.File(tmp_path / "cam.h5", "w") as file:
            write_xreg_cam(file, "origin-at-focal-pt-det-pos-z", K, np.eye(4))
            del file[name]
            file[name] = value
        with pytest.raises(InputError, match=words):
            read_camera(tmp_path / "cam.h5")
    with h5py.File(tmp_path / "cam.h5", "a") as file:
        del file["num-cols"]
    with pytest.raises(InputError, match="“num-cols” is missing"):
        read_camera(tmp_path / "cam.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="HDF5 without a camera"):
        read_camera(tmp_path / "other.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match="needs the package h5py"):
        read_camera(tmp_path / "cam.h5")
    with pytest.raises(InputError, match="needs the package h5py"):
        write_camera_as(tmp_path / "new.h5", PinholeCamera(K, np.eye(4), (48, 64), (0.5, 0.25)), "xreg")
