"""Organs that are small enough to be points with a radius: the lenses of the eyes, and about where the thyroid is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import PinholeCamera, rigid
from jaxtyping import Float64

from ..atlas.head_frame import ct_from_head
from ..atlas.landmark_set import LandmarkSet
from .field import Field, distance_inside

# An adult's lens is 9 to 10 mm across (Standring 2016, Gray's Anatomy).
LENS_RADIUS_MM = 4.5
# The gland's middle lies before C6 and C7, so many mm in front of and below the arch of the atlas: the height of five
# vertebrae with their discs. The neck bends, and necks differ: the last number is how far off that can easily be.
_THYROID_FROM_C1_MM = (0.0, 25.0, -92.0)
_THYROID_RADIUS_MM, _THYROID_UNCERTAINTY_MM = 20.0, 20.0
_C1 = "C1 anterior tubercle"


class Place(StrEnum):
    """Where an organ lies to the field."""

    INSIDE = "inside"
    """All of it is in the field."""
    EDGE = "edge"
    """The field's edge runs through it."""
    OUTSIDE = "outside"
    """Nothing of it is in the field."""


@dataclass(frozen=True, eq=False)
class PointOrgan:
    """A sphere (mm, the CT's frame); `approximate` where it was guessed from the skeleton."""

    name: str
    centre: Float64[np.ndarray, "3"]
    radius_mm: float
    uncertainty_mm: float
    approximate: bool = False


@dataclass(frozen=True)
class OrganInField:
    """How an organ lies to the field: `margin_mm` from its centre to the field's nearest edge, at the organ's depth.

    Negative outside, NaN for an organ behind the source. `distance_mm` is from the source.
    """

    place: Place
    margin_mm: float
    distance_mm: float


def point_organs(landmarks: LandmarkSet) -> tuple[PointOrgan, ...]:
    """Those whose landmarks are known, lenses first; the thyroid from the atlas, and only about there."""
    organs = []
    for side in ("right", "left"):
        name = f"eye lens {side}"
        if name in landmarks.names and np.isfinite(landmarks.point(name)).all():
            uncertainty = float(landmarks.uncertainty_mm[landmarks.names.index(name)])
            organs.append(PointOrgan(name, landmarks.point(name), LENS_RADIUS_MM, uncertainty))
    if _C1 in landmarks.names and np.isfinite(landmarks.point(_C1)).all():
        try:
            axes = ct_from_head(landmarks)[:3, :3]
        except InputError:
            return tuple(organs)
        centre = landmarks.point(_C1) + axes @ _THYROID_FROM_C1_MM
        organs.append(PointOrgan("thyroid", centre, _THYROID_RADIUS_MM, _THYROID_UNCERTAINTY_MM, approximate=True))
    return tuple(organs)


def organ_in_field(organ: PointOrgan, camera: PinholeCamera, field: Field) -> OrganInField:
    """Where an organ lies to the field of a camera in the CT's frame; distances in the plane through its centre that
    is parallel to the detector.
    """
    x, y, depth = rigid.transform_points(camera.camera_from_world, organ.centre[None])[0]
    distance = float(np.sqrt(x * x + y * y + depth * depth))
    if depth <= 0:
        return OrganInField(Place.OUTSIDE, float("nan"), distance)
    homogeneous = np.column_stack([field.corners, np.ones(len(field.corners))])
    corners = np.linalg.solve(camera.intrinsic, homogeneous.T).T[:, :2] * depth
    margin = distance_inside(corners, np.array([x, y]))
    place = Place.EDGE
    if abs(margin) >= organ.radius_mm:
        place = Place.INSIDE if margin > 0 else Place.OUTSIDE
    return OrganInField(place, margin, distance)
