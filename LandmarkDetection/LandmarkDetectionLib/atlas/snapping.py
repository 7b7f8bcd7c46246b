"""Landmarks that are nearly in place, moved to where their definitions say on the CT at hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from DiffRegistrationLib.xray.ct import CT
from jaxtyping import Float64

from .bone_surface import bone_surface_near
from .definitions import LandmarkDefinition, SnapKind, skull_landmarks
from .eye_lens import eye_lens_near
from .landmark_set import LandmarkSet

# A point gains height h by sliding s along the surface if h > s²/2r: it settles on a tip that is sharper than r and
# stays where the surface is flatter, where height says little. Off the midline a point of the midline slides less.
_SLIDE_MM = 10.0
_SLIDE_OFF_MIDLINE_MM = 2.0
# Crossings that score so much less than the best count 1/e of it.
_AS_GOOD_MM = 0.15
# A crumb of fewer crossings is noise, or calcified soft tissue.
_SMALLEST_PIECE = 12
# cos of the angle between the surface's normal and the direction that it has to face.
_FACING = 0.3


def snapped(ct: CT, landmarks: LandmarkSet, ct_from_head: Float64[np.ndarray, "4 4"]) -> LandmarkSet:
    """Each landmark moved by the rule of its definition; directions are those of the Frankfurt frame `ct_from_head`.

    Unknown landmarks, those outside the CT, those without a rule, and those that find nothing within their radius stay
    where they are. Status and uncertainty stay as well.
    """
    skull = skull_landmarks()
    points = landmarks.points.copy()
    for number in np.flatnonzero(landmarks.is_in_ct & landmarks.is_known):
        name = landmarks.names[number]
        if name in skull.names:
            points[number] = _snapped(ct, points[number], skull.definition(name), ct_from_head[:3, :3])
    return replace(landmarks, points=points)


def _snapped(
    ct: CT, start: Float64[np.ndarray, "3"], landmark: LandmarkDefinition, axes: Float64[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "3"]:
    rule = landmark.snap
    if rule.kind is SnapKind.LENS:
        lens = eye_lens_near(ct, start, rule.radius_mm)
        return start if lens is None else lens
    if rule.kind is SnapKind.NONE or rule.direction is None:
        return start
    direction = np.array(rule.direction)
    surface = bone_surface_near(ct, start, rule.radius_mm)
    surface = surface.where(np.bincount(surface.pieces, minlength=1)[surface.pieces] >= _SMALLEST_PIECE)
    if rule.kind is SnapKind.SURFACE:
        # Not the inner table of the vault, nor the far side of a thin bone.
        surface = surface.where(surface.normals @ axes @ direction > _FACING)
    if not len(surface.points):
        return start
    nearest = int(np.argmin(np.linalg.norm(surface.points - start, axis=1)))
    if rule.kind is SnapKind.SURFACE:
        # The foot of the perpendicular on the plane there, for crossings are as far apart as voxels.
        normal = surface.normals[nearest]
        return start + ((surface.points[nearest] - start) @ normal) * normal
    # Without what lies across a joint.
    surface = surface.where(surface.pieces == surface.pieces[nearest])
    shift = (surface.points - start) @ axes
    height = shift @ direction
    slide = shift - height[:, None] * direction
    reach = np.array([_SLIDE_OFF_MIDLINE_MM if landmark.side == "midline" else _SLIDE_MM, _SLIDE_MM, _SLIDE_MM])
    score = height - (slide**2 / (2 * reach)).sum(axis=1)
    # Sideways the mean of the best, for crossings are as far apart as voxels.
    share = np.exp((score - score.max()) / _AS_GOOD_MM)
    return start + axes @ (share @ slide / share.sum() + height[np.argmax(score)] * direction)
