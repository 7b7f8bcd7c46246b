"""Maps from a deformed head back to its template, one for each smooth way in which heads differ.

A resampled image asks where each of its voxels comes from, so maps lead back. The neck turns about an axis from right
to left: in cylinder coordinates only the angle changes, and since it grows steadily with the template's angle, nothing
can fold, however the amount depends on the distance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from .anatomy import Anatomy
from .head_variation import HeadVariation

Points = Float64[np.ndarray, "n 3"]
PullBack = Callable[[Points], Points]


def shape_pull_back(variation: HeadVariation, anatomy: Anatomy) -> PullBack:
    """Proportions of vault, face and jaw; `anatomy` is the template's."""
    v = variation
    scale = (1 + v.size) * (1 + np.array([v.breadth, v.length, v.height]))
    condyle = anatomy.condylion
    chin = float(anatomy.nasion[2] - anatomy.menton[2])
    front = float(anatomy.nasion[1])
    bite_slope = (anatomy.lower_incisor[2] - condyle[2]) / (anatomy.lower_incisor[1] - condyle[1])
    border_slope = (anatomy.menton[2] - anatomy.gonion[2]) / (anatomy.menton[1] - anatomy.gonion[1])

    def pull_back(points: Points) -> Points:
        # Near enough to the template for weights that are as smooth as these.
        x, y, z = (points / scale).T
        face = smooth(y, 0, 0.5 * front)
        below = np.clip(anatomy.nasion[2] - z, 0, chin + 10)
        height = below * smooth(below, 0, 20) * face
        depth = y * face * (1 - smooth(z, 0, 45))
        bite = condyle[2] + bite_slope * (y - condyle[1])
        border = anatomy.gonion[2] + border_slope * np.clip(y - anatomy.gonion[1], 0, None)
        jaw = smooth(bite - z, 0, 22) * smooth(y, anatomy.gonion[1] - 20, anatomy.gonion[1] + 8)
        jaw *= 1 - smooth(border - z, 10, 50)
        across = v.asymmetry * x * np.tanh(x / 30) + v.jaw_width * x * jaw + v.chin_mm * (below / chin) ** 2 * face
        along = v.face_depth * depth + v.jaw_length * (y - condyle[1]) * jaw
        return np.column_stack([x - across, y - along, z + v.face_height * height])

    return pull_back


def neck_pull_back(flexion_deg: float, anatomy: Anatomy) -> PullBack:
    """The neck, bent under the skull about the occipital condyles: forward for positive angles, up to 12 degrees.

    Half of it happens at the joints of the atlas, the rest on the way down.
    """
    axis = anatomy.basion + 0.25 * (anatomy.opisthion - anatomy.basion) - [0, 0, 3]

    def pull_back(points: Points) -> Points:
        angle, radius = _polar(points, axis)
        # The atlas surrounds the axis, further down the jaw's angle stays with the skull.
        low = smooth(radius, 24, 42)
        amount = 0.5 * flexion_deg * (1 + smooth(radius, 12, 110))
        amount = amount * smooth(angle, 2 + 48 * low, 30 + 55 * low) * (1 - smooth(angle, 150, 188))
        return _turned_back(points, axis, -amount)

    return pull_back


def wave_pull_back(variation: HeadVariation) -> PullBack:
    """What no anatomy names: a smooth random field."""
    vectors, phase = variation.wave_vector.astype(np.float32), variation.wave_phase.astype(np.float32)
    amplitude = variation.wave_mm.astype(np.float32)

    def pull_back(points: Points) -> Points:
        # Single precision: a thousandth of a millimetre, in half the time.
        swing = points.astype(np.float32) @ vectors.T
        swing += phase
        return points - np.cos(swing, out=swing) @ amplitude

    return pull_back


def chained(pull_backs: list[PullBack]) -> PullBack:
    """One after the other, the first one first."""

    def pull_back(points: Points) -> Points:
        for one in pull_backs:
            points = one(points)
        return points

    return pull_back


def smooth(values: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """0 below `low`, 1 above `high`, a cubic between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _polar(points: np.ndarray, axis: Float64[np.ndarray, "3"]) -> tuple[np.ndarray, np.ndarray]:
    """Angle (degrees, 0 to the front, 90 down, −90 to 270) and distance (mm) about the sideways line at `axis`."""
    front, down = points[..., 1] - axis[1], axis[2] - points[..., 2]
    angle = np.degrees(np.arctan2(down, front))
    return np.where(angle < -90, angle + 360, angle), np.hypot(front, down)


def _turned_back(points: Points, axis: Float64[np.ndarray, "3"], amount_deg: np.ndarray) -> Points:
    """Points turned about the axis from their angle to one that is less by the amount."""
    cosine, sine = np.cos(np.radians(amount_deg)), np.sin(np.radians(amount_deg))
    front, down = points[:, 1] - axis[1], axis[2] - points[:, 2]
    return np.column_stack(
        [points[:, 0], axis[1] + cosine * front + sine * down, axis[2] - (cosine * down - sine * front)]
    )
