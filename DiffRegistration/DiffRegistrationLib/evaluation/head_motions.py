"""How a head moves in front of two fluoroscopes: neck flexion and walking, as poses over time and a neck that bends.

Amplitudes are those that are usual for healthy people (neck: Swartz, Floyd & Cendoma, J Athl Train 40(3), 2005;
walking: Pozzo, Berthoz & Lefort, Exp Brain Res 82(1), 1990), with the head running partly out of the images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64
from scipy import ndimage

from ..xray.ct import CT
from ..xray.geometry import rigid

# The head turns about the middle of the neck, so far from its centre (right, anterior, superior; mm).
_NECK_FROM_CENTRE = np.array([0.0, -10.0, -95.0])
# Below a plane from the nape to under the chin (y, z in mm of the Visible Human's CT) the neck bends, all of the way
# so far below it.
_NAPE, _CHIN, _BENDING_OVER_MM = (-75.0, 60.0), (100.0, 10.0), 70.0


@dataclass(frozen=True)
class Activity:
    """`motion` gives, for parts of the run from 0 to 1, turns of the head about right, anterior, superior (°), shifts
    along them (mm), and by how much the neck is flexed (°)."""

    name: str
    words: str
    motion: Callable[[float], tuple[tuple[float, float, float], tuple[float, float, float], float]]


def _flexion(part: float) -> tuple[tuple[float, float, float], tuple[float, float, float], float]:
    """From rest into 40° of flexion, 30° of extension, and back; a little turned and bent sideways on the way."""
    angle = 5.0 + 35.0 * np.sin(2 * np.pi * part)
    # Nodding forward is a turn about the right axis toward −.
    return (-angle, 2.0 * np.sin(4 * np.pi * part), 3.0 * np.sin(2 * np.pi * part)), (0.0, 0.0, 0.0), angle


def _walking(part: float) -> tuple[tuple[float, float, float], tuple[float, float, float], float]:
    """Two strides on a treadmill, drifting from one end of the field to the other."""
    stride = 2 * np.pi * 2 * part
    turns = (4.0 * np.sin(2 * stride + 0.4), 3.0 * np.sin(stride), 6.0 * np.sin(stride + 1.0))
    drift = 130.0 * part - 65.0
    shifts = (22.0 * np.sin(stride), drift + 8.0 * np.sin(2 * stride), 22.0 * np.sin(2 * stride + 2.0))
    return turns, shifts, -turns[0]


ACTIVITIES: Mapping[str, Activity] = {
    activity.name: activity
    for activity in (
        Activity("neck-flexion", "neck flexion from 30° of extension to 40° of flexion and back", _flexion),
        Activity("walking", "two strides on a treadmill, drifting by 130 mm", _walking),
    )
}


def pose_of(activity: Activity, part: float, rest: Float64[np.ndarray, "4 4"], ct: CT) -> Float64[np.ndarray, "4 4"]:
    """Pose (world_from_ct) at a part of the run; `rest` is that of a head that does not move."""
    turns, shifts, _ = activity.motion(part)
    axes = rest[:3, :3]
    pivot = rigid.transform_points(rest, [ct.centre + _NECK_FROM_CENTRE])[0]
    pose = rest
    for axis, degrees in zip(np.eye(3), turns, strict=True):
        pose = rigid.move_about(pivot, [*(axes @ axis * np.radians(degrees)), 0, 0, 0], pose)
    return rigid.rigid(np.eye(3), axes @ np.array(shifts)) @ pose


def bent(ct: CT, activity: Activity, part: float) -> CT:
    """The CT (upright, axes of its grid along the body) with its neck bent so that the trunk stays behind the head."""
    _, _, flexion = activity.motion(part)
    if abs(flexion) < 0.1:
        return ct
    slope = (_CHIN[1] - _NAPE[1]) / (_CHIN[0] - _NAPE[0])
    spacing, origin = np.diag(ct.ct_from_voxel)[:3], ct.ct_from_voxel[:3, 3]
    highest = int(np.ceil((max(_NAPE[1], _CHIN[1]) - origin[2]) / spacing[2])) + 1
    k, j, i = np.mgrid[0:highest, 0 : ct.attenuation.shape[1], 0 : ct.attenuation.shape[2]].astype(np.float32)
    y, z = origin[1] + spacing[1] * j, origin[2] + spacing[2] * k
    below = (_NAPE[1] + slope * (y - _NAPE[0]) - z) * np.float32(1 / np.hypot(1, slope))
    part_of_way = np.clip(below / _BENDING_OVER_MM, 0, 1)
    # Smooth at both ends; what is found there comes from where the neck lay before it was turned back.
    angle = -np.radians(flexion) * part_of_way**2 * (3 - 2 * part_of_way)
    pivot_y, pivot_z = 0.0, _NAPE[1] + slope * (0.0 - _NAPE[0])
    dy, dz = y - pivot_y, z - pivot_z
    from_y = pivot_y + np.cos(angle) * dy - np.sin(angle) * dz
    from_z = pivot_z + np.sin(angle) * dy + np.cos(angle) * dz
    places = [(from_z - origin[2]) / spacing[2], (from_y - origin[1]) / spacing[1], i]
    attenuation = ct.attenuation.copy()
    attenuation[:highest] = ndimage.map_coordinates(ct.attenuation, places, order=1, mode="nearest")
    return replace(ct, attenuation=attenuation)
