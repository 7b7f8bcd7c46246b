"""How well one bone meets another after a fit, as a whole and around each landmark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Bool, Float64
from scipy.spatial import cKDTree

from .bone_points import BonePoints
from .definitions import skull_landmarks
from .deformable_fit import Deformation
from .head_alignment import Target, features
from .landmark_set import LandmarkSet, LandmarkStatus

# Bone whose nearest bone, facing the same way, is farther off has not been matched.
_MATCH_MM = 4.0
# A landmark is judged by this many points of bone around it (4 mm apart), none farther than that.
_NEIGHBOURS = 50
_REACH_MM = 25.0
# Less of the bone around a landmark than this has bone of the CT near, however it faces: the CT does not show it.
_LEAST_SHOWN = 0.4
_SHOWN_MM = 5.0
# Bones that a CT may lack though their neighbours are there: so much of the template's bone, just below its surface,
# must lie in bone around the landmarks that the CT reaches. Without a jaw 0.1 does, with anyone's jaw 0.5 and more.
_LEAST_FILLED = 0.3
_CLOSEST = 25
_BELOW_MM = (1.0, 2.0)
# What remains where bone matches perfectly; what one landmark may slide along smooth bone; what bone that found no
# match adds; what each millimetre beyond the CT's edge adds.
_LEAST_MM = 0.6
_UNMATCHED_MM = 6.0
_PER_MM_OUTSIDE = 0.1
_GRID_MM = 4.0


@dataclass(frozen=True, eq=False)
class Fit:
    """The template's surface points and how each was met.

    `residual_mm` is along the normal of the nearest bone; `seen`: where the CT reaches; `shown`: where it has bone
    near; `matched`: where that faces the same way; `filled` (0…1): whether it has bone just below the surface. The
    other figures are those of `Transfer`.
    """

    points: Float64[np.ndarray, "n 3"]
    residual_mm: Float64[np.ndarray, "n"]
    seen: Bool[np.ndarray, "n"]
    shown: Bool[np.ndarray, "n"]
    matched: Bool[np.ndarray, "n"]
    filled: Float64[np.ndarray, "n"]
    overlap: float
    surface_mm: float
    agreement: float
    bend_mm: float


def measured_fit(template: BonePoints, ct: BonePoints, deformation: Deformation) -> Fit:
    """How the template's bone, deformed, meets the CT's."""
    keep = template.thinned(4.0)
    points = template.points[keep]
    moved = deformation(points)
    bend = moved - rigid.transform_points(deformation.affine, points)
    facing = deformation.normals(points, template.normals[keep])
    target = Target(ct, 3.0)
    distance, at = target.nearest(moved, facing)
    residual = np.abs(np.sum(target.normals[at] * (target.points[at] - moved), axis=1))
    seen = ct.depth_in_field(moved) > 0
    matched = seen & (distance < _MATCH_MM)
    shown = seen & (cKDTree(target.points).query(moved, workers=-1)[0] < _SHOWN_MM)
    # The other way, for bone of the CT where the template has a say: in its box, carried back by the affine part.
    back = rigid.transform_points(np.linalg.inv(deformation.affine), target.points)
    inside = template.depth_in_field(back) > 0
    back_distance = np.asarray(
        cKDTree(features(moved, facing)).query(features(target.points[inside], target.normals[inside]), workers=-1)[0]
    )
    shares = matched.sum() / max(1, seen.sum()), float((back_distance < _MATCH_MM + 1).mean()) if inside.any() else 0.0
    return Fit(
        points,
        residual,
        seen,
        shown,
        matched,
        _filled(ct, deformation, points, template.normals[keep]),
        _overlap(template, ct, deformation),
        float(residual[matched].mean()) if matched.any() else float("nan"),
        # So much of the template's bone must be in the CT for full marks.
        float(np.sqrt(shares[0] * shares[1]) * min(1.0, seen.mean() / 0.4)),
        float(np.sqrt((bend[seen] ** 2).sum() / max(1, seen.sum()))),
    )


def judged(landmarks: LandmarkSet, ct: BonePoints, deformation: Deformation, fit: Fit) -> LandmarkSet:
    """The template's landmarks in the CT, each with its standard deviation and whether the CT shows it."""
    known = landmarks.is_known
    points = np.full_like(landmarks.points, np.nan)
    points[known] = deformation(landmarks.points[known])
    sigma = np.full(len(known), np.nan)
    status = [LandmarkStatus.UNKNOWN] * len(known)
    distance, near = map(np.asarray, cKDTree(fit.points).query(landmarks.points[known], k=_NEIGHBOURS))
    counted = distance < np.maximum(_REACH_MM, distance[:, 9:10] + 1)
    seen = counted & fit.seen[near]
    matched = counted & fit.matched[near]
    share = matched.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    misfit = np.sqrt((fit.residual_mm[near] ** 2 * matched).sum(axis=1) / np.maximum(matched.sum(axis=1), 1))
    depth = ct.depth_in_field(points[known])
    shown = counted & fit.shown[near]
    outside = (depth < 0) | (shown.sum(axis=1) < _LEAST_SHOWN * counted.sum(axis=1))
    closest = near[:, :_CLOSEST]
    names = [name for name, there in zip(landmarks.names, known, strict=True) if there]
    reached = fit.seen[closest].mean(axis=1) > 0.5
    for bone in _loose_bones():
        of_bone = np.array([name in bone for name in names], dtype=bool)
        judges = of_bone & reached
        if judges.any() and fit.filled[closest[judges]].mean() < _LEAST_FILLED:
            outside |= of_bone
    spread = np.sqrt(
        landmarks.uncertainty_mm[known] ** 2
        + _LEAST_MM**2
        + misfit**2
        + (_UNMATCHED_MM * (1 - share)) ** 2
        + (_PER_MM_OUTSIDE * np.maximum(-depth, 0)) ** 2
    )
    sigma[known] = spread
    for place, hidden in zip(np.flatnonzero(known), outside, strict=True):
        status[place] = LandmarkStatus.OUTSIDE if hidden else LandmarkStatus.TRANSFERRED
    return LandmarkSet(landmarks.names, points, sigma, tuple(status))


def _loose_bones() -> tuple[set[str], set[str]]:
    """The landmarks of the jaw, with its teeth, and those of the neck."""
    definitions = skull_landmarks().definitions
    jaw = {one.name for one in definitions if one.region == "mandible" or one.name.startswith("lower ")}
    return jaw, {one.name for one in definitions if one.region == "cervical spine"}


def _filled(
    ct: BonePoints,
    deformation: Deformation,
    points: Float64[np.ndarray, "n 3"],
    normals: Float64[np.ndarray, "n 3"],
) -> Float64[np.ndarray, "n"]:
    """Part of the places just below points of the template's surface that are bone in the CT."""
    return np.mean([_bone_at(ct, deformation(points - depth * normals))[0] for depth in _BELOW_MM], axis=0)


def _bone_at(
    ct: BonePoints, places: Float64[np.ndarray, "n 3"]
) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Whether there is bone at places of the CT's frame, and whether the CT reaches there."""
    at = np.round(ct.voxels_of(places)).astype(int)
    there = np.asarray(((at >= 0) & (at < np.array(ct.is_bone.shape[::-1]))).all(axis=1))
    bone = np.zeros(len(places), dtype=bool)
    i, j, k = at[there].T
    bone[there] = ct.is_bone[k, j, i]
    return bone, there


def _overlap(template: BonePoints, ct: BonePoints, deformation: Deformation) -> float:
    """Dice coefficient of bone on a grid of the template, where the CT reaches."""
    steps = [max(1, round(_GRID_MM / float(edge))) for edge in np.linalg.norm(template.ct_from_voxel[:3, :3], axis=0)]
    bone = template.is_bone[:: steps[2], :: steps[1], :: steps[0]]
    index = np.argwhere(np.ones_like(bone))[:, ::-1] * steps
    own = bone.ravel()
    both = either = 0
    # A part at a time: each point has 64 weights per lattice.
    for part in np.array_split(np.arange(len(index)), max(1, len(index) // 20_000)):
        places = deformation(rigid.transform_points(template.ct_from_voxel, index[part]))
        other, there = _bone_at(ct, places)
        both += int((own[part] & other).sum())
        either += int(own[part][there].sum() + other.sum())
    return 2 * both / either if either else 0.0
