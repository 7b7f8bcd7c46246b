"""Whatever detector an X-ray comes from, the network sees it as through its own camera."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.registration.starts import pose_of_view
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, ScanningSlitCamera, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from fluororeg_runs import head

CAMERA = NetworkCamera(64, 0.4)


def odd_camera() -> PinholeCamera:
    """Pixels that are not square, a beam's axis far off the middle, and a place of its own in the world."""
    camera_from_world = rigid.exp([0.3, -0.8, 0.4, 30.0, -50.0, 80.0])
    return PinholeCamera.from_distances(1100.0, (1.0, 1.4), (400, 300), camera_from_world, (90.0, 260.0))


def seen_by(camera: PinholeCamera) -> tuple[Radiograph, np.ndarray]:
    """The head in the middle of `camera`'s image, and its pose."""
    pose = pose_of_view("ap", head(), camera)
    image = Projector(head()).render(camera.rays(), pose)[0].reshape(camera.size)
    return Radiograph(image, np.ones(camera.size, dtype=bool), camera), pose


def test_an_odd_detector_s_image_is_what_the_network_s_camera_would_have_seen() -> None:
    radiograph, pose = seen_by(odd_camera())
    image = CAMERA.image_of(radiograph)
    own = CAMERA.camera(image.camera_from_world)
    expected = Projector(head()).render(own.rays(), pose, binning=1)[0].reshape(64, 64)
    assert image.mask.mean() > 0.5
    difference = (image.attenuation - expected)[image.mask]
    # Averages over 6 mm pixels against rays through their middles: equal but for sharp edges.
    assert abs(np.median(difference)) < 0.01
    assert np.corrcoef(image.attenuation[image.mask], expected[image.mask])[0, 1] > 0.995
    np.testing.assert_allclose(own.source, odd_camera().source, atol=1e-9)


def test_what_is_masked_or_beyond_the_edge_is_masked() -> None:
    radiograph, _ = seen_by(odd_camera())
    mask = np.zeros(radiograph.mask.shape, dtype=bool)
    mask[100:300, 60:240] = True
    seen = CAMERA.image_of(Radiograph(radiograph.attenuation, mask, radiograph.camera))
    whole = CAMERA.image_of(radiograph)
    assert 0.1 < seen.mask.mean() < whole.mask.mean() < 1
    assert (seen.attenuation[~seen.mask] == 0).all()


def test_a_scanning_camera_is_refused() -> None:
    slit = ScanningSlitCamera(np.eye(4), (64, 64), (1.0, 1.0), (32.0, 32.0), 500.0, 1000.0)
    with pytest.raises(InputError, match="scanning camera"):
        CAMERA.image_of(Radiograph(np.zeros((64, 64), np.float32), np.ones((64, 64), dtype=bool), slit))


def test_too_little_of_an_x_ray_is_refused() -> None:
    radiograph, _ = seen_by(odd_camera())
    mask = np.zeros(radiograph.mask.shape, dtype=bool)
    mask[:20, :20] = True
    with pytest.raises(InputError, match="pixels of the network's image"):
        CAMERA.image_of(Radiograph(radiograph.attenuation, mask, radiograph.camera))
