"""Where one head lies in the frame of another, from nothing but their bones: any position, any orientation.

First every orientation is tried: the template's bone, turned, is correlated with the CT's at all shifts at once (by
FFT) with a band that rewards bone on bone and punishes bone beside bone. Then the best poses are refined by iterative
closest points (Chen & Medioni 1992: point to plane) with robust weights, and the one that explains most bone is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Complex64, Float32, Float64, Int
from scipy import fft, ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from .bone_points import BonePoints

_CELL_MM = 9.0
_ORIENTATIONS = 500
_CANDIDATES = 10
# How far outside the CT's box the template's centre may lie: a CT of the face alone.
_BESIDE_MM = 40.0
# Heads differ less than this from each other along any axis; without bounds a head shrinks onto a finger's bone.
_STRETCHES = (0.8, 1.25)
# Bone within 9 mm is bone on bone; what lies some 20 mm beside it is held against a pose.
_BAND_MM = (8.0, 20.0)
# Normals that face apart count like so many mm of distance per unit of their difference.
NORMAL_WEIGHT_MM = 8.0


@dataclass(frozen=True)
class Alignment:
    """`ct_from_template` is a rigid motion and, about the head, stretches; `agreement` (0…1) is the part of the bone
    that finds bone facing the same way within `MATCH_MM`, both ways, where both CTs show something."""

    ct_from_template: Float64[np.ndarray, "4 4"]
    agreement: float


MATCH_MM = 6.0


class Target:
    """The surface that points are drawn to, ready to be asked for the nearest place that faces the same way."""

    def __init__(self, bone: BonePoints, spacing_mm: float) -> None:
        keep = bone.thinned(spacing_mm)
        self.bone = bone
        self.points = bone.points[keep]
        self.normals = bone.normals[keep]
        self.tree = cKDTree(features(self.points, self.normals))

    def nearest(
        self, points: Float64[np.ndarray, "n 3"], normals: Float64[np.ndarray, "n 3"]
    ) -> tuple[Float64[np.ndarray, "n"], Int[np.ndarray, "n"]]:
        """Distance (mm, that of the normals included) to the nearest point and its index."""
        distance, index = self.tree.query(features(points, normals), workers=-1)
        return np.asarray(distance), np.asarray(index)


def features(points: Float64[np.ndarray, "n 3"], normals: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 6"]:
    """Points and normals as one vector, in mm."""
    return np.hstack([points, NORMAL_WEIGHT_MM * normals])


def aligned(
    template: BonePoints,
    ct: BonePoints,
    known: tuple[Float64[np.ndarray, "m 3"], Float64[np.ndarray, "m 3"]] | None = None,
    tell: Callable[[float], None] = lambda part: None,
) -> Alignment:
    """The template's head in the CT's frame: rotation, shift and three stretches with shears (an affine map). `known`
    are points of the template and where they are in the CT; three or more of them are a start of their own."""
    starts = _starts(template, ct, lambda part: tell(0.6 * part))
    if known is not None and len(known[0]) >= 3:
        starts.append(_superposed(*known))
    target, source = Target(ct, 8.0), Target(template, 8.0)
    refined = []
    for number, start in enumerate(starts):
        matrix = _closest_points(source, target, start, (15.0, 12.0, 9.0, 8.0, 7.0), similar=True)
        refined.append(Alignment(matrix, agreement(source, target, matrix)))
        tell(0.6 + 0.3 * (number + 1) / len(starts))
    best = max(refined, key=lambda one: one.agreement)
    target, source = Target(ct, 5.0), Target(template, 5.0)
    matrix = _closest_points(source, target, best.ct_from_template, (10.0, 8.0, 6.0, 5.0, 5.0, 5.0), similar=True)
    matrix = _closest_points(source, target, matrix, (8.0, 8.0, 6.0, 6.0, 5.0, 5.0, 5.0, 5.0), similar=False)
    tell(1.0)
    return Alignment(matrix, agreement(source, target, matrix))


def agreement(source: Target, target: Target, ct_from_template: Float64[np.ndarray, "4 4"]) -> float:
    """The part of the bone, both ways, that finds bone facing the same way within MATCH_MM, where both CTs show
    something; little common field counts against it."""
    parts, fields = [], []
    for of, to, matrix in (
        (source, target, ct_from_template),
        (target, source, np.linalg.inv(ct_from_template)),
    ):
        points = rigid.transform_points(matrix, of.points)
        seen = to.bone.depth_in_field(points) > 0
        fields.append(float(seen.mean()))
        if seen.sum() < 50:
            return 0.0
        distance, _ = to.nearest(points[seen], turned(matrix, of.normals[seen]))
        parts.append(float((distance < MATCH_MM).mean()))
    # A face that is not in the CT costs nothing, a head that is hardly in it does.
    return float(np.sqrt(parts[0] * parts[1]) * min(1.0, max(fields) / 0.5))


def turned(matrix: Float64[np.ndarray, "4 4"], normals: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Normals of a surface that is mapped by an affine map."""
    mapped = normals @ np.linalg.inv(matrix[:3, :3])
    return mapped / np.linalg.norm(mapped, axis=1, keepdims=True)


def _starts(template: BonePoints, ct: BonePoints, tell: Callable[[float], None]) -> list[Float64[np.ndarray, "4 4"]]:
    """The best poses by correlation, best first, no two alike."""
    points = template.points[template.thinned(6.0)]
    centre = points.mean(axis=0)
    points = points - centre
    places = ct.points[ct.thinned(6.0)]
    corners = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T
    size = np.array(ct.is_bone.shape[::-1])
    corners = rigid.transform_points(ct.ct_from_voxel, (corners + 0.5) * size - 0.5)
    low, high = corners.min(axis=0), corners.max(axis=0)
    # The transform is periodic: with so much room the template, its centre in the CT's box or a little beside it, does
    # not reach the CT's other side.
    room = np.linalg.norm(points, axis=1).max() + 2 * _BESIDE_MM
    cells = np.array([fft.next_fast_len(int(n), real=True) for n in np.ceil((high - low + room) / _CELL_MM)])
    band = fft.rfftn(_band(_splat(places - low, cells)), workers=-1)
    centres = low + _CELL_MM * (np.moveaxis(np.indices(tuple(cells)), 0, -1) + 0.5)
    shown = ct.depth_in_field(centres.reshape(-1, 3)).reshape(tuple(cells)) > 0
    field = fft.rfftn(shown.astype(np.float32), workers=-1)
    last = np.ceil((high - low + _BESIDE_MM) / _CELL_MM)
    found = []
    for number, rotation in enumerate(_orientations(_ORIENTATIONS)):
        mass = fft.rfftn(_splat(points @ rotation.T, cells), workers=-1)
        score, shift = _best_shift(mass, band, field, cells, len(points))
        shift = np.where(shift > last, shift - cells, shift)
        found.append((score, rigid.rigid(rotation, low + shift * _CELL_MM - rotation @ centre)))
        if number % 50 == 49:
            tell((number + 1) / _ORIENTATIONS)
    found.sort(key=lambda one: -one[0])
    return _different([matrix for _, matrix in found], centre, _CANDIDATES)


def _best_shift(
    mass: Complex64[np.ndarray, "a b c"],
    band: Complex64[np.ndarray, "a b c"],
    field: Complex64[np.ndarray, "a b c"],
    cells: Int[np.ndarray, "3"],
    count: int,
) -> tuple[float, Float64[np.ndarray, "3"]]:
    """Highest correlation of turned bone with the CT's band over all shifts (cells), each by the root of how many of
    the points the CT shows there, of which three in ten at least count."""
    explained = fft.irfftn(mass.conj() * band, tuple(cells), workers=-1)
    seen = fft.irfftn(mass.conj() * field, tuple(cells), workers=-1)
    score = explained / np.sqrt(np.maximum(seen, 0.3 * count))
    at = np.array(np.unravel_index(int(score.argmax()), score.shape))
    return float(score[tuple(at)]), at.astype(np.float64)


def _splat(points: Float64[np.ndarray, "n 3"], cells: Int[np.ndarray, "3"]) -> Float32[np.ndarray, "a b c"]:
    """Points counted in cells of `_CELL_MM`, which repeat."""
    cell = np.floor(points / _CELL_MM).astype(np.int64) % cells
    flat = (cell[:, 0] * cells[1] + cell[:, 1]) * cells[2] + cell[:, 2]
    return np.bincount(flat, minlength=int(cells.prod())).reshape(tuple(cells)).astype(np.float32)


def _band(mass: Float32[np.ndarray, "a b c"]) -> Float32[np.ndarray, "a b c"]:
    """Near bone minus around bone."""
    # Dense bone (a skull base, a table of metal) says no more than thin bone does.
    is_there = np.minimum(mass, 1)
    near, around = (ndimage.gaussian_filter(is_there, width / _CELL_MM, mode="constant") for width in _BAND_MM)
    return near - around


def _orientations(count: int) -> Float64[np.ndarray, "n 3 3"]:
    """Rotations spread evenly over SO(3): super-Fibonacci spirals (Alexa, CVPR 2022)."""
    s = np.arange(count) + 0.5
    t = s / count
    psi = 1.533751168755204288118041
    inner, outer = np.sqrt(t), np.sqrt(1 - t)
    alpha, beta = 2 * np.pi * s / np.sqrt(2), 2 * np.pi * s / psi
    quaternions = [inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta), outer * np.cos(beta)]
    return Rotation.from_quat(np.stack(quaternions, axis=1)).as_matrix()


def _different(
    poses: list[Float64[np.ndarray, "4 4"]], centre: Float64[np.ndarray, "3"], count: int
) -> list[Float64[np.ndarray, "4 4"]]:
    """The first `count` poses that are at least 12° or 15 mm from all before them."""
    kept: list[Float64[np.ndarray, "4 4"]] = []
    for pose in poses:
        place = rigid.transform_points(pose, [centre])[0]
        for other in kept:
            angle = np.linalg.norm(rigid.rotation_log(pose[:3, :3] @ other[:3, :3].T))
            if angle < np.radians(12) and np.linalg.norm(place - rigid.transform_points(other, [centre])[0]) < 15:
                break
        else:
            kept.append(pose)
        if len(kept) == count:
            break
    return kept


def _superposed(points: Float64[np.ndarray, "m 3"], places: Float64[np.ndarray, "m 3"]) -> Float64[np.ndarray, "4 4"]:
    """The rigid motion that brings points nearest to their places (Kabsch 1976)."""
    rotation = Rotation.align_vectors(places - places.mean(axis=0), points - points.mean(axis=0))[0].as_matrix()
    return rigid.rigid(rotation, places.mean(axis=0) - rotation @ points.mean(axis=0))


def _closest_points(
    source: Target,
    target: Target,
    start: Float64[np.ndarray, "4 4"],
    scales_mm: tuple[float, ...],
    *,
    similar: bool,
) -> Float64[np.ndarray, "4 4"]:
    """Point-to-plane ICP with Geman–McClure weights of these scales, one after another; rigid with one scale, or
    affine."""
    matrix = start
    for scale in scales_mm:
        points = rigid.transform_points(matrix, source.points)
        normals = turned(matrix, source.normals)
        seen = target.bone.depth_in_field(points) > 0
        if seen.sum() < 50:
            return matrix
        distance, at = target.nearest(points[seen], normals[seen])
        weight = 1 / (1 + (distance / scale) ** 2) ** 2
        centre = points[seen].mean(axis=0)
        place, normal = points[seen] - centre, target.normals[at]
        residual = np.sum(normal * (target.points[at] - points[seen]), axis=1)
        if similar:
            J = np.hstack([np.cross(place, normal), normal, np.sum(place * normal, axis=1)[:, None]])
            prior = np.diag([0.0] * 6 + [float(len(place))])
        else:
            J = np.hstack([(normal[:, :, None] * place[:, None, :]).reshape(-1, 9), normal])
            prior = np.zeros((12, 12))
        H = (J * weight[:, None]).T @ J + prior + 1e-6 * len(place) * np.eye(J.shape[1])
        step = np.linalg.solve(H, J.T @ (weight * residual))
        move = np.eye(4)
        if similar:
            move[:3, :3] = rigid.rotation_exp(step[:3]) * np.clip(1 + step[6], 0.9, 1.1)
            move[:3, 3] = step[3:6]
        else:
            move[:3, :3] += step[:9].reshape(3, 3)
            move[:3, 3] = step[9:]
        about, back = np.eye(4), np.eye(4)
        about[:3, 3], back[:3, 3] = centre, -centre
        matrix = _bounded(about @ move @ back @ matrix, source.points.mean(axis=0))
    return matrix


def _bounded(matrix: Float64[np.ndarray, "4 4"], centre: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "4 4"]:
    """An affine map whose stretches are those that heads differ by; the centre goes where it went."""
    U, stretches, Vt = np.linalg.svd(matrix[:3, :3])
    bounded = np.eye(4)
    bounded[:3, :3] = U @ np.diag(np.clip(stretches, *_STRETCHES)) @ Vt
    bounded[:3, 3] = rigid.transform_points(matrix, [centre])[0] - bounded[:3, :3] @ centre
    return bounded
