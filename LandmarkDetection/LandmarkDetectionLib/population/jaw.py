"""An opened mouth: the mandible, and what hangs on it, turned about the axis through both condyles.

In cylinder coordinates about that axis only the angle changes. It grows steadily with the template's angle, so nothing
folds, however sharply the amount differs between ramus and zygomatic arch or lower and upper teeth; a coarse grid
could not hold such edges, so this map is computed where it is needed.
"""

from __future__ import annotations

import math

import numpy as np
from DiffRegistrationLib.xray.projector.compile_cache import compiled
from jaxtyping import Float64

from .anatomy import Anatomy

Points = Float64[np.ndarray, "n 3"]

# The condyle's middle below its top.
_CONDYLE_MM = 5.0
# Angle over which closed teeth part, and by which the ramus reaches above the joint's level.
_GAP_DEG, _RAMUS_DEG = 6.0, 18.0
# Distance in which lower and upper incisors part.
_OVERLAP_MM = 3.0
_HALVINGS = 48


class Jaw:
    """The jaw of a head with this `anatomy`, opened by 0 … 12 degrees; points (mm) are in the Frankfurt frame."""

    def __init__(self, opening_deg: float, anatomy: Anatomy) -> None:
        axis = anatomy.condylion - [0, 0, _CONDYLE_MM]
        teeth = np.stack([anatomy.lower_first_molar, anatomy.lower_incisor, anatomy.upper_incisor])
        angles, radii = _polar(teeth, axis)
        bony = np.stack([anatomy.menton, anatomy.gonion, anatomy.coronoid_tip])
        (chin_angle, gonion_angle, _), (chin, gonion, coronoid) = _polar(bony, axis)
        between = 0.5 * (radii[1] + radii[2])
        # Distance and angle of where the turning sets in: behind the molars, at them, at the lower incisors, in front.
        bite = [radii[0] - 15, radii[0], max(between - _OVERLAP_MM / 2, radii[0] + 1), between + _OVERLAP_MM / 2]
        sets_in = [angles[0] + 6 - _GAP_DEG, angles[0] - _GAP_DEG, angles[1] - _GAP_DEG, angles[2]]
        ramus = abs(float(anatomy.gonion[0]))
        bones = [ramus, coronoid, chin_angle, chin, gonion_angle, gonion]
        self.parameters = np.array([opening_deg, axis[1], axis[2], *bones, *bite, *sets_in])
        """As `turned_back` reads them."""

    def closed(self, points: Points) -> Points:
        """Where points of the open-mouthed head are in the template."""
        moved = points.copy()
        _turn_all_back(moved, self.parameters)
        return moved

    def opened(self, points: Points) -> Points:
        """Where points of the template are in the open-mouthed head: the inverse, by bisection of the angle."""
        axis = np.array([0.0, self.parameters[1], self.parameters[2]])
        start, radius = _polar(points, axis)
        low, high = start.copy(), start + self.parameters[0]
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            back = middle - _amounts(np.abs(points[:, 0]), middle, radius, self.parameters)
            low, high = np.where(back < start, middle, low), np.where(back < start, high, middle)
        angle = np.radians(0.5 * (low + high))
        return np.column_stack([points[:, 0], axis[1] + radius * np.cos(angle), axis[2] - radius * np.sin(angle)])


def _polar(points: np.ndarray, axis: Float64[np.ndarray, "3"]) -> tuple[np.ndarray, np.ndarray]:
    """Angle (degrees, 0 to the front, 90 down, −90 to 270) and distance (mm) about the sideways line at `axis`."""
    front, down = points[..., 1] - axis[1], axis[2] - points[..., 2]
    angle = np.degrees(np.arctan2(down, front))
    return np.where(angle < -90, angle + 360, angle), np.hypot(front, down)


@compiled()
def _smooth(value, low, high):  # type: ignore[no-untyped-def]
    """0 below `low`, 1 above `high`, a cubic between."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@compiled()
def _amount(side, angle, radius, p):  # type: ignore[no-untyped-def]
    """By how many degrees what is now at `angle` was turned, `side` mm beside the middle."""
    opening, ramus, coronoid = p[0], p[3], p[4]
    chin_angle, chin, gonion_angle, gonion = p[5], p[6], p[7], p[8]
    # Where the turning sets in at this distance, linear between its four places.
    place = 0
    while place < 2 and radius > p[10 + place]:
        place += 1
    part = min(max((radius - p[9 + place]) / (p[10 + place] - p[9 + place]), 0.0), 1.0)
    sets_in = p[13 + place] + part * (p[14 + place] - p[13 + place])
    # The ramus lies beside the palate and within the zygomatic arches, and reaches up to the joint.
    lateral = _smooth(side, ramus - 14, ramus - 8) * (1 - _smooth(side, ramus + 5, ramus + 10))
    sets_in += (-_RAMUS_DEG - sets_in) * lateral * (1 - _smooth(radius, coronoid + 14, coronoid + 30))
    t = min(max((angle - sets_in) / (_GAP_DEG + opening), 0.0), 1.0)
    # Less steep than a cubic: its steepest is what keeps space from folding.
    amount = opening * (0.75 * t + 0.25 * t * t * (3 - 2 * t))
    if amount == 0:
        return 0.0
    # Behind the chin the spine stays, and behind the angle of the jaw the mastoid.
    lateral = _smooth(side, ramus - 24, ramus - 10)
    begin = chin_angle + (gonion_angle - chin_angle) * lateral + opening + 3
    end = max(gonion_angle + 30 * lateral, begin + 27)
    amount *= 1 - _smooth(angle, begin, end)
    past_chin = min(max((angle - opening - chin_angle) / max(gonion_angle - chin_angle, 1.0), 0.0), 1.0)
    border = chin + (gonion - chin) * past_chin
    return amount * (1 - _smooth(radius, border + 12, border + 50))


@compiled()
def turned_back(x, y, z, p):  # type: ignore[no-untyped-def]
    """y and z (mm) in the template of a point of the open-mouthed head."""
    front, down = y - p[1], p[2] - z
    # What lies higher than any ramus, or behind every angle of a jaw.
    if p[0] == 0 or down < -0.4 * abs(front) or (front < 0 and down < -0.5 * front):
        return y, z
    radius = math.sqrt(front * front + down * down)
    amount = math.radians(_amount(abs(x), math.degrees(math.atan2(down, front)), radius, p))
    if amount == 0:
        return y, z
    cosine, sine = math.cos(amount), math.sin(amount)
    return p[1] + cosine * front + sine * down, p[2] - cosine * down + sine * front


@compiled()
def _turn_all_back(points, p):  # type: ignore[no-untyped-def]
    for n in range(points.shape[0]):
        points[n, 1], points[n, 2] = turned_back(points[n, 0], points[n, 1], points[n, 2], p)


@compiled()
def _amounts(side, angle, radius, p):  # type: ignore[no-untyped-def]
    found = np.empty_like(angle)
    for n in range(len(angle)):
        found[n] = _amount(side[n], angle[n], radius[n], p)
    return found
