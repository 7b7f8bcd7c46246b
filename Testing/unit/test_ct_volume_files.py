"""NRRD, NIfTI and MetaImage volumes and their label maps, with every grid that files may hold."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.lps import ras_from_index
from DiffRegistrationLib.xray.files.volume_file import lps_from_voxel_of
from synthetic_ct import cut, ramp, voxel_places

SIZE = (9, 7, 6)
PLAIN = np.eye(3)
ROTATION = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
FLIPPED = np.diag([-1.0, 1.0, -1.0])
LEFT_HANDED = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]) @ np.diag([1.0, 1.0, -1.0])


def image_of(values: np.ndarray, direction: np.ndarray = PLAIN, origin=(-9.0, -20.0, 2.0)) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing((2.0, 3.0, 4.0))
    image.SetOrigin(origin)
    image.SetDirection(np.asarray(direction, float).flatten().tolist())
    return image


def ramp_image(direction: np.ndarray = PLAIN) -> SimpleITK.Image:
    """The ramp on a grid of SIZE."""
    empty = image_of(np.zeros(SIZE[::-1], np.int16), direction)
    return image_of(ramp(voxel_places(lps_from_voxel_of(empty), SIZE)).astype(np.int16), direction)


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd"])
@pytest.mark.parametrize(
    "direction", [np.eye(3), ROTATION, FLIPPED, LEFT_HANDED], ids=["plain", "turned", "flipped", "left"]
)
def test_every_format_and_orientation_lands_in_ras(tmp_path: Path, suffix: str, direction: np.ndarray) -> None:
    path = tmp_path / "große Köpfe" / f"ct{suffix}"
    path.parent.mkdir()
    SimpleITK.WriteImage(ramp_image(direction), str(path))
    ct = read_ct(path)
    assert ct.size == SIZE
    places = voxel_places(ras_from_index(ct.ct_from_voxel), SIZE)
    np.testing.assert_allclose(ct.attenuation, attenuation_from_hounsfield(np.round(ramp(places))), atol=2.5e-5)
    # The first voxel lies at LPS (−9, −20, 2), so at RAS (9, 20, 2).
    np.testing.assert_allclose(ct.ct_from_voxel[:3, 3], [9, 20, 2], atol=1e-4)
    assert not any(line.assumed for line in ct.provenance)


@pytest.mark.parametrize("upside", [1, -1])
def test_a_sheared_volume_is_straightened(tmp_path: Path, upside: int) -> None:
    sheared = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, upside * 0.3], [0.0, 0.0, upside * np.sqrt(1 - 0.09)]])
    SimpleITK.WriteImage(ramp_image(sheared), str(tmp_path / "ct.nrrd"))
    ct = read_ct(tmp_path / "ct.nrrd")
    places = voxel_places(ras_from_index(ct.ct_from_voxel), ct.size)
    down = places[..., 1] + 20 - (places[..., 2] - 2) * 0.3 / np.sqrt(1 - 0.09)
    covered = (down > -1e-6) & (down < 6 * 3 + 1e-6)
    assert covered.sum() >= 9 * 6 * 6
    expected = attenuation_from_hounsfield(ramp(places))
    np.testing.assert_allclose(ct.attenuation[covered], expected[covered], atol=2.5e-5)
    assert any(line.quantity == "grid" for line in ct.provenance)


def _with(value: float, where) -> np.ndarray:
    values = np.random.default_rng(3).normal(-400, 200, (12, 12, 12)).clip(-1000, 900).astype(np.float32)
    values[where] = value
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (_with(np.nan, (3, 4, slice(5))), "5 of 1728 voxels are NaN or infinite"),
        (_with(np.inf, (3, 4, 5)), "1 of 1728 voxels are NaN or infinite"),
        (np.full((6, 6, 6), -1000.0), "every voxel is -1000"),
        (_with(0, (0, 0, 0)) + 1024, r"cannot be Hounsfield units.*subtract 1024"),
        (_with(0, (0, 0, 0)) * 1e4, "cannot be Hounsfield units"),
        (_with(0, (0, 0, 0)).clip(-200), r"air \(about −1000 HU\) is missing.*clipped at -200.*without a window"),
        (_with(0, np.s_[:, :2]) * 0 + np.pad(_with(0, (1, 1, 1))[2:-2, 2:-2, 2:-2], 2), "corners hold exactly 0 HU"),
    ],
    ids=["nan", "infinite", "constant", "offset", "huge", "clipped", "zero background"],
)
def test_values_that_are_no_ct_are_refused(tmp_path: Path, values: np.ndarray, message: str) -> None:
    SimpleITK.WriteImage(image_of(values.astype(np.float32)), str(tmp_path / "ct.nrrd"))
    with pytest.raises(InputError, match=message):
        read_ct(tmp_path / "ct.nrrd")


def test_a_ct_clipped_at_minus_1000_is_read(tmp_path: Path) -> None:
    SimpleITK.WriteImage(image_of(_with(-1000, np.s_[:, :4])), str(tmp_path / "ct.nrrd"))
    assert (read_ct(tmp_path / "ct.nrrd").attenuation[:, :4] == 0).all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (SimpleITK.Image([5, 5, 5], SimpleITK.sitkVectorUInt8, 3), "each voxel holds 3 values"),
        (SimpleITK.Image([5, 5, 5, 4], SimpleITK.sitkInt16), r"4 dimensions \(5 × 5 × 5 × 4\)"),
        (SimpleITK.Image([5, 5], SimpleITK.sitkInt16), "one slice"),
        (SimpleITK.Image([5, 5, 1], SimpleITK.sitkInt16), "one slice"),
    ],
    ids=["colour", "time series", "plane", "one slice"],
)
def test_images_of_other_kinds_are_refused(tmp_path: Path, image: SimpleITK.Image, message: str) -> None:
    SimpleITK.WriteImage(image, str(tmp_path / "ct.nrrd"))
    with pytest.raises(InputError, match=message):
        read_ct(tmp_path / "ct.nrrd")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("ct.nrrd", "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 4\nencoding: raw\nendian: little\n\n"),
        (
            "ct.mha",
            "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_SHORT\nElementDataFile = LOCAL\n",
        ),
    ],
)
def test_a_header_without_voxel_size_is_refused(tmp_path: Path, name: str, header: str) -> None:
    (tmp_path / name).write_bytes(header.encode() + np.arange(-1000, 1000, 31, dtype="<i2")[:64].tobytes())
    with pytest.raises(InputError, match="no voxel size"):
        read_ct(tmp_path / name)


@pytest.mark.parametrize(
    ("offset", "numbers", "message"),
    [
        (80, (0.0, 0.0, 0.0), "no voxel size"),
        (80, (2.0, 3.0, 5.0), "contradicts itself: voxels of 2 × 3 × 4 mm by sform, 2 × 3 × 5 mm by pixdim"),
        (304, (1.2,), "its grid is sheared"),
    ],
    ids=["no size", "two sizes", "sheared"],
)
def test_a_nifti_header_that_cannot_be_trusted_is_refused(tmp_path: Path, offset: int, numbers, message: str) -> None:
    SimpleITK.WriteImage(ramp_image(), str(tmp_path / "ct.nii"))
    content = bytearray((tmp_path / "ct.nii").read_bytes())
    struct.pack_into(f"<{len(numbers)}f", content, offset, *numbers)
    (tmp_path / "ct.nii").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_ct(tmp_path / "ct.nii")


def test_an_orientation_that_no_header_gives_is_marked_as_assumed(tmp_path: Path) -> None:
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 4\nspacings: 1 2 3\nencoding: raw\nendian: little\n\n"
    (tmp_path / "ct.nrrd").write_bytes(header.encode() + np.arange(-1000, 1000, 31, dtype="<i2")[:64].tobytes())
    (line,) = [line for line in read_ct(tmp_path / "ct.nrrd").provenance if line.assumed]
    assert line.quantity == "orientation"


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.nii", "ct.nii.gz", "ct.mha", "ct.mhd"])
def test_a_volume_cut_short_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    SimpleITK.WriteImage(image_of(_with(-1000, (0, 0, 0))), str(path))
    cut(tmp_path / "ct.raw" if name == "ct.mhd" else path, 0.9)
    with pytest.raises(InputError, match="cut short"):
        read_ct(path)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a CT")
    (tmp_path / "notes.nrrd").write_text("not a CT")
    with pytest.raises(InputError, match="no CT that can be read"):
        read_ct(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="not what its name says"):
        read_ct(tmp_path / "notes.nrrd")
    with pytest.raises(InputError, match="no such file"):
        read_ct(tmp_path / "absent.nrrd")
    with pytest.raises(InputError, match="is one file"):
        read_ct(tmp_path / "notes.nrrd", series="3")


def test_labels_follow_space_not_index(tmp_path: Path) -> None:
    SimpleITK.WriteImage(ramp_image(), str(tmp_path / "ct.nrrd"))
    ct_image = ramp_image()
    # A finer, flipped and larger grid: one voxel of label 7 around the centre of the CT's voxel (3, 4, 5).
    place = np.array(ct_image.TransformIndexToPhysicalPoint((3, 4, 5)))
    values = np.zeros((30, 40, 50), np.uint8)
    values[14:17, 19:22, 9:12] = 7
    labels = SimpleITK.GetImageFromArray(values)
    labels.SetSpacing((0.5, 0.5, 0.5))
    labels.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    labels.SetOrigin((place + np.array([5.0, 10.0, -7.5])).tolist())
    SimpleITK.WriteImage(labels, str(tmp_path / "labels.nii.gz"))
    ct = read_ct(tmp_path / "ct.nrrd", labels=tmp_path / "labels.nii.gz")
    assert ct.labels is not None
    assert np.argwhere(ct.labels).tolist() == [[5, 4, 3]]
    assert ct.labels[5, 4, 3] == 7
    assert any(line.quantity == "labels" and line.value == "7" for line in ct.provenance)


@pytest.mark.parametrize(
    ("values", "origin", "message"),
    [
        (np.full((4, 4, 4), 2, np.uint8), (500.0, 0.0, 0.0), "none of its structures lies inside the CT"),
        (np.full((4, 4, 4), 1.5, np.float32), (-9.0, -20.0, 2.0), "not whole numbers"),
        (np.zeros((4, 4, 4), np.uint8), (-9.0, -20.0, 2.0), "no voxel carries a label"),
    ],
    ids=["elsewhere", "fractions", "empty"],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, values: np.ndarray, origin, message: str) -> None:
    SimpleITK.WriteImage(ramp_image(), str(tmp_path / "ct.nrrd"))
    SimpleITK.WriteImage(image_of(values, origin=origin), str(tmp_path / "labels.nrrd"))
    with pytest.raises(InputError, match=message):
        read_ct(tmp_path / "ct.nrrd", labels=tmp_path / "labels.nrrd")


def test_labels_on_a_left_handed_ct(tmp_path: Path) -> None:
    SimpleITK.WriteImage(ramp_image(LEFT_HANDED), str(tmp_path / "ct.nrrd"))
    values = np.zeros(SIZE[::-1], np.uint8)
    values[1, 2, 3] = 4
    SimpleITK.WriteImage(image_of(values, LEFT_HANDED), str(tmp_path / "labels.nrrd"))
    ct = read_ct(tmp_path / "ct.nrrd", labels=tmp_path / "labels.nrrd")
    assert ct.labels is not None
    assert np.argwhere(ct.labels).tolist() == [[1, 2, 3]]
