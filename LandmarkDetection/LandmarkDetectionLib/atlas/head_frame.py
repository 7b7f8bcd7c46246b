"""The Frankfurt frame of a head from its landmarks, and whether their right and left are exchanged.

The Frankfurt plane runs through both porions and the orbitales (Martin & Saller 1957). Where those are not known, the
frame is that of a known head laid over the landmarks that are there by a similarity (Umeyama, IEEE Trans. Pattern
Analysis and Machine Intelligence 13, 1991), which takes little notice of single points that are far off.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64

from .definitions import RESOURCES
from .landmark_set import LandmarkSet

_PORIONS = ("porion right", "porion left")
_ORBITALES = ("orbitale right", "orbitale left")
_FEWEST = 4
# Heads differ by some millimetres once they have the same size; what is much further off is a mistake.
_USUAL_DISTANCE_MM = 5.0
_ROUNDS = 30
# Points of one plane are their own mirror image: off it, they must reach this part of their extent.
_LEAST_DEPTH = 0.05


def ct_from_head(landmarks: LandmarkSet) -> Float64[np.ndarray, "4 4"]:
    """Frankfurt frame as a rigid matrix (RAS mm): x right, y front, z up, origin midway between the porions.

    InputError where too few landmarks are known for it: the porions with an orbitale, or any four that are in no
    plane.
    """
    four = landmarks.named((*_PORIONS, *_ORBITALES))
    if four.is_known[:2].all() and four.is_known[2:].any():
        return _frankfurt(four.points[:2], four.points[2:][four.is_known[2:]])
    return _fitted(landmarks, mirrored=False).frame


def is_mirrored(landmarks: LandmarkSet) -> bool:
    """Whether right and left are exchanged: a mirror image of a known head fits these landmarks better than the head.

    InputError where too few landmarks are known to tell.
    """
    return _fitted(landmarks, mirrored=True).cost < _fitted(landmarks, mirrored=False).cost


class _Fit(NamedTuple):
    frame: Float64[np.ndarray, "4 4"]
    cost: float


def _frankfurt(
    porions: Float64[np.ndarray, "2 3"], orbitales: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "4 4"]:
    origin, to_right = porions.mean(axis=0), porions[0] - porions[1]
    front = orbitales.mean(axis=0) - origin
    points = np.vstack([porions, orbitales])
    # The normal of the plane that fits the points best.
    up = np.linalg.svd(points - points.mean(axis=0))[2][2]
    up *= np.sign(up @ np.cross(to_right, front))
    right = to_right - (to_right @ up) * up
    length = np.linalg.norm(right)
    if length < 1 or np.linalg.norm(np.cross(front, right)) < length:
        raise InputError("landmarks", "porions and orbitales lie on a line", "Check where they were placed.")
    right /= length
    return rigid.rigid(np.column_stack([right, np.cross(up, right), up]), origin)


@cache
def _known_head() -> LandmarkSet:
    """Landmarks of the Visible Human's head in its own Frankfurt frame."""
    from .landmark_files import read_landmarks

    placed = read_landmarks(RESOURCES / "visible_human_landmarks.mrk.json")
    head_from_ct = rigid.inverse(ct_from_head(placed))
    points = rigid.transform_points(head_from_ct, placed.points)
    return LandmarkSet(placed.names, points, placed.uncertainty_mm, placed.status)


def _fitted(landmarks: LandmarkSet, mirrored: bool) -> _Fit:
    """The known head, or its mirror image, laid over the landmarks."""
    head = _known_head().named(landmarks.names)
    both = head.is_known & landmarks.is_known
    known, seen = head.points[both], landmarks.points[both]
    if len(seen) < _FEWEST or _depth(seen) < _LEAST_DEPTH or _depth(known) < _LEAST_DEPTH:
        raise InputError(
            "landmarks",
            f"{len(seen)} of the skull's are known, too few or all in one plane",
            "Place at least four, on both sides and in the middle.",
        )
    if mirrored:
        known = known * [-1.0, 1.0, 1.0]
    weights = np.ones(len(seen))
    for _ in range(_ROUNDS):
        rotation, scale, shift = _similarity(known, seen, weights)
        distance = np.linalg.norm(scale * known @ rotation.T + shift - seen, axis=1)
        weights = 1 / (1 + (distance / _USUAL_DISTANCE_MM) ** 2)
    cost = float(np.log1p((distance / _USUAL_DISTANCE_MM) ** 2).sum())
    # The known head's origin is midway between its porions already.
    return _Fit(rigid.rigid(rotation, shift), cost)


def _depth(points: Float64[np.ndarray, "n 3"]) -> float:
    """Extent across the plane that fits the points best, as a part of their largest extent."""
    sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return float(sizes[2] / max(sizes[0], 1e-9))


def _similarity(
    source: Float64[np.ndarray, "n 3"], target: Float64[np.ndarray, "n 3"], weights: Float64[np.ndarray, "n"]
) -> tuple[Float64[np.ndarray, "3 3"], float, Float64[np.ndarray, "3"]]:
    """Rotation, scale and shift with target ≈ scale · rotation · source + shift, by weighted least squares."""
    share = weights[:, None] / weights.sum()
    middle_of_source, middle_of_target = (share * source).sum(axis=0), (share * target).sum(axis=0)
    centred = source - middle_of_source
    U, sizes, Vt = np.linalg.svd((share * (target - middle_of_target)).T @ centred)
    proper = np.array([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    rotation = U @ np.diag(proper) @ Vt
    scale = float((sizes * proper).sum() / (share * centred**2).sum())
    return rotation, scale, middle_of_target - scale * rotation @ middle_of_source
