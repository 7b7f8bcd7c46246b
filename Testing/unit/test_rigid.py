"""Rigid motions against scipy's general matrix functions, near 0 and near π, where formulas break."""

import numpy as np
import pytest
import scipy.linalg
from DiffRegistrationLib.xray.geometry import rigid

ANGLES = [0.0, 1e-12, 1e-7, 1e-3, 0.0999, 0.1001, 1.0, 2.0, 2.2, np.pi - 1e-3, np.pi - 1e-7]
AXES = [np.array(a) / np.linalg.norm(a) for a in ([1.0, 2, -3], [0, 0, -1], [-1, 1e-9, 1], [1, 1, 1])]


def twist_matrix(twist: np.ndarray) -> np.ndarray:
    matrix = np.zeros((4, 4))
    matrix[:3, :3] = rigid.skew(twist[:3])
    matrix[:3, 3] = twist[3:]
    return matrix


@pytest.fixture(params=[(angle, i) for angle in ANGLES for i in range(len(AXES))], ids=str)
def omega(request: pytest.FixtureRequest) -> np.ndarray:
    angle, axis = request.param
    return angle * AXES[axis]


def test_exponential_is_the_matrix_exponential(omega):
    twist = np.concatenate([omega, [30.0, -200.0, 5.0]])
    np.testing.assert_allclose(rigid.exp(twist), scipy.linalg.expm(twist_matrix(twist)), rtol=0, atol=2e-12)


def test_logarithm_undoes_the_exponential(omega):
    twist = np.concatenate([omega, [30.0, -200.0, 5.0]])
    np.testing.assert_allclose(rigid.log(rigid.exp(twist))[:3], twist[:3], rtol=0, atol=2e-14)
    np.testing.assert_allclose(rigid.log(rigid.exp(twist)), twist, rtol=0, atol=1e-11)


def test_logarithm_is_the_matrix_logarithm():
    twist = np.array([0.4, -1.1, 0.9, 10.0, 20.0, -30.0])
    motion = scipy.linalg.expm(twist_matrix(twist))
    np.testing.assert_allclose(twist_matrix(rigid.log(motion)), scipy.linalg.logm(motion).real, atol=1e-12)


@pytest.mark.parametrize("axis", AXES, ids=str)
def test_half_turn_has_a_logarithm_of_length_pi(axis):
    half_turn = 2 * np.outer(axis, axis) - np.eye(3)
    omega = rigid.rotation_log(half_turn)
    assert np.linalg.norm(omega) == pytest.approx(np.pi, abs=1e-12)
    np.testing.assert_allclose(np.abs(omega @ axis), np.pi, atol=1e-12)


def test_left_jacobian_is_the_derivative_of_the_exponential(omega):
    step = 1e-5
    for i in range(3):
        delta = step * np.eye(3)[i]
        moved = rigid.rotation_exp(omega + delta) @ rigid.rotation_exp(omega - delta).T
        np.testing.assert_allclose(
            rigid.left_jacobian(omega)[:, i], rigid.rotation_log(moved) / (2 * step), rtol=0, atol=1e-9
        )


def test_inverse_of_left_jacobian_is_its_inverse(omega):
    np.testing.assert_allclose(
        rigid.left_jacobian_inverse(omega) @ rigid.left_jacobian(omega), np.eye(3), rtol=0, atol=1e-13
    )


def test_increment_turns_about_its_centre_and_is_found_again():
    pose = rigid.exp([0.3, -0.2, 0.5, 100.0, -40.0, 7.0])
    centre = np.array([12.0, -80.0, 300.0])
    twist = np.array([0.2, 0.1, -0.4, 3.0, -2.0, 1.0])
    moved = rigid.move_about(centre, twist, pose)
    in_ct = rigid.transform_points(rigid.inverse(pose), [centre])
    np.testing.assert_allclose(rigid.transform_points(moved, in_ct)[0] - centre, twist[3:], atol=1e-12)
    np.testing.assert_allclose(rigid.increment_between(centre, moved, pose), twist, atol=1e-12)
    assert rigid.angle_between(moved, pose) == pytest.approx(np.linalg.norm(twist[:3]), abs=1e-12)


def test_nearest_rotation_of_a_drifted_matrix_is_rigid_and_mirrors_are_told():
    pose = rigid.exp([0.3, -0.2, 0.5, 100.0, -40.0, 7.0])
    drifted = pose.copy()
    drifted[:3, :3] += 1e-5 * np.arange(9).reshape(3, 3)
    assert rigid.is_rigid(rigid.orthonormalised(drifted), tolerance=1e-14)
    assert rigid.angle_between(rigid.orthonormalised(drifted), pose) < 1e-4
    assert not rigid.is_rigid(pose @ np.diag([-1.0, 1, 1, 1]))
