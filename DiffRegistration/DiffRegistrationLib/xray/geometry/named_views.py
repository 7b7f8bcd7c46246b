"""Views by name: after the way of the beam (AP: front to back) or the side next to the detector (left lateral)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

# Where the beam goes in the patient's RAS axes, for each view.
VIEW_BEAMS = {
    "ap": (0.0, -1.0, 0.0),
    "pa": (0.0, 1.0, 0.0),
    "left-lateral": (-1.0, 0.0, 0.0),
    "right-lateral": (1.0, 0.0, 0.0),
}


def rotation_of_view(view: str) -> Float64[np.ndarray, "3 3"]:
    """camera_from_patient of a view by name, the head up in the image; KeyError for a name that is none."""
    beam = np.array(VIEW_BEAMS[view])
    down = np.array([0.0, 0.0, -1.0])
    return np.stack([np.cross(down, beam), down, beam])
