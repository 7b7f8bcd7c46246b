"""A pose by way of points in space: each landmark triangulated by itself, then the CT's landmarks laid onto them.

This is how dual fluoroscopy is usually read (Zhou et al., arXiv 2108.06466); it is here to be compared with the pose
that all pixels of all views make together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from DiffRegistrationLib.registration.landmark_start import CTLandmarks, SeenLandmarks
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera, rigid
from DiffRegistrationLib.xray.geometry.triangulation import triangulate
from jaxtyping import Float64

_LEAST_POINTS = 4
_LEAST_WEIGHT = 0.5
# Points that lie farther off than so many times the usual distance count less; after so many rounds it is settled.
_FAR, _ROUNDS = 1.5, 20


def pose_from_triangulated(
    known: CTLandmarks, seen: Sequence[SeenLandmarks], cameras: Sequence[Camera]
) -> Float64[np.ndarray, "4 4"]:
    """Pose (world_from_ct) from the landmarks that all views show. InputError for fewer than four of them."""
    shared = [name for name in known.names if all(_is_seen(view, name) for view in seen)]
    if len(shared) < _LEAST_POINTS:
        raise InputError(
            "landmarks",
            f"{len(shared)} of them are seen in every X-ray, at least {_LEAST_POINTS} are needed",
            "Points in space need two rays each; the pose from all pixels together does not.",
        )
    pixels = np.stack([[view.pixels[view.names.index(name)] for name in shared] for view in seen])
    points = triangulate(cameras, pixels).points
    there = np.isfinite(points).all(axis=1)
    own = known.points[[known.names.index(name) for name in shared]]
    return _laid_onto(own[there], points[there])


def _is_seen(view: SeenLandmarks, name: str) -> bool:
    if name not in view.names:
        return False
    at = view.names.index(name)
    return bool(view.weight[at] > _LEAST_WEIGHT and np.isfinite(view.pixels[at]).all())


def _laid_onto(own: Float64[np.ndarray, "n 3"], there: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "4 4"]:
    """The rigid motion (Kabsch, Acta Cryst. A32, 1976) that brings `own` points to `there`, outliers weighed down."""
    weights = np.ones(len(own))
    pose = np.eye(4)
    for _ in range(_ROUNDS):
        middle, aim = (np.average(points, axis=0, weights=weights) for points in (own, there))
        u, _, vt = np.linalg.svd((own - middle).T @ (weights[:, None] * (there - aim)))
        turn = vt.T @ np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))]) @ u.T
        pose = rigid.rigid(turn, aim - turn @ middle)
        off = np.linalg.norm(rigid.transform_points(pose, own) - there, axis=1)
        weights = np.minimum(1.0, _FAR * max(float(np.median(off)), 1e-9) / np.maximum(off, 1e-9))
    return pose
