"""How pixels move with points, whatever the camera."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from .camera import Camera

_STEP_MM = 0.05


def projection_derivative(camera: Camera, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 2 3"]:
    """Derivative of (u, v) by points of the world (px/mm), by central differences."""
    moved = [
        (camera.project(points + _STEP_MM * axis) - camera.project(points - _STEP_MM * axis)) / (2 * _STEP_MM)
        for axis in np.eye(3)
    ]
    return np.stack(moved, axis=-1)
