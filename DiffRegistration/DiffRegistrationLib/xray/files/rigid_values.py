"""Rigid matrices as files give them: rounded, or not rigid at all."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from ..errors import InputError
from ..geometry import rigid

# Text files with four decimals are off by about 1e-4; what is off by more was never a rotation.
_TOLERANCE = 1e-3


def rigid_from_file(subject: object, name: str, matrix: ArrayLike) -> Float64[np.ndarray, "4 4"]:
    """The rigid 4×4 motion nearest to `matrix` (4×4, mm), unchanged where it is one to rounding.

    InputError, about `name` in `subject`, for a wrong shape, numbers that are not finite, a mirror, or a matrix
    further than rounding from any rotation (the message tells how far).
    """
    try:
        motion = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        motion = np.empty(0)
    if motion.shape != (4, 4) or not np.isfinite(motion).all():
        raise InputError(subject, f"{name} is not 4×4 finite numbers", "Write it row by row, translations in mm.")
    R = motion[:3, :3]
    error = float(max(np.abs(R @ R.T - np.eye(3)).max(), np.abs(motion[3] - [0, 0, 0, 1]).max()))
    if np.linalg.det(R) < 0:
        raise InputError(
            subject,
            f"the rotation in {name} mirrors (determinant {np.linalg.det(R):.3g}, expected 1)",
            "Check the signs of its axes: a rigid motion never turns a right hand into a left one.",
        )
    if error > _TOLERANCE:
        raise InputError(
            subject,
            f"{name} is not rigid: R·Rᵀ is off the identity by {error:.3g}, at most {_TOLERANCE:g} is rounding",
            "Remove scale and shear from it; only rotation and translation can be used.",
        )
    return motion if error < 1e-12 else rigid.orthonormalised(motion)
