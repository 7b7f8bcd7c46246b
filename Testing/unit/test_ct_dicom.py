"""A DICOM series becomes a CT in the right place with the right values, or an error that says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import frame_of_reference, read_ct
from DiffRegistrationLib.xray.files.lps import ras_from_index
from pydicom.uid import RLELossless
from synthetic_ct import PATIENT, cut, ramp, voxel_places, write_series

STRAIGHT = np.array([[-20.0, -24.0, 5.0 + 4.0 * k] for k in range(6)])
TILT = np.radians(18.5)
TILTED_COLUMN = (0.0, np.cos(TILT), -np.sin(TILT))


def assert_is_ramp(ct: CT, covered: np.ndarray | None = None) -> None:
    """Each covered voxel holds the ramp's value at its own place (to 1 HU: DICOM rounds)."""
    places = voxel_places(ras_from_index(ct.ct_from_voxel), ct.size)
    expected = ramp(places)
    covered = np.ones(expected.shape, bool) if covered is None else covered
    difference = (ct.attenuation - attenuation_from_hounsfield(expected))[covered]
    assert np.abs(difference).max() < 1.1 * 1.1e-3 * 0.0192


def test_slices_are_ordered_by_place_not_by_name(tmp_path: Path) -> None:
    shuffled = STRAIGHT[[3, 0, 5, 1, 4, 2]]
    write_series(tmp_path / "CT Schädel übung", shuffled)
    ct = read_ct(tmp_path)
    assert ct.size == (20, 16, 6)
    np.testing.assert_allclose(ct.voxel_size, [2, 3, 4])
    np.testing.assert_allclose(ct.ct_from_voxel[:3, 3], [20, 24, 5])
    assert_is_ramp(ct)


def test_oblique_slices_keep_their_place(tmp_path: Path) -> None:
    row = np.array([0.6, 0.0, -0.8])
    column = np.array([0.0, -1.0, 0.0])
    normal = np.cross(row, column)
    write_series(tmp_path, [np.array([3.0, 20.0, 9.0]) + 2.5 * k * normal for k in range(5)], row, column)
    assert_is_ramp(read_ct(tmp_path))


@pytest.mark.parametrize("sign", [1, -1])
def test_gantry_tilt_is_straightened(tmp_path: Path, sign: int) -> None:
    column = (0.0, np.cos(TILT), -sign * np.sin(TILT))
    positions = np.array([[-20.0, -24.0, 5.0 + 4.0 * k] for k in range(12)])
    write_series(tmp_path, positions, column_axis=column)
    ct = read_ct(tmp_path)
    direction = ct.ct_from_voxel[:3, :3] / ct.voxel_size
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(ct.voxel_size, [2, 3, 4 * np.cos(TILT)], rtol=1e-5)

    places = voxel_places(ras_from_index(ct.ct_from_voxel), ct.size)
    down = (places - positions[0]) @ column - (np.arange(12) * -4.0 * sign * np.sin(TILT))[:, None, None]
    covered = (down >= 0) & (down <= 15 * 3)
    assert covered.sum() > 12 * 20 * 14
    assert_is_ramp(ct, covered)
    assert (ct.attenuation[(down < -3) | (down > 16 * 3)] == 0).all()
    assert any("18.5°" in str(line) and line.quantity == "grid" for line in ct.provenance)


def test_uneven_spacing_becomes_even(tmp_path: Path) -> None:
    heights = np.concatenate([np.arange(6) * 3.0, 15 + 2.0 + np.arange(5) * 6.0])
    write_series(tmp_path, [[-20.0, -24.0, 5.0 + height] for height in heights])
    ct = read_ct(tmp_path)
    assert ct.voxel_size[2] == pytest.approx(41 / 20)
    assert ct.ct_from_voxel[2, 3] + ct.voxel_size[2] * (ct.size[2] - 1) == pytest.approx(5 + heights[-1])
    assert_is_ramp(ct)
    assert any("unevenly spaced, 2.00 to 6.00 mm" in str(line) for line in ct.provenance)


def test_tilted_and_uneven_at_once(tmp_path: Path) -> None:
    heights = np.concatenate([np.arange(6) * 3.0, 15 + 6.0 * np.arange(1, 6)])
    positions = np.array([[-20.0, -24.0, 5.0 + height] for height in heights])
    write_series(tmp_path, positions, column_axis=TILTED_COLUMN)
    ct = read_ct(tmp_path)
    places = voxel_places(ras_from_index(ct.ct_from_voxel), ct.size)
    down = (places - positions[0]) @ TILTED_COLUMN
    inside = (down > 0) & (down < 15 * 3 - 45 * np.sin(TILT))
    assert inside.sum() > 1000
    assert_is_ramp(ct, inside)


def test_rounded_positions_are_not_resampled(tmp_path: Path) -> None:
    positions = STRAIGHT + [[0, 0, 0.02 * (-1) ** k] for k in range(6)]
    write_series(tmp_path, positions)
    assert not any(line.quantity == "grid" for line in read_ct(tmp_path).provenance)


def test_slope_intercept_and_padding(tmp_path: Path) -> None:
    def change(dataset, k: int) -> None:
        stored = (np.frombuffer(dataset.PixelData, "<u2").astype(int) - 2048) * 2 + 1000
        stored[:20] = 30000
        dataset.PixelData = stored.astype("<i2").tobytes()
        dataset.PixelRepresentation = 1
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", "-500"
        dataset.PixelPaddingValue = 30000

    write_series(tmp_path, STRAIGHT, change=change)
    ct = read_ct(tmp_path)
    assert (ct.attenuation[:, 0] == 0).all()
    covered = np.ones(ct.attenuation.shape, bool)
    covered[:, 0] = False
    assert_is_ramp(ct, covered)
    assert "0.5 × stored -500" in "\n".join(map(str, ct.provenance))


def test_compressed_slices_are_read(tmp_path: Path) -> None:
    write_series(tmp_path, STRAIGHT, change=lambda dataset, k: dataset.compress(RLELossless))
    assert_is_ramp(read_ct(tmp_path))


def _localizer(dataset, k: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def test_one_of_several_series_must_be_chosen(tmp_path: Path) -> None:
    write_series(tmp_path / "scout", STRAIGHT[:1], number=1, change=_localizer)
    write_series(tmp_path / "soft", STRAIGHT, number=7)
    write_series(tmp_path / "bone", STRAIGHT[:4], number=9)
    with pytest.raises(
        InputError, match=r"(?s)2 CT series.*--series 7.*series 7: CT, 6 slices, 20 × 16, kernel H31s"
    ) as caught:
        read_ct(tmp_path)
    assert "series 1:" not in str(caught.value)
    assert read_ct(tmp_path, series="7").size == (20, 16, 6)
    assert read_ct(tmp_path, series="#2").size == (20, 16, 4)
    assert read_ct(tmp_path, series="1").size == (20, 16, 6)
    with pytest.raises(InputError, match="no CT series"):
        read_ct(tmp_path, series="8")


def test_series_that_share_a_number_are_chosen_by_place(tmp_path: Path) -> None:
    write_series(tmp_path / "a", STRAIGHT, number=7)
    write_series(tmp_path / "b", STRAIGHT[:4], number=7, change=lambda d, k: setattr(d, "SeriesInstanceUID", "1.2.3"))
    with pytest.raises(InputError, match="several CT series"):
        read_ct(tmp_path, series="7")
    assert read_ct(tmp_path, series="#2").size == (20, 16, 4)


def test_a_scout_and_its_ct_share_their_frame(tmp_path: Path) -> None:
    (scout,) = write_series(tmp_path / "scout", STRAIGHT[:1], number=1, change=_localizer)
    write_series(tmp_path / "ct", STRAIGHT)
    write_series(tmp_path / "other", STRAIGHT, change=lambda d, k: setattr(d, "FrameOfReferenceUID", "1.2.3"))
    assert frame_of_reference(scout) == frame_of_reference(tmp_path / "ct") is not None
    assert frame_of_reference(tmp_path / "other") != frame_of_reference(scout)
    (tmp_path / "x.nrrd").write_text("")
    assert frame_of_reference(tmp_path / "x.nrrd") is None


def _set(**tags):
    def change(dataset, k: int) -> None:
        for tag, value in tags.items():
            if value is None:
                delattr(dataset, tag)
            else:
                setattr(dataset, tag, value)

    return change


def _in_third(**tags):
    return lambda dataset, k: _set(**tags)(dataset, k) if k == 2 else None


@pytest.mark.parametrize(
    ("positions", "change", "message"),
    [
        (STRAIGHT[[0, 1, 3, 4, 5]], _set(), r"slices are missing between z = 9\.00 and 17\.00 mm"),
        (STRAIGHT[[0, 1, 1, 2]], _set(), r"1 of 4 slices lie where another one lies \(first at z = 9\.00 mm\)"),
        (STRAIGHT[:1], _set(), "one slice"),
        (STRAIGHT, _in_third(PixelSpacing=["2", "2"]), r"slice002.*another pixel spacing"),
        (STRAIGHT, _in_third(ImageOrientationPatient=[0, 1, 0, 1, 0, 0]), r"slice002.*another orientation"),
        (STRAIGHT, _in_third(Rows=8, PixelData=bytes(320)), r"slice002.*another size"),
        (STRAIGHT, _in_third(ImagePositionPatient=None), r"slice002.*ImagePositionPatient is absent"),
        (STRAIGHT, _set(PixelSpacing=["0", "0"]), "PixelSpacing is 0 × 0 mm"),
        (STRAIGHT, _set(PixelSpacing=None), "PixelSpacing is absent"),
        (STRAIGHT, _set(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "not two unit vectors at right angles"),
        (STRAIGHT, _set(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), "no CT series; found 6 × MR"),
        (STRAIGHT, _localizer, "found 6 × CT localizer.*give it as the X-ray"),
        (STRAIGHT, _set(RescaleType="Z_EFF"), "RescaleType is Z_EFF"),
        (STRAIGHT, _set(RescaleIntercept=None), "cannot be Hounsfield units.*rescale slope and intercept"),
    ],
)
def test_a_series_that_cannot_be_used_says_why(tmp_path: Path, positions, change, message: str) -> None:
    write_series(tmp_path, positions, change=change)
    with pytest.raises(InputError, match=message) as caught:
        read_ct(tmp_path)
    assert_keeps_secrets(str(caught.value))


def assert_keeps_secrets(text: str) -> None:
    for secret in (PATIENT, "Unmistakable", "4711", "1958", "1.2.826"):
        assert secret not in text


@pytest.mark.parametrize(
    ("share", "message"), [(0.9, "pixels cannot be decoded"), (0.25, "header cannot be read|absent|holds no")]
)
def test_a_file_cut_short_is_named(tmp_path: Path, share: float, message: str) -> None:
    cut(write_series(tmp_path, STRAIGHT)[3], share)
    with pytest.raises(InputError, match=f"slice003.*({message})"):
        read_ct(tmp_path)


def test_a_single_file_is_refused_with_what_it_is(tmp_path: Path) -> None:
    first, *_ = write_series(tmp_path / "ct", STRAIGHT)
    with pytest.raises(InputError, match=r"one slice of a CT.*holds all slices: .*ct$"):
        read_ct(first)
    (scout,) = write_series(tmp_path / "scout", STRAIGHT[:1], change=_localizer)
    with pytest.raises(InputError, match="localizer"):
        read_ct(scout)
    (mr,) = write_series(tmp_path / "mr", STRAIGHT[:1], change=_set(Modality="MR"))
    with pytest.raises(InputError, match="modality is MR, expected CT"):
        read_ct(mr)


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(InputError, match=r"holds no DICOM file \(1 files looked at\)"):
        read_ct(tmp_path)


def test_provenance_names_tags_and_no_patient(tmp_path: Path) -> None:
    write_series(tmp_path, STRAIGHT)
    text = "\n".join(map(str, read_ct(tmp_path).provenance))
    assert "PixelSpacing" in text and "ImagePositionPatient" in text and "RescaleSlope" in text
    assert_keeps_secrets(text)
