"""Where the parts of a head are that deform on their own, told by its landmarks in its Frankfurt frame."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64

from ..atlas.head_frame import ct_from_head
from ..atlas.landmark_set import LandmarkSet

Point = Float64[np.ndarray, "3"]

# Where they are in the computed head (mm, Frankfurt frame), for those that a head does not know.
_USUAL = {
    "porion": (56.5, 0.0, 0.0),
    "nasion": (0.0, 88.3, 26.5),
    "basion": (0.0, -7.0, -19.5),
    "opisthion": (0.0, -39.0, -26.0),
    "upper incisor": (0.0, 87.1, -53.5),
    "lower incisor": (0.0, 84.2, -50.5),
    "lower first molar": (23.5, 57.3, -52.0),
    "menton": (0.0, 77.2, -91.6),
    "condylion": (50.5, 12.4, -0.5),
    "gonion": (47.6, 8.1, -58.9),
    "coronoid tip": (48.0, 36.8, -3.8),
    "euryon": (71.8, -14.5, 43.6),
    "vertex": (0.0, -3.7, 114.3),
    "glabella": (0.0, 92.2, 38.5),
    "opisthocranion": (0.0, -88.4, 32.9),
}
_PAIRED = {"porion", "condylion", "gonion", "coronoid tip", "euryon", "lower first molar"}
_PORION_MM = 56.5


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Points (mm, Frankfurt frame: x right, y front); of pairs the right one, averaged with the left one's image."""

    porion: Point
    nasion: Point
    basion: Point
    opisthion: Point
    upper_incisor: Point
    lower_incisor: Point
    lower_first_molar: Point
    menton: Point
    condylion: Point
    gonion: Point
    coronoid_tip: Point
    euryon: Point
    vertex: Point
    glabella: Point
    opisthocranion: Point

    @classmethod
    def of(cls, landmarks: LandmarkSet) -> Self:
        """That of a head with these landmarks. InputError where they are too few for a head's frame.

        What is not known is where it usually is in a head as broad as this one.
        """
        points = rigid.transform_points(rigid.inverse(ct_from_head(landmarks)), landmarks.points)
        at = dict(zip(landmarks.names, points, strict=True))
        found = {name: _found(name, at) for name in _USUAL}
        porion = found["porion"]
        broad = 1.0 if porion is None else abs(float(porion[0])) / _PORION_MM
        return cls(
            **{
                name.replace(" ", "_"): broad * np.array(_USUAL[name]) if point is None else point
                for name, point in found.items()
            }
        )

    def as_points(self) -> Float64[np.ndarray, "n 3"]:
        """All of them, in their order."""
        return np.stack([getattr(self, field.name) for field in fields(self)])

    @classmethod
    def from_points(cls, points: Float64[np.ndarray, "n 3"]) -> Self:
        """The inverse of `as_points`."""
        return cls(*points)


def _found(name: str, at: dict[str, Point]) -> Point | None:
    """The point of this name, or of a pair's two, with the left one mirrored to the right; None where not known."""
    if name not in _PAIRED:
        sides = [(at.get(name), 1.0)]
    else:
        sides = [(at.get(f"{name} right"), 1.0), (at.get(f"{name} left"), -1.0)]
    known = [point * [mirror, 1.0, 1.0] for point, mirror in sides if point is not None and np.isfinite(point).all()]
    return np.mean(known, axis=0) if known else None
