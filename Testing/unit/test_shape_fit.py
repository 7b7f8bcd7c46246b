"""Landmarks brought together by how heads are: hidden ones follow, and what is stated of errors holds."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.geometry import rigid
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.shape_prior.landmark_shape import LandmarkShape, patient_shape, shape_of
from LandmarkDetectionLib.shape_prior.shape_fit import MeasuredPlaces, fitted_places

FIELD = 0.35


@pytest.fixture(scope="module")
def shape() -> LandmarkShape:
    return patient_shape(phantom_head(4.0))


def _placed(points: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Landmarks before the camera (mm), their places, and half the image's width at their depth (mm)."""
    turn = rigid.rotation_exp(random.uniform(-0.4, 0.4, 3)) @ rigid.rotation_exp(np.array([np.pi / 2, 0, 0]))
    seen = points @ turn.T + [*random.uniform(-30, 30, 2), random.uniform(600, 900)]
    depth = seen[:, 2].mean()
    scale = 0.5 * FIELD * depth
    places = np.column_stack([2 * seen[:, :2] / (FIELD * seen[:, 2:]), (seen[:, 2] - depth) / scale])
    return seen, places, scale


def test_exact_places_of_a_known_head_give_its_points_in_space(shape: LandmarkShape) -> None:
    seen, places, scale = _placed(shape.mean, np.random.default_rng(1))
    sure = np.full(len(places), 0.1 / scale)
    found = fitted_places(shape, MeasuredPlaces(places, sure, sure, FIELD))
    assert np.abs(found.points - seen).max() < 0.5
    assert np.abs(found.pixels - places[:, :2]).max() * scale < 0.05


def test_what_is_hidden_follows_what_is_seen(shape: LandmarkShape) -> None:
    random = np.random.default_rng(2)
    _, places, scale = _placed(shape.mean, random)
    hidden = random.uniform(size=len(places)) < 0.6
    across = np.where(hidden, 40.0, 1.0) / scale
    measured = places + random.normal(size=places.shape) * np.column_stack([across, across, across])
    found = fitted_places(shape, MeasuredPlaces(measured, across, across, FIELD))
    error = np.linalg.norm(found.pixels - places[:, :2], axis=1) * scale
    assert np.linalg.norm(measured - places, axis=1)[hidden].mean() * scale > 30
    assert error[hidden].mean() < 3


def test_wrong_places_do_not_pull(shape: LandmarkShape) -> None:
    random = np.random.default_rng(3)
    _, places, scale = _placed(shape.mean, random)
    wrong = np.zeros(len(places), dtype=bool)
    wrong[::6] = True
    measured = (
        places
        + np.where(wrong[:, None], random.uniform(-60, 60, places.shape), random.normal(size=places.shape)) / scale
    )
    sure = np.full(len(places), 1.0 / scale)
    found = fitted_places(shape, MeasuredPlaces(measured, sure, sure, FIELD))
    error = np.linalg.norm(found.pixels - places[:, :2], axis=1) * scale
    assert error.mean() < 1.5


def test_stated_errors_hold_over_heads_that_differ() -> None:
    random = np.random.default_rng(4)
    mean = patient_shape(phantom_head(4.0)).mean
    bends = np.stack([mean * [0.05, 0, 0], mean * [0, 0.05, 0], mean * [0, 0, 0.06]])

    def head() -> np.ndarray:
        return mean + np.tensordot(random.normal(size=3), bends, axes=1) + random.normal(0, 0.7, mean.shape)

    known = shape_of([head() for _ in range(80)])
    squared, errors, before = [], [], []
    for _ in range(30):
        _, places, scale = _placed(head(), random)
        across = np.where(random.uniform(size=len(places)) < 0.5, 1.5, 15.0) / scale
        measured = places + random.normal(size=places.shape) * np.column_stack([across] * 3)
        found = fitted_places(known, MeasuredPlaces(measured, across, across, FIELD))
        off = found.pixels - places[:, :2]
        squared.append(np.einsum("ni,nij,nj->n", off, np.linalg.inv(found.pixel_covariance), off))
        errors.append(np.linalg.norm(off, axis=1) * scale)
        before.append(np.linalg.norm(measured[:, :2] - places[:, :2], axis=1) * scale)
    assert np.mean(errors) < 0.3 * np.mean(before)
    # Two numbers a landmark: 2 on average where what is stated is right.
    assert 1.2 < np.mean(squared) < 3.0


def test_a_given_distance_is_kept(shape: LandmarkShape) -> None:
    larger = LandmarkShape(1.05 * shape.mean, 0.05 * shape.mean[None], shape.rest_mm)
    seen, places, scale = _placed(shape.mean, np.random.default_rng(5))
    sure = np.full(len(places), 0.5 / scale)
    found = fitted_places(larger, MeasuredPlaces(places, sure, sure, FIELD), depth_mm=float(seen[:, 2].mean()))
    assert abs(found.points[:, 2].mean() - seen[:, 2].mean()) < 4
    assert np.linalg.norm(found.points - seen, axis=1).mean() < 4
