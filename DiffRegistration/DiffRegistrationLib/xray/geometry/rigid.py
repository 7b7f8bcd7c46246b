"""Rigid motions SE(3): exponential, logarithm and their Jacobians, exact near zero.

A twist is ξ = (ω, v): ω in rad, v in mm. Sources: Barfoot, *State Estimation for Robotics*, §7.1 (exp, log and left
Jacobian); the coefficients switch to their Taylor series where the closed forms cancel.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

# Below this angle the series to θ⁶ are exact to double precision while the closed forms lose digits.
_SERIES_ANGLE = 0.1


def skew(vector: ArrayLike) -> Float64[np.ndarray, "3 3"]:
    """[v]×, the matrix with [v]× w = v × w."""
    x, y, z = np.asarray(vector, dtype=np.float64)
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _coefficients(angle: float) -> tuple[float, float, float]:
    """(sin θ/θ, (1 − cos θ)/θ², (θ − sin θ)/θ³)."""
    if angle < _SERIES_ANGLE:
        s = angle * angle
        return (
            1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72))),
            0.5 * (1 - s / 12 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90)))),
            (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110)))) / 6,
        )
    return np.sin(angle) / angle, (1 - np.cos(angle)) / angle**2, (angle - np.sin(angle)) / angle**3


def rotation_exp(omega: ArrayLike) -> Float64[np.ndarray, "3 3"]:
    """Rotation matrix of the rotation vector ω (rad)."""
    omega = np.asarray(omega, dtype=np.float64)
    a, b, _ = _coefficients(float(np.linalg.norm(omega)))
    W = skew(omega)
    return np.eye(3) + a * W + b * W @ W


def rotation_log(rotation: Float64[np.ndarray, "3 3"]) -> Float64[np.ndarray, "3"]:
    """Rotation vector ω (rad, |ω| ≤ π) of a rotation matrix; stable from 0 to π."""
    R = np.asarray(rotation, dtype=np.float64)
    antisymmetric = 0.5 * np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    sine = float(np.linalg.norm(antisymmetric))
    cosine = 0.5 * (float(np.trace(R)) - 1.0)
    angle = float(np.arctan2(sine, cosine))
    if cosine > -0.5:
        return antisymmetric / _coefficients(angle)[0]
    # Near π the antisymmetric part vanishes; the symmetric part is (1 − cos θ) n nᵀ, whose columns all point along n.
    symmetric = 0.5 * (R + R.T) - cosine * np.eye(3)
    column = symmetric[:, int(np.argmax(np.diag(symmetric)))]
    axis = column / np.linalg.norm(column)
    return angle * (axis if axis @ antisymmetric >= 0 else -axis)


def left_jacobian(omega: ArrayLike) -> Float64[np.ndarray, "3 3"]:
    """J with exp(ω + δ) ≈ exp(J δ) exp(ω); also carries v into the translation of exp(ξ)."""
    omega = np.asarray(omega, dtype=np.float64)
    _, b, c = _coefficients(float(np.linalg.norm(omega)))
    W = skew(omega)
    return np.eye(3) + b * W + c * W @ W


def left_jacobian_inverse(omega: ArrayLike) -> Float64[np.ndarray, "3 3"]:
    """Inverse of `left_jacobian`: d log(exp(δ) exp(ω)) / dδ."""
    omega = np.asarray(omega, dtype=np.float64)
    angle = float(np.linalg.norm(omega))
    a, b, _ = _coefficients(angle)
    W = skew(omega)
    # (1 − a/2b)/θ² cancels near zero, so its series stands in there.
    if angle < _SERIES_ANGLE:
        s = angle * angle
        k = (1 + s / 60 * (1 + s / 42 * (1 + s / 40))) / 12
    else:
        k = (1 - a / (2 * b)) / angle**2
    return np.eye(3) - 0.5 * W + k * W @ W


def rigid(rotation: ArrayLike, translation: ArrayLike) -> Float64[np.ndarray, "4 4"]:
    """4×4 matrix of a rotation (3×3) and a translation (3, mm)."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = translation
    return matrix


def exp(twist: ArrayLike) -> Float64[np.ndarray, "4 4"]:
    """Rigid motion of the twist ξ = (ω rad, v mm)."""
    twist = np.asarray(twist, dtype=np.float64)
    return rigid(rotation_exp(twist[:3]), left_jacobian(twist[:3]) @ twist[3:])


def log(motion: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "6"]:
    """Twist ξ = (ω rad, v mm) of a rigid motion."""
    omega = rotation_log(motion[:3, :3])
    return np.concatenate([omega, left_jacobian_inverse(omega) @ motion[:3, 3]])


def inverse(motion: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """Inverse of a rigid motion."""
    R = motion[:3, :3]
    return rigid(R.T, -R.T @ motion[:3, 3])


def about(centre: ArrayLike, motion: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """The same motion with `centre` (3, mm) as its origin: T(c) · motion · T(−c)."""
    centre = np.asarray(centre, dtype=np.float64)
    return rigid(motion[:3, :3], motion[:3, :3] @ -centre + motion[:3, 3] + centre)


def move_about(centre: ArrayLike, twist: ArrayLike, pose: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """`pose` moved by the left increment ξ = (ω, v) about `centre` (world mm): the solver's step.

    Rotation and translation stay apart (R = exp ω about the centre, then v), so v is the centre's displacement in mm.
    """
    twist = np.asarray(twist, dtype=np.float64)
    return about(centre, rigid(rotation_exp(twist[:3]), twist[3:])) @ pose


def increment_between(
    centre: ArrayLike, moved: Float64[np.ndarray, "4 4"], pose: Float64[np.ndarray, "4 4"]
) -> Float64[np.ndarray, "6"]:
    """The ξ with `moved = move_about(centre, ξ, pose)`: ω in rad, v = displacement of `centre` in mm."""
    centre = np.asarray(centre, dtype=np.float64)
    motion = about(-centre, moved @ inverse(pose))
    return np.concatenate([rotation_log(motion[:3, :3]), motion[:3, 3]])


def angle_between(first: Float64[np.ndarray, "4 4"], second: Float64[np.ndarray, "4 4"]) -> float:
    """Geodesic angle in rad between two rotations."""
    return float(np.linalg.norm(rotation_log(first[:3, :3] @ second[:3, :3].T)))


def is_rigid(matrix: Float64[np.ndarray, "4 4"], tolerance: float = 1e-4) -> bool:
    """Whether a 4×4 matrix is a proper rigid motion within `tolerance`."""
    R = matrix[:3, :3]
    return bool(
        np.allclose(R @ R.T, np.eye(3), atol=tolerance)
        and np.linalg.det(R) > 0
        and np.allclose(matrix[3], [0, 0, 0, 1], atol=tolerance)
    )


def orthonormalised(motion: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """The rigid motion nearest to a matrix whose rotation has drifted by rounding (SVD)."""
    U, _, Vt = np.linalg.svd(motion[:3, :3])
    return rigid(U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt, motion[:3, 3])


def transform_points(motion: Float64[np.ndarray, "4 4"], points: ArrayLike) -> Float64[np.ndarray, "n 3"]:
    """Points (N, 3) moved by a 4×4 matrix."""
    # Not @: for hundreds of thousands of rays BLAS starts threads that quarrel with the kernel's over the cores.
    points = np.asarray(points, dtype=np.float64)
    return np.einsum("nj,ij->ni", points, motion[:3, :3]) + motion[:3, 3]
