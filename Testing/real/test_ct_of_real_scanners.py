"""CTs as real scanners wrote them: an even one, one with gantry tilt, one unevenly spaced, one clipped."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files import sample_data
from DiffRegistrationLib.xray.files.ct_files import frame_of_reference, read_ct
from DiffRegistrationLib.xray.files.describe import describe
from DiffRegistrationLib.xray.files.sample_data import sample, unpack
from DiffRegistrationLib.xray.geometry import rigid
from scipy.ndimage import map_coordinates

pytestmark = pytest.mark.real


@pytest.fixture(scope="session")
def unpacked(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the packed series: `straight`, `tilted` and `uneven`."""
    folder = tmp_path_factory.mktemp("series")
    unpack(real_data / "skull_phantom" / "ct_soft_kernel_dicom.tar.xz", folder / "straight")
    unpack(real_data / "skull_phantom" / "ct_gantry_tilt_dicom.tar.xz", folder / "tilted")
    unpack(real_data / "uneven_head" / "ct_dicom.tar.xz", folder / "uneven")
    return folder


def sampled(ct: CT, points: np.ndarray) -> np.ndarray:
    """µ of a CT at RAS points (n, 3), NaN outside."""
    index = rigid.transform_points(np.linalg.inv(ct.ct_from_voxel), points)
    return map_coordinates(ct.attenuation, index[:, ::-1].T, order=1, cval=np.nan)


def test_the_even_scan_is_read_as_the_scanner_says(unpacked: Path) -> None:
    read_ct(unpacked / "straight")
    start = time.perf_counter()
    ct = read_ct(unpacked / "straight")
    # About 0.6 s on two idle cores; the limit leaves room for a busy machine.
    assert time.perf_counter() - start < 3
    assert ct.size == (512, 512, 140)
    np.testing.assert_allclose(ct.voxel_size, [0.451171875, 0.451171875, 1.0])
    np.testing.assert_allclose(ct.ct_from_voxel[:3, 3], [115.5, 1.85, 694.21])
    assert not any(line.assumed or line.quantity == "grid" for line in ct.provenance)


def test_the_tilted_scan_lies_where_the_straight_one_does(unpacked: Path) -> None:
    straight, tilted = read_ct(unpacked / "straight"), read_ct(unpacked / "tilted")
    assert any("18.5°" in line.origin for line in tilted.provenance)
    i, j, k = (np.arange(0, n, step) for n, step in zip(straight.size, (6, 6, 3), strict=True))
    index = np.stack(np.meshgrid(i, j, k, indexing="ij"), axis=-1).reshape(-1, 3)
    points = rigid.transform_points(straight.ct_from_voxel, index)

    def agreement(moved_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> float:
        values = sampled(tilted, points + moved_mm)
        inside = np.isfinite(values) & (values > 0)
        return float(np.corrcoef(values[inside], sampled(straight, points[inside]))[0, 1])

    # Unsheared the wrong way they correlate by 0.25, and not unsheared by 0.34.
    assert agreement() > 0.93
    for step in ((4, 0, 0), (-4, 0, 0), (0, 4, 0), (0, -4, 0), (0, 0, 4), (0, 0, -4)):
        assert agreement(step) < agreement() - 0.05


def test_the_uneven_scan_becomes_even(unpacked: Path) -> None:
    ct = read_ct(unpacked / "uneven")
    np.testing.assert_allclose(ct.voxel_size, [0.4882812, 0.4882812, 1.0833706], rtol=1e-5)
    text = "\n".join(map(str, ct.provenance))
    assert "tilt of 18.5° and unevenly spaced, 1.08 to 7.00 mm" in text
    assert "stored -1500 read as air" in text


def test_a_clipped_head_is_still_read(real_data: Path) -> None:
    ct = read_ct(real_data / "visible_human_head" / "ct.nrrd")
    assert ct.size == (250, 250, 234)
    np.testing.assert_allclose(
        ct.ct_from_voxel, np.diag([-1, -1, 1, 1]) + np.array([[0, 0, 0, 124.5]] * 2 + [[0] * 4] * 2)
    )


def test_the_scout_shares_the_frame_of_its_ct_and_is_no_ct(real_data: Path, unpacked: Path) -> None:
    scout = real_data / "skull_phantom" / "lateral_scout.dcm"
    assert frame_of_reference(scout) == frame_of_reference(unpacked / "straight") is not None
    assert frame_of_reference(scout) != frame_of_reference(unpacked / "uneven")
    with pytest.raises(InputError, match="localizer"):
        read_ct(scout)


def test_all_three_series_in_one_folder_must_be_told_apart(unpacked: Path) -> None:
    with pytest.raises(
        InputError, match=r"(?s)3 CT series.*series 2: .*28 slices.*series 201: .*54 .*series 202: .*140 "
    ):
        read_ct(unpacked)
    assert read_ct(unpacked, series="201").size == (512, 600, 54)


def test_real_xrays_are_described(real_data: Path) -> None:
    assert not describe(real_data / "skull_phantom" / "lateral_scout.dcm").missing
    cine = describe(real_data / "xray_dicom" / "xa_cine_jpeg_baseline.dcm")
    assert "96 frames" in cine.facts[0].value
    assert any(fact.quantity == "primary angle" for fact in cine.facts)
    assert "--sdd" in cine.missing[0] and "PositionerPrimaryAngle" not in cine.missing[0]
    assert describe(real_data / "wrist_biplane" / "xr_calib_wrist_cam01.txt").kind == "camera"


def test_samples_come_from_the_data_folder(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_data, "cache_folder", lambda: tmp_path)
    assert sample("visible-human-head") == real_data / "visible_human_head" / "ct.nrrd"
    assert frame_of_reference(sample("skull-phantom-scout")) == frame_of_reference(sample("skull-phantom-ct"))
    # The packed series holds exactly the files that a download would fetch.
    registered = sample_data.samples()["skull-phantom-ct"].files
    found = {path.name: path for path in sample("skull-phantom-ct").rglob("I*")}
    assert found.keys() == registered.keys()
    assert hashlib.sha256(found["I700"].read_bytes()).hexdigest() == registered["I700"]
