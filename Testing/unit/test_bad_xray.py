"""X-rays, masks and cameras that cannot be used: the message names what is wrong, with which file, and the way out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from fluororeg_runs import camera, intensity, refused, run, truth, write_case
from synthetic_ct import cut, write_series
from synthetic_xray_dicom import GEOMETRY, shadow, write_xray

STRAIGHT = np.array([[-20.0, -24.0, 5.0 + 4.0 * k] for k in range(6)])


def picture(path: Path, values: np.ndarray) -> Path:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values, isVector=values.ndim == 3), str(path))
    return path


def eight_bit() -> np.ndarray:
    return (intensity() / 12).astype(np.uint8)


def test_an_xray_that_is_not_there(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    gone = tmp_path / "no.png"
    for through in (case.camera, None):
        refused(tmp_path, case.register(xray=gone, camera=through), gone, "No such file", "Check the name")


@pytest.mark.parametrize("content", [b"dear diary", bytes(range(256)), b""], ids=["text", "noise", "empty"])
@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.dcm", "x"])
def test_an_xray_that_is_no_image(tmp_path: Path, name: str, content: bytes) -> None:
    case = write_case(tmp_path)
    (tmp_path / name).write_bytes(content)
    refused(
        tmp_path, case.register(xray=tmp_path / name), tmp_path / name, "no image that can be read", "Give a DICOM"
    )


def test_a_folder_is_no_xray(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    write_series(tmp_path / "scan", STRAIGHT)
    refused(tmp_path, case.register(xray=tmp_path / "scan"), tmp_path / "scan", "is a folder", "Give one file")


@pytest.mark.parametrize("share", [0.06, 0.08, 0.1, 0.12, 0.15, 0.3, 0.6, 0.9, 0.99])
def test_a_dicom_xray_cut_short_anywhere(tmp_path: Path, share: float) -> None:
    case = write_case(tmp_path)
    xray = write_xray(tmp_path, shadow((48, 48), (20, 20, 1.0)), **GEOMETRY)
    assert run("info", xray).code == 0
    cut(xray, share)
    refused(tmp_path, case.register(xray=xray, camera=None), xray)
    assert run("info", xray).code == 2


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.nrrd"])
def test_a_picture_cut_short(tmp_path: Path, name: str) -> None:
    case = write_case(tmp_path)
    xray = picture(tmp_path / name, eight_bit())
    cut(xray, 0.5)
    refused(tmp_path, case.register(xray=xray), xray, "anew")


def test_a_slice_or_a_volume_is_no_xray(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    ct_slice = write_series(tmp_path / "scan", STRAIGHT)[0]
    refused(
        tmp_path, case.register(xray=ct_slice), ct_slice, "is a CT slice", "Give the folder of the series as the CT"
    )
    refused(tmp_path, case.register(xray=case.ct), case.ct, "is a volume of", "a single image was expected")


def test_a_picture_without_geometry_lists_all_that_is_missing(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    xray = picture(tmp_path / "x.png", eight_bit())
    message = refused(tmp_path, case.register(xray=xray, camera=None), xray, "incomplete", "camera file")
    for quantity, option in (
        ("source-detector distance", "--sdd"),
        ("source-isocentre distance", "--sod"),
        ("pixel spacing at the detector", "--spacing"),
        ("primary angle", "--angles"),
        ("secondary angle", "--angles"),
    ):
        assert quantity in message.split("Missing")[1] and message.count(option) >= 2
    told = ("--sdd", 1000, "--sod", 700, "--spacing", "3.2")
    rest = refused(tmp_path, case.register(*told, xray=xray, camera=None), "primary angle", "secondary angle")
    assert "distance" not in rest.split("Missing")[1].split("Give")[0]
    shown = run("info", xray)
    assert shown.code == 0 and "Missing:" in shown.stderr and "--spacing" in shown.stderr


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("DistanceSourceToDetector", "(0018,1110) DistanceSourceToDetector absent"),
        ("DistanceSourceToPatient", "(0018,1111) DistanceSourceToPatient absent"),
        ("ImagerPixelSpacing", "(0018,1164) ImagerPixelSpacing absent"),
        ("PositionerPrimaryAngle", "(0018,1510) PositionerPrimaryAngle absent"),
        ("PositionerSecondaryAngle", "(0018,1511) PositionerSecondaryAngle absent"),
    ],
)
def test_a_dicom_xray_that_lacks_a_tag(tmp_path: Path, lacking: str, said: str) -> None:
    case = write_case(tmp_path)
    tags = {name: value for name, value in GEOMETRY.items() if name != lacking}
    xray = write_xray(tmp_path, shadow((48, 48), (20, 20, 1.0)), **tags)
    message = refused(tmp_path, case.register(xray=xray, camera=None), xray, said)
    assert message.count(" absent") - message.count("Isocenter") - message.count(", (0028,0030)") == 1


def test_pictures_in_colour(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    colour = picture(tmp_path / "x.png", np.repeat(eight_bit()[..., None], 3, axis=-1))
    refused(tmp_path, case.register(xray=colour), colour, "colour", "3 values a pixel", "not a screenshot")
    refused(tmp_path, case.register("--mask", colour), colour, "colour")
    dicom = write_xray(
        tmp_path, np.ones((48, 48)), SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0
    )
    refused(tmp_path, case.register(xray=dicom), dicom, "colour image (RGB)", "not a screenshot")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((96, 96), 255, np.uint8), "saturated"),
        (np.full((96, 96), 65535, np.uint16), "saturated"),
        (np.full((96, 96), 4095, np.uint16), "every pixel is 4095"),
        (np.zeros((96, 96), np.uint8), "saturated"),
        (np.where(np.indices((96, 96)).sum(0) % 2, 255, 0).astype(np.uint8), "saturated"),
        (np.where(np.indices((96, 96)).sum(0) % 2, 250, 0).astype(np.uint8), "one value"),
        (np.full((96, 96), np.nan, np.float32), "no finite number"),
    ],
    ids=["white", "white 16 bit", "white 12 bit", "black", "black and white", "grey on black", "NaN"],
)
def test_an_xray_that_shows_nothing(tmp_path: Path, values: np.ndarray, said: str) -> None:
    case = write_case(tmp_path)
    xray = picture(tmp_path / ("x.nrrd" if values.dtype == np.float32 else "x.png"), values)
    refused(tmp_path, case.register(xray=xray), xray, said)


def test_a_saturated_dicom_xray(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    xray = write_xray(tmp_path, np.full((48, 48), 4095.0), **GEOMETRY)
    refused(tmp_path, case.register(xray=xray, camera=None), xray, "saturated", "not burnt out")


def test_an_xray_too_small_to_say_anything(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    xray = picture(tmp_path / "x.png", eight_bit()[40:50, 40:50])
    told = ("--sdd", 1000, "--sod", 700, "--spacing", "3.2", "--angles", "180,0")
    refused(tmp_path, case.register(*told, xray=xray, camera=None), xray, "of its 100 pixels", "at least 256")


@pytest.mark.parametrize("frame", [1, 7, -1])
def test_a_frame_that_is_not_there(tmp_path: Path, frame: int) -> None:
    case = write_case(tmp_path)
    refused(tmp_path, case.register("--frame", frame), case.xray, f"frame {frame}", "it has 1", "count from 0")


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    black = picture(tmp_path / "black.png", np.zeros((96, 96), np.uint8))
    refused(tmp_path, case.register("--mask", black), black, "covers everything", "Paint what may be used white")
    small = picture(tmp_path / "small.png", np.full((48, 96), 255, np.uint8))
    refused(tmp_path, case.register("--mask", small), small, "96×48 pixels, the X-ray 96×96")
    corner = np.zeros((96, 96), np.uint8)
    corner[:20, :3] = 255
    spot = picture(tmp_path / "spot.png", corner)
    refused(tmp_path, case.register("--mask", spot), case.xray, "60 of its 9216 pixels", "at least 256")
    refused(tmp_path, case.register("--mask", tmp_path / "no.png"), tmp_path / "no.png", "no such mask file")
    refused(tmp_path, case.register("--mask", case.camera), case.camera, "no image that can be read")


def test_a_camera_of_another_image(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    content = json.loads(case.camera.read_text())
    case.camera.write_text(json.dumps({**content, "size_rows_columns_px": [480, 640]}))
    refused(tmp_path, case.register(), case.camera, "480 rows × 640 columns", "96 rows × 96 columns")


def test_cameras_that_are_none(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    content = json.loads(case.camera.read_text())
    wrong = tmp_path / "wrong.json"

    def check(change: dict[str, object], *words: str) -> None:
        wrong.write_text(json.dumps({**content, **change}))
        refused(tmp_path, case.register(camera=wrong), wrong, *words)

    check({"camera_from_world_mm": np.diag([2.0, 2, 2, 1]).tolist()}, "camera_from_world_mm is not rigid")
    check({"camera_from_world_mm": np.diag([-1.0, 1, 1, 1]).tolist()}, "mirrors")
    check({"camera_from_world_mm": "here"}, "camera_from_world_mm")
    for intrinsic in (np.diag([-900.0, 900, 1]), np.diag([900.0, 900, 0]), np.eye(4), np.full((3, 3), np.nan)):
        check({"intrinsic_px": intrinsic.tolist()})
    check({"intrinsic_px": [[900, 0, float("nan")], [0, 900, 48], [0, 0, 1]]})
    check({"type": "fish-eye"}, "camera type “fish-eye”")
    check({"size_rows_columns_px": [0, 96]}, "size_rows_columns_px")
    check({"pixel_spacing_rows_columns_mm": [0, -1]}, "pixel")
    check({"format": "something else"}, "no camera")
    for text in ("dear diary", "{", "1 2 3\n4 5 6\n", ""):
        wrong.write_text(text)
        refused(tmp_path, case.register(camera=wrong), wrong)
    refused(tmp_path, case.register(camera=tmp_path / "no.json"), tmp_path / "no.json", "No such file")
    refused(tmp_path, case.register(camera=case.xray), case.xray, "no camera file that is known")
    refused(tmp_path, case.register(camera=tmp_path), tmp_path, "cannot be read")


def test_a_projection_matrix_of_any_scale_but_zero(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    P, text = camera().projection_matrix, tmp_path / "P.txt"
    np.savetxt(text, 0 * P)
    refused(tmp_path, case.register(camera=text), text, "singular", "scale is not zero")
    np.savetxt(text, P[:, [1, 0, 2, 3]])
    refused(tmp_path, case.register(camera=text), text, "mirrors the image")
    drrs = []
    for scale in (1.0, -0.01):
        np.savetxt(text, scale * P)
        assert run("drr", case.ct, "--camera", text, "--size", 96, "--out", tmp_path / "drr.nrrd").code == 0
        drrs.append(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "drr.nrrd"))))
    assert drrs[0].max() > 1
    np.testing.assert_allclose(drrs[0], drrs[1], atol=1e-4)
    outcome = run(*case.register("--json", camera=text))
    assert outcome.code == 0
    np.testing.assert_allclose(outcome.json["pose"], truth(), atol=3.0)


def test_a_projection_matrix_needs_the_image_s_size(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    text = tmp_path / "P.txt"
    np.savetxt(text, camera().projection_matrix)
    refused(tmp_path, ("drr", case.ct, "--camera", text, "--out", tmp_path / "drr.nrrd"), text, "size", "--size")


def test_xrays_of_different_worlds_cannot_share_a_pose(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    arm = write_xray(tmp_path, shadow((48, 48), (20, 20, 1.0)), **GEOMETRY)
    scout = tmp_path / "scout.dcm"
    scan = write_series(tmp_path / "scan", STRAIGHT)

    def as_localizer(dataset: object, k: int) -> None:
        for name, value in {
            "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
            "DistanceSourceToDetector": 1040,
            "DistanceSourceToPatient": 570,
        }.items():
            setattr(dataset, name, value)

    (localizer,) = write_series(
        tmp_path / "scout",
        STRAIGHT[:1],
        row_axis=(0, 1, 0),
        column_axis=(0, 0, -1),
        size=(40, 40),
        change=as_localizer,
    )
    localizer.rename(scout)
    (tmp_path / "scout").rmdir()
    arguments = ("register", scan[0].parent, scout, arm, "--out", case.out)
    refused(tmp_path, arguments, "scanner", "patient", "different worlds", "camera files in one common frame")
    refused(tmp_path, ("register", scan[0].parent, scout, "--angles", "90,0"), scout, "localizer", "--angles")


def test_a_view_that_misses_the_head(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    content = json.loads(case.camera.read_text())
    content["camera_from_world_mm"][0][3] += 1000
    (tmp_path / "off.json").write_text(json.dumps(content))
    arguments = case.register(case.xray, "--camera", tmp_path / "off.json")
    refused(tmp_path, arguments, case.xray, "the CT lies outside its view", "Check the camera")
