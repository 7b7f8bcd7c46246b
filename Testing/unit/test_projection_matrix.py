"""Projection matrices of any scale and sign become the camera that made them; mirrors are told."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from DiffRegistrationLib.xray.geometry.projection_matrix import camera_from_projection_matrix

SIZE = (900, 1200)
K = np.array([[5200.0, 3.0, 640.0], [0.0, 4900.0, 431.0], [0.0, 0.0, 1.0]])
V_UP = np.array([[1.0, 0, 0], [0, -1, SIZE[0] - 1], [0, 0, 1]])


@pytest.fixture
def camera() -> PinholeCamera:
    return PinholeCamera(K, rigid.rigid(rigid.rotation_exp([0.4, -1.9, 0.3]), [12.0, -30.0, 800.0]), SIZE, (0.2, 0.2))


@pytest.mark.parametrize("scale", [1.0, 1e-6, -1.0, -3.7e4, 2e9])
def test_camera_is_recovered_whatever_the_scale(camera, scale):
    found = camera_from_projection_matrix(scale * camera.projection_matrix, SIZE, (0.2, 0.2))
    np.testing.assert_allclose(found.intrinsic, K, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.camera_from_world, camera.camera_from_world, atol=1e-9)
    assert found.size == SIZE
    assert found.source_detector_distance == pytest.approx(camera.source_detector_distance)


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_a_mirrored_matrix_is_refused_and_its_remedy_works(camera, scale):
    mirrored = scale * V_UP @ camera.projection_matrix
    with pytest.raises(InputError, match="mirrors the image"):
        camera_from_projection_matrix(mirrored, SIZE)
    found = camera_from_projection_matrix(V_UP @ mirrored, SIZE)
    np.testing.assert_allclose(found.camera_from_world, camera.camera_from_world, atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_the_point_in_front_tells_which_way_a_camera_looks(camera, scale):
    """The world's origin moved behind the source: taken at its word, the same matrix would be a mirror."""
    camera = camera.moved(rigid.rigid(np.eye(3), 3 * camera.source))
    matrix = scale * camera.projection_matrix
    in_front = camera.back_project(np.array([[600.0, 400.0]]), 500.0)[0]
    found = camera_from_projection_matrix(matrix, SIZE, point_in_front=in_front)
    np.testing.assert_allclose(found.project(in_front[None]), [[600, 400]], atol=1e-6)
    behind = camera.back_project(np.array([[600.0, 400.0]]), -500.0)[0]
    with pytest.raises(InputError, match="mirrors the image"):
        camera_from_projection_matrix(matrix, SIZE, point_in_front=behind)


def test_a_camera_at_the_world_s_origin_keeps_its_sign():
    found = camera_from_projection_matrix(K @ np.eye(3, 4), SIZE)
    np.testing.assert_allclose(found.camera_from_world, np.eye(4), atol=1e-12)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda P: 0 * P, "singular"),
        (lambda P: P[[0, 0, 2]], "singular"),
        (lambda P: np.vstack([P[:2], [0, 0, 0, 1]]), "singular"),
        (lambda P: np.where(P[0, 0] == P, np.nan, P), "NaN"),
        (lambda P: P[:, :3], "3×4"),
    ],
)
def test_matrices_without_a_source_are_refused(camera, spoil, problem):
    with pytest.raises(InputError, match=problem):
        camera_from_projection_matrix(spoil(camera.projection_matrix), SIZE)
