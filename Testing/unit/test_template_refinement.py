"""Landmarks that a network found in an X-ray, sharpened by a template head that deforms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.head import Head, phantom_head
from LandmarkDetectionLib.atlas.head_frame import ct_from_head
from LandmarkDetectionLib.detection import template_refinement
from LandmarkDetectionLib.detection.landmark_detections import LandmarkDetections
from LandmarkDetectionLib.detection.template_refinement import refined_by_template
from LandmarkDetectionLib.population.population import population_head
from LandmarkDetectionLib.template_fit import beginnings, template_fit
from LandmarkDetectionLib.template_fit.deformable_template import DeformableTemplate
from LandmarkDetectionLib.template_fit.learnt_template import deformable_template

# From the front, 750 mm away.
_FROM_FRONT = rigid.rigid(rigid.rotation_exp([np.pi / 2, 0, 0]) @ rigid.rotation_exp([0, 0, 0.3]), [5.0, -3.0, 750.0])
_SIZE = (96, 96)


@pytest.fixture(scope="module")
def known() -> Head:
    return phantom_head(3.0)


@pytest.fixture(scope="module")
def camera() -> PinholeCamera:
    return PinholeCamera.from_distances(1100.0, (4.0, 4.0), _SIZE, np.eye(4))


@pytest.fixture(scope="module")
def template(known: Head) -> DeformableTemplate:
    return deformable_template(known)


@pytest.fixture(autouse=True)
def _one_template(template: DeformableTemplate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_refinement, "usual_templates", lambda: (template,))
    # Fewer places than in use: here the head is near, or nowhere.
    monkeypatch.setattr(beginnings, "_PLACES_AT_ANY_DEPTH", 40)
    monkeypatch.setattr(template_fit, "_BEGINNINGS", 6)


def found_by_a_network(truth: np.ndarray, camera: PinholeCamera) -> LandmarkDetections:
    """Off by a centimetre together, and by some mm each."""
    off = rigid.about(truth.mean(axis=0), rigid.rigid(rigid.rotation_exp([0.08, -0.06, 0.05]), [9.0, -7.0, 0.0]))
    points = rigid.transform_points(off, truth)
    count, random = len(truth), np.random.default_rng(3)
    pixels = camera.project(points) + random.normal(size=(count, 2))
    square, cube = np.tile(9.0 * np.eye(2), (count, 1, 1)), np.tile(64.0 * np.eye(3), (count, 1, 1))
    return LandmarkDetections(
        skull_landmarks().names,
        *(pixels, square, points, cube, np.ones(count), np.ones(count, dtype=bool), pixels, square),
        *(2.7, 0.5, True, ""),
    )


def xray_of(head: Head, pose: np.ndarray, camera: PinholeCamera) -> Radiograph:
    image = Projector(head.ct).render(camera.rays(), pose[None])[0].reshape(_SIZE)
    return Radiograph(image, np.ones(_SIZE, dtype=bool), camera)


@pytest.mark.slow
def test_another_heads_landmarks_become_sharp_and_say_by_how_much(known: Head, camera: PinholeCamera) -> None:
    other = population_head([known], 3, seed=11, voxel_mm=2.0)
    pose = _FROM_FRONT @ rigid.inverse(ct_from_head(other.landmarks))
    truth = rigid.transform_points(pose, other.landmarks.points)
    found = found_by_a_network(truth, camera)
    sharper = refined_by_template(found, xray_of(other, pose, camera), depth_mm=float(truth[:, 2].mean()))
    off = sharper.pixels - camera.project(truth)
    assert sharper.is_fitted and not sharper.is_registered and sharper.is_sure
    assert (
        np.linalg.norm(off, axis=1).mean() < 0.3 * np.linalg.norm(found.pixels - camera.project(truth), axis=1).mean()
    )
    assert np.linalg.norm(sharper.camera_points - truth, axis=1).mean() < 6.0
    # Two on average where what is stated is right.
    stated = np.einsum("ni,nij,nj->n", off, np.linalg.inv(sharper.pixel_covariance), off)
    assert 0.1 < np.median(stated) < 6.0
    assert np.array_equal(sharper.camera_covariance, sharper.camera_covariance.transpose(0, 2, 1))
    # What the network found is kept beside it.
    assert np.array_equal(sharper.network_pixels, found.network_pixels)


def test_where_no_head_explains_an_x_ray_what_was_found_is_doubtful(known: Head, camera: PinholeCamera) -> None:
    pose = _FROM_FRONT @ rigid.inverse(ct_from_head(known.landmarks))
    found = found_by_a_network(rigid.transform_points(pose, known.landmarks.points), camera)
    stripes = np.broadcast_to(2 + np.sin(np.arange(96) / 2.5)[:, None], _SIZE).astype(np.float32)
    kept = refined_by_template(found, Radiograph(stripes, np.ones(_SIZE, dtype=bool), camera))
    assert np.array_equal(kept.pixels, found.pixels) and not kept.is_fitted
    assert found.is_sure and not kept.is_sure and "no template of a head" in kept.words
    assert "only the computed head" in kept.words


def test_where_too_little_is_shown_to_compare_what_was_found_stays(known: Head, camera: PinholeCamera) -> None:
    pose = _FROM_FRONT @ rigid.inverse(ct_from_head(known.landmarks))
    found = found_by_a_network(rigid.transform_points(pose, known.landmarks.points), camera)
    nothing = Radiograph(np.zeros(_SIZE, np.float32), np.zeros(_SIZE, dtype=bool), camera)
    assert refined_by_template(found, nothing) is found


@pytest.mark.slow
def test_what_the_network_held_less_likely_is_tried_where_the_likeliest_explains_nothing(
    known: Head, camera: PinholeCamera
) -> None:
    pose = _FROM_FRONT @ rigid.inverse(ct_from_head(known.landmarks))
    truth = rigid.transform_points(pose, known.landmarks.points)
    right = found_by_a_network(truth, camera)
    # Seen from above instead, and elsewhere.
    turned = rigid.about(truth.mean(axis=0), rigid.rigid(rigid.rotation_exp([1.5, 0.0, 0.0]), [40.0, 0.0, 0.0]))
    wrong = found_by_a_network(rigid.transform_points(turned, truth), camera)
    sharper = refined_by_template(replace(wrong, less_likely=(right,)), xray_of(known, pose, camera))
    assert sharper.is_fitted
    assert np.linalg.norm(sharper.pixels - camera.project(truth), axis=1).mean() < 2.0
