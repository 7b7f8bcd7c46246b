"""CTs that cannot be used as they are: each verb says what is wrong with which file and what to do, and stops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from DiffRegistrationLib.xray.attenuation import hounsfield_from_attenuation
from fluororeg_runs import head, refused, run, write_case
from synthetic_ct import cut, write_series

STRAIGHT = np.array([[-20.0, -24.0, 5.0 + 4.0 * k] for k in range(6)])


def check_refused(tmp_path: Path, ct: Path, *words: object) -> str:
    """`register`, `drr` and `info` all refuse the CT, in the same words."""
    case = write_case(tmp_path)
    message = refused(tmp_path, case.register(ct=ct), *words)
    assert refused(tmp_path, ("drr", ct, "--out", tmp_path / "drr.nrrd"), *words) == message
    return message


def check_info(ct: Path, *words: str) -> None:
    outcome = run("info", ct, "--json")
    assert outcome.code == 2
    (found,) = outcome.json["files"]
    assert found["file"] == str(ct)
    message = " ".join(found["error"].values())
    assert all(word in message for word in words), message


def volume(path: Path, hounsfield: np.ndarray, spacing: float = 4.0) -> Path:
    image = SimpleITK.GetImageFromArray(hounsfield, isVector=hounsfield.ndim == 4)
    image.SetSpacing([spacing] * image.GetDimension())
    SimpleITK.WriteImage(image, str(path))
    return path


def hounsfield() -> np.ndarray:
    return np.rint(hounsfield_from_attenuation(head().attenuation)).astype(np.float32)


def test_a_ct_that_is_not_there(tmp_path: Path) -> None:
    check_refused(tmp_path, tmp_path / "no.nrrd", tmp_path / "no.nrrd", "no such file or folder", "Check the path")
    check_info(tmp_path / "no.nrrd", "no.nrrd", "no such file")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("notes.txt", b"dear diary", "no CT that can be read"),
        ("notes.nrrd", b"dear diary", "not what its name says"),
        ("noise.nii.gz", bytes(range(256)), "not what its name says"),
        ("noise.dcm", bytes(range(256)), "no CT that can be read"),
        ("empty.nrrd", b"", "not what its name says"),
    ],
)
def test_a_ct_that_is_no_image(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    check_refused(tmp_path, tmp_path / name, name, problem)


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    check_refused(tmp_path, tmp_path / "scan", tmp_path / "scan", "no DICOM file", "Give a folder of DICOM slices")
    check_info(tmp_path / "scan", "no DICOM file")


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 0.99])
def test_a_slice_cut_short_anywhere(tmp_path: Path, share: float) -> None:
    bad = write_series(tmp_path / "scan", STRAIGHT)[3]
    cut(bad, share)
    message = check_refused(tmp_path, tmp_path / "scan")
    assert bad.name in message, message
    check_info(tmp_path / "scan", bad.name)


@pytest.mark.parametrize("name", ["head.nrrd", "head.mha", "head.nii", "head.nii.gz"])
def test_a_volume_file_cut_short(tmp_path: Path, name: str) -> None:
    (tmp_path / "cut").mkdir()
    path = volume(tmp_path / "cut" / name, hounsfield())
    cut(path, 0.6)
    check_refused(tmp_path, path, path, "cut short", "again")


def test_two_series_are_listed_and_one_can_be_chosen(tmp_path: Path) -> None:
    write_series(tmp_path / "scan" / "a", STRAIGHT, number=2)
    write_series(tmp_path / "scan" / "b", STRAIGHT, number=7)
    scan = tmp_path / "scan"
    check_refused(tmp_path, scan, scan, "2 CT series", "--series 2", "#1 series 2: CT, 6 slices", "#2 series 7")
    outcome = run("info", scan)
    assert outcome.code == 0
    assert "series 2: CT, 6 slices" in outcome.stdout and "--series" in outcome.stderr
    for chosen in ("7", "#2"):
        assert run("drr", scan, "--out", tmp_path / "drr.nrrd", "--size", 32, "--series", chosen).code == 0
    (tmp_path / "drr.nrrd").unlink()
    refused(tmp_path, ("drr", scan, "--out", tmp_path / "drr.nrrd", "--series", "5"), "--series 5", "#2 series 7")


def test_series_of_a_single_file(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    refused(tmp_path, case.register("--series", "3"), "--series 3", case.ct, "folder of DICOM files")


def localizer(dataset: object, k: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]  # type: ignore[attr-defined]


def test_a_localizer_is_no_ct(tmp_path: Path) -> None:
    (scout,) = write_series(tmp_path / "scout", STRAIGHT[:1], change=localizer)
    check_refused(tmp_path, scout, scout, "localizer", "Give it as the X-ray")
    check_refused(tmp_path, scout.parent, scout.parent, "1 × CT localizer", "give it as the X-ray")


def test_one_slice_is_no_ct(tmp_path: Path) -> None:
    slices = write_series(tmp_path / "scan", STRAIGHT)
    check_refused(tmp_path, slices[0], slices[0], "one slice of a CT", slices[0].parent)
    (lone,) = write_series(tmp_path / "lone", STRAIGHT[:1])
    check_refused(tmp_path, lone.parent, lone.parent, "one slice", "every slice")
    flat = volume(tmp_path / "flat.nrrd", hounsfield()[:1])
    check_refused(tmp_path, flat, flat, "one slice", "whole volume")


def spoilt(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[], np.ndarray]:
    return lambda: change(hounsfield())


def with_nan(hu: np.ndarray) -> np.ndarray:
    hu[10, 20, 30:33] = np.nan
    return hu


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (spoilt(with_nan), ("3 of", "NaN or infinite", "−1024")),
        (spoilt(lambda hu: np.full_like(hu, -1000)), ("every voxel is -1000", "Give the CT itself")),
        (spoilt(lambda hu: hu + 1000), ("run from 0 to", "cannot be Hounsfield units", "subtract 1024")),
        (spoilt(lambda hu: np.clip(hu, -200, 300)), ("clipped at -200", "grey halo", "without a window")),
        (
            spoilt(lambda hu: np.where(hu < -900, 0, hu - 800)),
            ("corners hold exactly 0 HU", "−1024 as the background"),
        ),
    ],
    ids=["NaN", "constant", "stored values", "windowed", "background 0"],
)
def test_values_that_are_no_hounsfield_units(
    tmp_path: Path, values: Callable[[], np.ndarray], words: tuple[str, ...]
) -> None:
    path = volume(tmp_path / "ct.nrrd", values())
    check_refused(tmp_path, path, path, *words)
    check_info(path, *words)


def test_a_volume_in_colour(tmp_path: Path) -> None:
    colour = np.repeat(hounsfield()[..., None], 3, axis=-1).clip(0, 255).astype(np.uint8)
    path = volume(tmp_path / "colour.nrrd", colour)
    check_refused(tmp_path, path, path, "each voxel holds 3 values", "one value a voxel")


def test_slices_that_are_missing(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", np.delete(STRAIGHT, 2, axis=0))
    check_refused(tmp_path, tmp_path / "scan", "slices are missing between z = 9.00 and 17.00 mm")
