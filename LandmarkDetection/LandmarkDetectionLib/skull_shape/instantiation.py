"""A patient's skull from landmarks: the likeliest one, and how sure each part of it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64

from ..atlas.landmark_set import LandmarkSet, LandmarkStatus
from .measured_landmarks import MeasuredLandmarks
from .procrustes import best_rigid, rigid_tangents
from .shape_model import ShapeModel, SkullTemplate
from .surface import Surface
from .warp import Smoothness, Warp

# Adults' skulls differ from one template by about 5 % in each proportion and 3 mm locally, over the length of a bone.
_OF_A_TEMPLATE = Smoothness(strain=0.05, local_mm=3.0, reach_mm=60.0)
# What a model's modes leave is smaller and reaches less far. A model of few or computed heads is never that sure.
_RESIDUAL_REACH_MM = 40.0
_LEAST_RESIDUAL_MM = 0.5
# The pose is found with the shape; these are as good as no prior after the first alignment (rad, mm).
_POSE_STD = (0.5, 0.5, 0.5, 50.0, 50.0, 50.0)
_POSE_STEPS = 20
_POSE_CONVERGED = 1e-7


@dataclass(frozen=True, eq=False)
class SkullShape:
    """A patient's surface in the frame of the landmarks (mm) that it was made from.

    `vertex_std_mm` is the standard deviation of each vertex along the surface's normal. `landmarks` are all of the
    template's, those that were not measured too. `patient_from_template` is the rigid part of the way.
    """

    surface: Surface
    vertex_std_mm: Float64[np.ndarray, "n"]
    landmarks: LandmarkSet
    patient_from_template: Float64[np.ndarray, "4 4"]


def skull_from_landmarks(template: SkullTemplate | ShapeModel, measured: MeasuredLandmarks) -> SkullShape:
    """The likeliest skull with these landmarks, from a template warped to them or from a shape model.

    Landmarks that the template lacks are ignored, those that were not measured are found with the surface. Any surface
    of the template's head can be carried so, its skin too. InputError for fewer than four landmarks known in both, and
    for what `MeasuredLandmarks.checked` refuses.
    """
    start = template.mean if isinstance(template, ShapeModel) else template
    if not np.isfinite(start.landmarks).any():
        raise InputError("template", "none of its landmarks is known", "Choose another template.")
    in_template = np.isfinite(start.landmarks).all(axis=1)
    usable = measured.named(tuple(np.array(start.names)[in_template].tolist())).checked()
    known = np.flatnonzero(in_template)[usable.is_known]
    points, covariance = usable.points[usable.is_known], usable.covariance[usable.is_known]

    middle = start.landmarks[in_template].mean(axis=0)
    landmarks, vertices = start.landmarks - middle, start.surface.vertices - middle
    smoothness, modes = _expected(template)
    of_vertices = modes[:, len(landmarks) :]
    pose = best_rigid(landmarks[known], points, 1 / (1 + np.trace(covariance, axis1=1, axis2=2)))
    for _ in range(_POSE_STEPS):
        warp = _warp(smoothness, landmarks[known], modes[:, known], pose, points, covariance)
        step = warp.coefficients[-6:] * _POSE_STD
        pose = pose @ rigid.exp(step)
        if np.abs(step).max() < _POSE_CONVERGED:
            break
    found = warp.displaced(vertices, np.concatenate([of_vertices, _pose_basis(vertices)]))
    rotation = pose[:3, :3]
    surface = Surface(rigid.transform_points(pose, found.points), start.surface.faces)
    normals = surface.vertex_normals @ rotation
    variance = np.einsum("ni,nij,nj->n", normals, found.covariance, normals)
    return SkullShape(
        surface,
        np.sqrt(variance.clip(0)),
        _landmarks(start, warp, landmarks, modes, in_template, pose),
        pose @ rigid.rigid(np.eye(3), -middle),
    )


def _expected(template: SkullTemplate | ShapeModel) -> tuple[Smoothness, Float64[np.ndarray, "m l+n 3"]]:
    """How patients differ from the template: smoothly, and along a model's modes."""
    if isinstance(template, SkullTemplate):
        return _OF_A_TEMPLATE, np.zeros((0, len(template.points()), 3))
    residual = max(template.residual_mm, _LEAST_RESIDUAL_MM)
    return Smoothness(strain=0.0, local_mm=residual, reach_mm=_RESIDUAL_REACH_MM), template.modes


def _warp(
    smoothness: Smoothness,
    landmarks: Float64[np.ndarray, "k 3"],
    modes: Float64[np.ndarray, "m k 3"],
    pose: Float64[np.ndarray, "4 4"],
    points: Float64[np.ndarray, "k 3"],
    covariance: Float64[np.ndarray, "k 3 3"],
) -> Warp:
    """The warp in the template's frame, with the rest of the pose as six more displacements."""
    rotation = pose[:3, :3]
    return Warp(
        smoothness,
        landmarks,
        np.concatenate([modes, _pose_basis(landmarks)]),
        rigid.transform_points(rigid.inverse(pose), points),
        np.einsum("ai,nab,bj->nij", rotation, covariance, rotation),
    )


def _pose_basis(points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "6 n 3"]:
    return rigid_tangents(points) * np.reshape(_POSE_STD, (6, 1, 1))


def _landmarks(
    start: SkullTemplate,
    warp: Warp,
    landmarks: Float64[np.ndarray, "l 3"],
    modes: Float64[np.ndarray, "m l+n 3"],
    in_template: np.ndarray,
    pose: Float64[np.ndarray, "4 4"],
) -> LandmarkSet:
    """All landmarks where the warp puts them; the uncertainty along each axis is their mean."""
    points, std = np.full_like(landmarks, np.nan), np.full(len(landmarks), np.nan)
    there = landmarks[in_template]
    basis = np.concatenate([modes[:, : len(landmarks)][:, in_template], _pose_basis(there)])
    found = warp.displaced(there, basis)
    points[in_template] = rigid.transform_points(pose, found.points)
    std[in_template] = np.sqrt(np.trace(found.covariance, axis1=1, axis2=2).clip(0) / 3)
    status = tuple(LandmarkStatus.TRANSFERRED if here else LandmarkStatus.UNKNOWN for here in in_template)
    return LandmarkSet(start.names, points, std, status)
