"""The rigid motion that brings points to others."""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64


def best_rigid(
    source: Float64[np.ndarray, "n 3"],
    target: Float64[np.ndarray, "n 3"],
    weights: Float64[np.ndarray, "n"] | None = None,
) -> Float64[np.ndarray, "4 4"]:
    """target_from_source with the least weighted sum of squared distances (Arun et al., IEEE TPAMI 9(5), 1987)."""
    weights = np.ones(len(source)) if weights is None else weights
    weights = weights / weights.sum()
    from_middle, to_middle = weights @ source, weights @ target
    spread = (target - to_middle).T @ (weights[:, None] * (source - from_middle))
    U, _, Vt = np.linalg.svd(spread)
    rotation = U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt
    return rigid.rigid(rotation, to_middle - rotation @ from_middle)


def rigid_tangents(points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "6 n 3"]:
    """Displacements of points under the six small motions ξ = (ω, v) about the origin, per rad and per mm."""
    turns = [np.cross(axis, points) for axis in np.eye(3)]
    shifts = [np.broadcast_to(axis, points.shape) for axis in np.eye(3)]
    return np.stack([*turns, *shifts])
