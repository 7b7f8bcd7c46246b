"""The round field of real image intensifiers is found; a scout without shutters stays whole."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from DiffRegistrationLib.xray.preprocessing import find_collimation, from_logarithmic, line_integrals
from PIL import Image

pytestmark = pytest.mark.real

FRAMES = [
    f"{joint}_biplane/cam0{camera}_frame{frame}.tif"
    for joint, frames in (("wrist", ("0002", "0099")), ("knee", ("0138", "0180")))
    for camera in (1, 2)
    for frame in frames
]


@pytest.mark.parametrize("name", FRAMES)
def test_biplane_frame_keeps_its_disc(real_data: Path, name: str):
    mask = find_collimation(np.asarray(Image.open(real_data / name), dtype=np.float32))
    rows, columns = mask.shape
    # A disc that touches the borders covers π/4 = 78.5 % of the image.
    assert 0.71 <= mask.mean() <= 0.80
    assert mask[rows // 2, columns // 40 : -columns // 20].all() and mask[rows // 20 : -rows // 20, columns // 2].all()
    corner = rows // 12
    for at in (np.s_[:corner, :corner], np.s_[:corner, -corner:], np.s_[-corner:, :corner], np.s_[-corner:, -corner:]):
        assert not mask[at].any()


def test_cine_frames_agree_on_the_field(real_data: Path):
    frames = pydicom.dcmread(real_data / "xray_dicom/xa_cine_jpeg_baseline.dcm").pixel_array
    masks = np.stack([find_collimation(frame.astype(np.float32)) for frame in frames[::16]])
    # Round at the corners, straight on the sides: no disc, yet not whole.
    assert 0.74 <= masks.mean() <= 0.80
    assert masks.all(axis=0).sum() >= 0.98 * masks.any(axis=0).sum()


def test_cerebral_angiogram_keeps_its_disc(real_data: Path):
    image = pydicom.dcmread(real_data / "xray_dicom/xa_cerebral_jpeg_lossless_no_geometry.dcm").pixel_array
    result = line_integrals(image.astype(np.float32))
    assert 0.75 <= result.mask.mean() <= 0.79
    assert np.isfinite(result.attenuation).all()


def test_scout_has_no_shutters(real_data: Path):
    image = pydicom.dcmread(real_data / "skull_phantom/lateral_scout.dcm").pixel_array
    assert from_logarithmic(image.astype(np.float32)).mask.all()
