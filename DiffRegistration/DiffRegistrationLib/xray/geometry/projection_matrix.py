"""A camera from a 3×4 projection matrix, by RQ decomposition (Hartley & Zisserman, §6.2.4)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from ..errors import InputError
from . import rigid
from .pinhole import PinholeCamera

_SUBJECT = "projection matrix"

# Nearer to the source's plane than this a point says nothing about which side is in front.
_LEAST_DEPTH_MM = 1e-6


def camera_from_projection_matrix(
    matrix: ArrayLike,
    size: tuple[int, int],
    pixel_spacing: tuple[float, float] | None = None,
    point_in_front: ArrayLike = (0.0, 0.0, 0.0),
) -> PinholeCamera:
    """The camera with `matrix` ~ K [R | t], whatever the matrix's scale and sign.

    `matrix` (3×4) maps world RAS mm to pixels (u right, v down, centres at integers) of an image of `size` (rows,
    columns); `pixel_spacing` is (between rows, between columns) in mm on the detector.

    A mirrored image and a negative scale both change the sign of the matrix's determinant, so the matrix alone does
    not tell them apart. `point_in_front` (world mm; the world's origin unless told otherwise) does: the scale takes
    the sign that puts this point in front of the source, or stays as it is if the point lies in the source's plane.

    InputError for numbers that are not finite, a matrix that is singular, and a mirrored one: no camera of ours sees a
    mirrored image, so the image has to be turned over, and the matrix with it.
    """
    P = np.asarray(matrix, dtype=np.float64)
    if P.shape != (3, 4):
        raise InputError(_SUBJECT, f"expected 3×4 numbers, got {P.shape}", "Give the three rows of K [R | t].")
    if not np.isfinite(P).all():
        raise InputError(_SUBJECT, "contains NaN or infinity", "Give finite numbers.")
    row_lengths = np.linalg.norm(P[:, :3], axis=1)
    if not abs(np.linalg.det(P[:, :3])) > 1e-9 * row_lengths.prod():
        raise InputError(
            _SUBJECT,
            "its left 3×3 part is singular, so it has no point source",
            "Check that no row was lost and that its scale is not zero.",
        )
    depth = float(P[2, :3] @ np.asarray(point_in_front, dtype=np.float64) + P[2, 3]) / row_lengths[2]
    if depth < -_LEAST_DEPTH_MM:
        P = -P
    if np.linalg.det(P[:, :3]) < 0:
        x, y, z = np.asarray(point_in_front, dtype=np.float64)
        raise InputError(
            _SUBJECT,
            f"it mirrors the image, if the world point ({x:g}, {y:g}, {z:g}) mm lies in front of the source",
            "If v runs upward, turn the image upside down by rows and multiply the matrix from the left by "
            "[1 0 0; 0 −1 rows−1; 0 0 1]; if it is seen from the detector, mirror its columns likewise; if the point "
            "lies behind the source, name one that does not.",
        )
    scaled_K, R = _rq(P[:, :3])
    t = np.linalg.solve(scaled_K, P[:, 3])
    return PinholeCamera(scaled_K / scaled_K[2, 2], rigid.orthonormalised(rigid.rigid(R, t)), size, pixel_spacing)


def _rq(
    matrix: Float64[np.ndarray, "3 3"],
) -> tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "3 3"]]:
    """Upper triangular factor with a positive diagonal, and orthogonal factor, of a regular matrix."""
    turned = np.linalg.qr(matrix[::-1].T)
    R = turned.Q.T[::-1]
    K = np.triu(turned.R.T[::-1, ::-1])
    signs = np.sign(np.diag(K))
    return K * signs, R * signs[:, None]
