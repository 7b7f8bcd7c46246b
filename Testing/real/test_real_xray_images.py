"""Real X-rays: compressed angiograms, a scanner's localizer, and beads that must lie where they were picked."""

from __future__ import annotations

import csv
import tarfile

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.xray_files import CArmGeometry, frame_count, read_xray, read_xray_frames
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera
from DiffRegistrationLib.xray.projector.projector import Projector

pytestmark = pytest.mark.real
C_ARM = CArmGeometry(source_detector_distance=1000, source_object_distance=700, pixel_spacing=(0.3, 0.3))


def test_cine_in_baseline_jpeg_lacks_distances_and_reads_with_them(real_data):
    path = real_data / "xray_dicom" / "xa_cine_jpeg_baseline.dcm"
    assert frame_count(path) == 96
    with pytest.raises(InputError) as caught:
        read_xray(path)
    for tag in ("(0018,1110)", "(0018,1111)", "(0018,1164)", "(0028,0030)"):
        assert tag in str(caught.value)
    assert "(0018,1510)" not in str(caught.value)
    frames = read_xray_frames(path, geometry=C_ARM)
    assert len(frames) == 96
    frame = frames[40]
    # The spine, on the right of the stored image, is dark there: mirrored, it lies on the left, high in attenuation.
    heart, spine = np.s_[200:300, 300:380], np.s_[200:300, 120:200]
    assert frame.mask[heart].all() and frame.mask[spine].all()
    assert frame.attenuation[spine].mean() > frame.attenuation[heart].mean() + 0.3
    angle = np.radians(-32)
    camera = frame.camera
    assert isinstance(camera, PinholeCamera)
    np.testing.assert_allclose(camera.source[:2] / np.hypot(*camera.source[:2]), [np.sin(angle), -np.cos(angle)])


def test_angiogram_in_lossless_jpeg_without_geometry_reads_with_a_camera(real_data):
    path = real_data / "xray_dicom" / "xa_cerebral_jpeg_lossless_no_geometry.dcm"
    with pytest.raises(InputError, match=r"\(0018,1510\).*\(0018,1511\)"):
        read_xray(path)
    camera = PinholeCamera.from_distances(1100, (0.2, 0.2), (1024, 1024), np.eye(4))
    radiograph = read_xray(path, camera=camera)
    # The image intensifier's round field.
    assert 0.7 < radiograph.mask.mean() < 0.79
    assert not radiograph.mask[:100, :100].any() and radiograph.mask[512, 512]
    # The catheter at the bottom is darker than its surroundings.
    assert radiograph.attenuation[960, 455:462].max() > np.median(radiograph.attenuation[960, 400:500]) + 0.1


def test_localizer_of_a_skull_has_the_scanners_slit_geometry(real_data):
    radiograph = read_xray(real_data / "skull_phantom" / "lateral_scout.dcm")
    camera = radiograph.camera
    assert isinstance(camera, ScanningSlitCamera)
    assert (camera.source_object_distance, camera.source_detector_distance) == (570, 1040)
    # LPS (570, 125.2, z) is RAS (−570, −125.2, z); rows run toward the feet from z = 916.5.
    np.testing.assert_allclose(
        camera.back_project(np.array([[256.0, 0.0], [256.0, 100.0]]), 0.0),
        [[-570, -125.2, 916.5], [-570, -125.2, 916.5 - 97.65625]],
        atol=1e-6,
    )
    np.testing.assert_allclose(camera.project(np.array([[0, 124.8, 916.5]]))[0], [0, 0], atol=1e-6)
    assert not radiograph.mask[:, :3].any() and radiograph.mask[:, 3:508].mean() > 0.99
    vault, air = radiograph.attenuation[150:160, 150:156], radiograph.attenuation[20:60, 20:100]
    assert vault.mean() > air.mean() + 100


@pytest.mark.slow
def test_ct_of_the_same_skull_projects_onto_its_localizer(real_data, tmp_path):
    with tarfile.open(real_data / "skull_phantom" / "ct_soft_kernel_dicom.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    radiograph = read_xray(real_data / "skull_phantom" / "lateral_scout.dcm")
    ct = read_ct(tmp_path)
    camera = radiograph.camera
    drr = Projector(ct).render(camera.rays(), np.eye(4), binning=2)[0].reshape(camera.size)
    # Rows whose rays stay within the CT's slices.
    half = ct.voxel_size[2] * (ct.size[2] - 1) / 2
    rows = np.abs(916.5 - 0.9765625 * np.arange(camera.size[0]) - ct.centre[2]) < half - 2
    mask = radiograph.mask & rows[:, None]
    assert np.corrcoef(radiograph.attenuation[mask], drr[mask])[0, 1] > 0.89
    assert np.corrcoef(radiograph.attenuation[mask], drr[:, ::-1][mask])[0, 1] < 0.7


def test_beads_attenuate_where_they_were_picked(real_data):
    folder = real_data / "wrist_biplane"
    with (folder / "beads_frame0099.csv").open() as file:
        beads = list(csv.DictReader(file))
    camera = PinholeCamera.from_distances(1000, (0.1, 0.1), (1760, 1760), np.eye(4))
    for name in ("cam1", "cam2"):
        attenuation = read_xray(folder / f"{name.replace('m', 'm0')}_frame0099.tif", camera=camera).attenuation
        pixels = [(round(float(b[f"{name}_v"])), round(float(b[f"{name}_u"]))) for b in beads]
        windows = [attenuation[v - 20 : v + 21, u - 20 : u + 21] for v, u in pixels]
        # The bead in the middle is the darkest thing within 2 mm, to the pixel that it was picked on.
        peaks = [np.subtract(np.unravel_index(np.argmax(w), w.shape), 20) for w in windows]
        assert np.median(np.linalg.norm(peaks, axis=1)) <= 2
