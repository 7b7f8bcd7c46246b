"""The peers' recipes are their authors', take what they can take, and find the pose."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.evaluation.peers import PEERS, check_peers_installed
from DiffRegistrationLib.registration.metrics import pose_error
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.geometry.c_arm import c_arm_camera
from DiffRegistrationLib.xray.phantom import head_phantom
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph

try:
    check_peers_installed()
    _installed = True
except InputError:
    _installed = False
needs_nanodrr = pytest.mark.skipif(not _installed, reason="PEERS ABSENT: pip install '.[peers]' to test them")


def _small_head() -> tuple[CT, Radiograph]:
    ct = head_phantom(4.0).ct
    camera = c_arm_camera(
        source_detector_distance=1020.0,
        source_object_distance=620.0,
        pixel_spacing=(300 / 64, 300 / 64),
        size=(64, 64),
        primary_angle_deg=75.0,
        secondary_angle_deg=10.0,
        isocentre=tuple(ct.centre),
    )
    image = Projector(ct).render(camera.rays(), np.eye(4))[0].reshape(camera.size)
    return ct, Radiograph(image, np.ones(camera.size, dtype=bool), camera)


def _start(ct: CT) -> np.ndarray:
    return rigid.move_about(ct.centre, [0.05, -0.04, 0.03, 5.0, -4.0, 5.0], np.eye(4))


def _error(ct: CT, radiograph: Radiograph, pose: np.ndarray) -> float:
    """mRPE, which leaves out depth: so few steps do not settle what one view hardly shows."""
    return pose_error(pose, np.eye(4), ct.corners(0.5), ct.centre, radiograph.camera).mrpe_mm


def test_absent_peers_are_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("DiffRegistrationLib.evaluation.peers.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '\.\[peers\]'"):
        check_peers_installed()


@needs_nanodrr
def test_diffpose_has_its_authors_settings() -> None:
    from DiffRegistrationLib.evaluation.peers.diffpose import DiffPoseSettings

    settings = DiffPoseSettings()
    assert (settings.iterations, settings.image_side) == (250, 256)
    assert (settings.patch_sizes, settings.patch_weights) == ((None, 13), (0.5, 0.5))
    assert (settings.rotation_rate, settings.translation_rate) == (7.5e-3, 7.5)
    assert (settings.rate_factor, settings.rate_interval) == (0.9, 25)


@needs_nanodrr
def test_xvr_has_its_authors_settings() -> None:
    from DiffRegistrationLib.evaluation.peers.xvr import XvrSettings

    settings = XvrSettings()
    assert settings.image_sides == tuple(1536 // scale for scale in (24, 12, 6))
    assert (settings.iterations, settings.patience, settings.most_plateaus) == (500, 10, 2)
    assert (settings.threshold, settings.rate_factor) == (1e-4, 0.1)
    assert (settings.rotation_rate, settings.translation_rate) == (1e-2, 1.0)
    assert (settings.mncc_patch, settings.gradient_patch, settings.gradient_sigma, settings.beta) == (9, 11, 0.0, 0.5)


@needs_nanodrr
def test_nanodrr_renders_what_our_projector_renders_whatever_the_strips() -> None:
    from DiffRegistrationLib.evaluation.peers.nanodrr_renderer import NanodrrRenderer, camera_in_ct, nanodrr_subject

    ct, radiograph = _small_head()
    camera = radiograph.camera.cropped(3, 5, (51, 40))
    pose = _start(ct)
    ours = Projector(ct).render(camera.rays(), pose, samples=400)[0].reshape(camera.size)
    for strips in (1, 2, 4):
        renderer = NanodrrRenderer(nanodrr_subject(ct), camera, 400, strips)
        theirs = renderer.render(camera_in_ct(camera, pose))[0, 0].numpy()
        np.testing.assert_allclose(theirs, ours, atol=0.01 * ours.max())


@needs_nanodrr
@pytest.mark.slow
def test_diffpose_comes_nearer_to_the_truth() -> None:
    from DiffRegistrationLib.evaluation.peers.diffpose import DiffPoseSettings, register_by_diffpose

    ct, radiograph = _small_head()
    start = _start(ct)
    result = register_by_diffpose(ct, [radiograph], start, DiffPoseSettings(iterations=30, image_side=48, samples=64))
    assert result.iterations == len(result.losses) == 30
    assert result.losses[-1] > result.losses[0]
    assert _error(ct, radiograph, result.pose) < 0.5 * _error(ct, radiograph, start)


@needs_nanodrr
@pytest.mark.slow
def test_xvr_comes_nearer_to_the_truth() -> None:
    from DiffRegistrationLib.evaluation.peers.xvr import XvrSettings, register_by_xvr

    ct, radiograph = _small_head()
    start = _start(ct)
    result = register_by_xvr(ct, [radiograph], start, XvrSettings(image_sides=(32, 48), iterations=20, samples=64))
    assert result.losses[-1] > result.losses[0]
    assert _error(ct, radiograph, result.pose) < 0.5 * _error(ct, radiograph, start)


@needs_nanodrr
@pytest.mark.parametrize("peer", PEERS)
def test_several_views_are_refused(peer: str) -> None:
    ct, radiograph = _small_head()
    with pytest.raises(InputError, match="one X-ray at a time, got 2"):
        PEERS[peer](ct, [radiograph, radiograph], np.eye(4))


class TestFieldOfView:
    def _cropped(self, mask: np.ndarray, attenuation: np.ndarray | None = None) -> Radiograph:
        from DiffRegistrationLib.evaluation.peers.field_of_view import cropped_to_field

        rows, columns = mask.shape
        camera = c_arm_camera(
            source_detector_distance=1000.0, source_object_distance=600.0, pixel_spacing=(1.0, 1.0), size=mask.shape
        )
        image = np.arange(rows * columns).reshape(mask.shape) if attenuation is None else attenuation
        image = np.where(mask, image, rows * columns) if attenuation is None else image
        return cropped_to_field(Radiograph(image.astype(np.float32), mask, camera))

    def test_shutters_are_cut_off(self) -> None:
        mask = np.zeros((128, 192), dtype=bool)
        mask[20:100, 30:180] = True
        cropped = self._cropped(mask)
        assert cropped.mask.all()
        assert cropped.camera.size == (80, 150)
        assert cropped.attenuation[0, 0] == 20 * 192 + 30

    def test_a_round_field_becomes_about_its_inscribed_square(self) -> None:
        row, column = np.indices((256, 256)) - 127.5
        cropped = self._cropped(row**2 + column**2 < 120**2)
        assert cropped.mask.mean() > 0.97
        assert 0.9 < np.sqrt(cropped.mask.size) / (120 * np.sqrt(2)) < 1.1

    def test_islands_and_burnt_out_air_stay_in(self) -> None:
        mask, attenuation = np.ones((128, 128), dtype=bool), np.full((128, 128), 2.0)
        attenuation[:, :40], attenuation[0, 60] = 0.1, 0.1
        mask[:, :40] = mask[60:80, 70:90] = False
        assert self._cropped(mask, attenuation).camera.size == (128, 128)
