"""LPS of DICOM and ITK files ↔ RAS of memory: the only place where the two meet."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def ras_points(lps_points: ArrayLike) -> Float64[np.ndarray, "*shape 3"]:
    """Points or directions (…, 3) from LPS to RAS (the same map leads back)."""
    return np.asarray(lps_points, dtype=np.float64) * [-1.0, -1.0, 1.0]


def ras_from_index(lps_from_index: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """A matrix that maps indices to LPS, made to map them to RAS (the same map leads back)."""
    return _FLIP @ lps_from_index


def ras_transform(lps_transform: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """A motion of LPS points as a motion of RAS points (the same map leads back)."""
    return _FLIP @ lps_transform @ _FLIP
