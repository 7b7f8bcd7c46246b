"""Turning the network's camera toward a CT that has been seen: its centre in the middle of the image, head up.

A camera that turns about its source sees the same shadow, only elsewhere in its image. Where in the image the CT lies,
and how it is rolled, need therefore not be learnt together with how it is turned: the first look tells the one, and a
second look, at an image that no longer varies by it, tells the other.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

# A CT whose long axis points so nearly along the beam has no side that is up.
_LEAST_SLANT = 0.1


def turn_toward(pose: Float64[np.ndarray, "4 4"], ct_centre: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """turned_from_camera for a CT at `pose` (camera_from_ct, mm), of whose own frame `ct_centre` is."""
    centre = pose[:3, :3] @ ct_centre + pose[:3, 3]
    z = centre / np.linalg.norm(centre)
    down = -pose[:3, 2] + (pose[:3, 2] @ z) * z
    if np.linalg.norm(down) < _LEAST_SLANT:
        down = np.array([0.0, 1.0, 0.0]) - z[1] * z
    y = down / np.linalg.norm(down)
    return np.stack([np.cross(y, z), y, z])
