"""Pose files and images in space: ITK's convention pinned, writes that leave nothing behind."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write
from DiffRegistrationLib.xray.files.radiograph_files import write_image
from DiffRegistrationLib.xray.files.transform_files import read_pose, write_pose
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera

POSE = rigid.exp([0.4, -1.9, 0.3, 120.0, -330.0, 80.0])
CT_POINT = np.array([31.0, -42.0, 53.0])


def lps(point: np.ndarray) -> list[float]:
    return (np.asarray(point) * [-1, -1, 1]).tolist()


@pytest.mark.parametrize("name", ["pose.tfm", "pose.h5", "pose.json", "Pose für Bild 1.tfm"])
def test_poses_come_back_as_they_went(tmp_path, name):
    write_pose(tmp_path / name, POSE)
    np.testing.assert_allclose(read_pose(tmp_path / name), POSE, rtol=0, atol=1e-12)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["pose.tfm", "pose.h5"])
def test_itk_file_takes_points_of_the_world_back_to_the_ct(tmp_path, name):
    """3D Slicer inverts what it reads into "to parent", so this is the way round that moves the CT to its pose."""
    write_pose(tmp_path / name, POSE)
    stored = SimpleITK.ReadTransform(str(tmp_path / name))
    world_point = rigid.transform_points(POSE, [CT_POINT])[0]
    np.testing.assert_allclose(stored.TransformPoint(lps(world_point)), lps(CT_POINT), atol=1e-10)


def test_every_kind_of_rigid_itk_transform_is_read(tmp_path):
    euler = SimpleITK.Euler3DTransform([10.0, -20.0, 30.0], 0.3, -0.2, 0.9, [5.0, 6.0, -7.0])
    composite = SimpleITK.CompositeTransform([euler, SimpleITK.TranslationTransform(3, [1.0, 2.0, 3.0])])
    for i, transform in enumerate([euler, composite, SimpleITK.TranslationTransform(3, [1.0, 2.0, 3.0])]):
        path = tmp_path / f"{i}.tfm"
        SimpleITK.WriteTransform(transform, str(path))
        in_ct = transform.TransformPoint(lps(CT_POINT))
        world_point = rigid.transform_points(read_pose(path), [lps(in_ct)])[0]
        np.testing.assert_allclose(world_point, CT_POINT, atol=1e-9)


def test_transforms_that_are_not_rigid_are_refused(tmp_path):
    scaled = SimpleITK.AffineTransform(3)
    scaled.Scale(1.1)
    SimpleITK.WriteTransform(scaled, str(tmp_path / "scaled.tfm"))
    with pytest.raises(InputError, match=r"not rigid.*0\.21"):
        read_pose(tmp_path / "scaled.tfm")
    field = SimpleITK.DisplacementFieldTransform(SimpleITK.Image([3, 3, 3], SimpleITK.sitkVectorFloat64))
    SimpleITK.WriteTransform(field, str(tmp_path / "field.h5"))
    with pytest.raises(InputError, match="no linear transform"):
        read_pose(tmp_path / "field.h5")
    with pytest.raises(InputError, match="not rigid"):
        write_pose(tmp_path / "pose.json", np.diag([2.0, 2.0, 2.0, 1.0]))


@pytest.mark.parametrize(
    "content", ["", "hello", '{"format": "other"}', "{", '{"format": "fluoro registration pose", "version": 1}']
)
def test_files_without_a_pose_are_refused(tmp_path, content):
    path = tmp_path / "pose.tfm"
    path.write_text(content)
    with pytest.raises(InputError, match=str(path)):
        read_pose(path)


def test_unknown_suffix_and_places_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"Use \.tfm or \.h5"):
        write_pose(tmp_path / "pose.txt", POSE)
    with pytest.raises(InputError, match="cannot be written"):
        write_pose(tmp_path / "nowhere" / "pose.tfm", POSE)
    (tmp_path / "pose.tfm").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_pose(tmp_path / "pose.tfm", POSE)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Rights are simulated, since an administrator may write anywhere.
    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        write_pose(tmp_path / "pose.h5", POSE)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), atomic_write(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path and temporary.suffix == ".json"
        raise RuntimeError("half way")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


CAMERAS = [
    c_arm_camera(
        source_detector_distance=1020.0,
        source_object_distance=700.0,
        pixel_spacing=(0.5, 0.3),
        size=(60, 90),
        primary_angle_deg=30,
        secondary_angle_deg=-15,
        roll_deg=10,
        principal_point=(40.0, 35.0),
        isocentre=CT_POINT,
    ),
    PinholeCamera(np.array([[4000.0, 0, 40], [0, 4100.0, 35], [0, 0, 1]]), rigid.inverse(POSE), (60, 90)),
    ScanningSlitCamera(rigid.inverse(POSE), (60, 90), (0.9, 0.5), (40.0, 35.0), 570.0, 1040.0),
]


@pytest.mark.parametrize("camera", CAMERAS, ids=["c-arm", "no spacing", "slit"])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_pixel_of_a_written_image_lies_on_its_ray(tmp_path, camera, suffix):
    """An image with one bright pixel: its place in the file is on the ray through the 3D point that it shows."""
    column, row = 71, 13
    image = np.zeros((60, 90), dtype=np.float32)
    image[row, column] = 5.0
    write_image(tmp_path / f"drr{suffix}", image, camera)
    read = SimpleITK.ReadImage(str(tmp_path / f"drr{suffix}"))
    assert read.GetSize() == (90, 60, 1)
    assert read[column, row, 0] == 5.0
    assert np.linalg.det(np.reshape(read.GetDirection(), (3, 3))) == pytest.approx(1.0)
    place = np.array(lps(np.array(read.TransformIndexToPhysicalPoint([column, row, 0]))))
    shown = camera.back_project(np.array([[column, row]], dtype=float), 600.0)
    np.testing.assert_allclose(camera.project(shown)[0], [column, row], atol=1e-9)
    rays = camera.rays(camera.project(shown))
    ray = (rays.target - rays.source)[0]
    np.testing.assert_allclose(np.cross(place - rays.source[0], ray / np.linalg.norm(ray)), 0, atol=1e-6)


def test_a_c_arm_s_image_lies_on_its_detector(tmp_path):
    write_image(tmp_path / "drr.nrrd", np.zeros((60, 90), dtype=np.float32), CAMERAS[0])
    read = SimpleITK.ReadImage(str(tmp_path / "drr.nrrd"))
    np.testing.assert_allclose(read.GetSpacing(), [0.3, 0.5, 1.0], atol=1e-9)
    centre = np.array(lps(np.array(read.TransformContinuousIndexToPhysicalPoint([40.0, 35.0, 0.0]))))
    assert np.linalg.norm(centre - CAMERAS[0].source) == pytest.approx(1020.0, abs=1e-6)


def test_an_image_of_another_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match="differ in size"):
        write_image(tmp_path / "drr.nrrd", np.zeros((90, 60), dtype=np.float32), CAMERAS[0])
