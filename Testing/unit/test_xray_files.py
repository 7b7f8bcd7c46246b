"""Pictures with a camera, masks, frames, and a clear word for everything that is no X-ray."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.xray_files import CArmGeometry, frame_count, read_xray, read_xray_frames
from DiffRegistrationLib.xray.geometry import PinholeCamera
from synthetic_xray_dicom import GEOMETRY, shadow, write_xray

SIZE = (90, 120)
CAMERA = PinholeCamera(np.array([[3000.0, 0, 60], [0, 3000, 45], [0, 0, 1]]), np.eye(4), SIZE)
INTENSITY = np.rint(shadow(SIZE, (30, 60, 1.0), light=250))


def write(path, pixels, dtype=np.uint16):
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.asarray(pixels).astype(dtype)), str(path))
    return path


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("x.png", np.uint8),
        ("x.png", np.uint16),
        ("x.tif", np.uint8),
        ("x.tiff", np.uint16),
        ("x.nrrd", np.uint16),
        ("x.nrrd", np.float32),
        ("x.nii.gz", np.int16),
        ("Röntgen.png", np.uint8),
    ],
)
def test_pictures_keep_their_rows_and_columns_and_bright_is_more_xrays(tmp_path, name, dtype):
    radiograph = read_xray(write(tmp_path / name, INTENSITY, dtype), camera=CAMERA, unattenuated=250)
    np.testing.assert_allclose(radiograph.attenuation, -np.log(INTENSITY / 250), rtol=1e-5, atol=1e-6)
    assert radiograph.camera is CAMERA


def test_picture_with_bright_bone_is_taken_as_logarithmic(tmp_path):
    film = np.rint(200 - 40 * np.log(INTENSITY / INTENSITY.max()))
    radiograph = read_xray(write(tmp_path / "x.png", film - 150), camera=CAMERA, bone_is_bright=True)
    np.testing.assert_allclose(radiograph.attenuation[radiograph.mask], (film - 150)[radiograph.mask])
    assert any(line.quantity == "polarity" and not line.assumed for line in radiograph.provenance)


def test_one_slice_volume_is_an_image_and_more_slices_are_not(tmp_path):
    assert read_xray(write(tmp_path / "x.nrrd", INTENSITY[None]), camera=CAMERA).camera.size == SIZE
    with pytest.raises(InputError, match="volume of 120×90×4"):
        read_xray(write(tmp_path / "x.nrrd", np.stack([INTENSITY] * 4)), camera=CAMERA)


def test_pages_of_a_tiff_are_frames(tmp_path):
    path = write(tmp_path / "x.tif", np.stack([INTENSITY, INTENSITY / 2]))
    assert frame_count(path) == 2
    first, second = read_xray_frames(path, camera=CAMERA, unattenuated=250)
    np.testing.assert_allclose((second.attenuation - first.attenuation)[20:70], np.log(2), atol=0.05)


def test_picture_with_numbers_of_the_c_arm_needs_no_camera_file(tmp_path):
    path = write(tmp_path / "x.png", INTENSITY)
    radiograph = read_xray(path, geometry=CArmGeometry(1200, 800, (0.4, 0.4), 0, 0))
    plain = read_xray(path, camera=CAMERA)
    np.testing.assert_array_equal(radiograph.attenuation, plain.attenuation[:, ::-1])
    with pytest.raises(InputError, match=r"--sdd.*--sod.*--spacing.*--angles"):
        read_xray(path)


def test_given_camera_sees_the_dicom_image_as_it_is_stored(tmp_path):
    path = write_xray(tmp_path, INTENSITY)
    radiograph = read_xray(path, camera=CAMERA, unattenuated=250)
    np.testing.assert_allclose(radiograph.attenuation, -np.log(INTENSITY / 250), rtol=1e-5, atol=1e-6)


def test_mask_is_laid_out_with_its_image(tmp_path):
    usable = np.zeros(SIZE)
    usable[10:40, 5:50] = 1
    mask = write(tmp_path / "mask.png", usable, np.uint8)
    radiograph = read_xray(write_xray(tmp_path, INTENSITY, **GEOMETRY), mask=mask)
    np.testing.assert_array_equal(radiograph.mask, usable[:, ::-1] > 0)


def test_frames_share_one_decoding_and_equal_single_ones(tmp_path):
    path = write_xray(tmp_path, np.stack([INTENSITY, INTENSITY * 0.7, INTENSITY * 0.5]), **GEOMETRY)
    every = read_xray_frames(path)
    assert frame_count(path) == len(every) == 3
    np.testing.assert_array_equal(read_xray(path, frame=2).attenuation, every[2].attenuation)
    chosen = read_xray_frames(path, frames=[2, 0])
    np.testing.assert_array_equal(chosen[0].attenuation, every[2].attenuation)


def broken(tmp_path, kind):
    """A file that cannot be an X-ray, or arguments that do not fit one."""
    if kind == "missing":
        return {"path": tmp_path / "none.dcm"}
    if kind == "folder":
        return {"path": tmp_path}
    if kind == "text":
        (tmp_path / "x.png").write_text("no picture")
        return {"path": tmp_path / "x.png", "camera": CAMERA}
    if kind == "colour":
        picture = SimpleITK.GetImageFromArray(np.zeros((*SIZE, 3), dtype=np.uint8), isVector=True)
        SimpleITK.WriteImage(picture, str(tmp_path / "x.png"))
        return {"path": tmp_path / "x.png", "camera": CAMERA}
    if kind == "slice":
        return {"path": write_xray(tmp_path, INTENSITY, "CT", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])}
    if kind == "magnetic resonance":
        return {"path": write_xray(tmp_path, INTENSITY, "MR")}
    path = write_xray(tmp_path, INTENSITY, **GEOMETRY)
    if kind == "cut off":
        path.write_bytes(path.read_bytes()[:-1000])
    if kind == "header alone":
        path.write_bytes(path.read_bytes()[:400])
    if kind in ("cut off", "header alone"):
        return {"path": path}
    if kind == "colour DICOM":
        return {
            "path": write_xray(tmp_path, INTENSITY, **GEOMETRY, SamplesPerPixel=3, PhotometricInterpretation="RGB")
        }
    if kind == "burnt out":
        return {"path": write_xray(tmp_path, np.full(SIZE, 4095), **GEOMETRY)}
    if kind == "black and white":
        return {"path": write_xray(tmp_path, np.where(INTENSITY > 120, 4095, 0), **GEOMETRY)}
    if kind == "frame":
        return {"path": path, "frame": 1}
    if kind == "negative frame":
        return {"path": path, "frame": -1}
    if kind == "mask of another size":
        return {"path": path, "mask": write(tmp_path / "mask.png", np.ones((50, 60)))}
    if kind == "mask of nothing":
        return {"path": path, "mask": write(tmp_path / "mask.png", np.zeros(SIZE))}
    if kind == "no mask":
        return {"path": path, "mask": tmp_path / "mask.png"}
    if kind == "camera of another size":
        return {"path": path, "camera": CAMERA.binned(2)}
    if kind == "no number":
        return {"path": path, "geometry": CArmGeometry(source_detector_distance=float("nan"))}
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "cannot be opened"),
        ("folder", "is a folder"),
        ("text", "is no image"),
        ("colour", "colour picture"),
        ("slice", "is a CT slice"),
        ("magnetic resonance", "modality is MR"),
        ("cut off", "cut off"),
        ("header alone", "header cannot be read|holds no image|cut off|is a colour image"),
        ("colour DICOM", "colour image"),
        ("burnt out", "saturated"),
        ("black and white", "saturated"),
        ("frame", "frame 1 was asked for, it has 1"),
        ("negative frame", "frame -1 was asked for"),
        ("mask of another size", "60×50 pixels, the X-ray 120×90"),
        ("mask of nothing", "covers everything"),
        ("no mask", "no such mask"),
        ("camera of another size", "120×90 pixels, its camera 60×45"),
        ("no number", "source-detector distance"),
    ],
)
def test_each_mistake_has_a_word_of_its_own(tmp_path, kind, said):
    with pytest.raises(InputError, match=said):
        read_xray(**broken(tmp_path, kind))
