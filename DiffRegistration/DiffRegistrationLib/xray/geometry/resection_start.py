"""Poses that bring three points onto three rays: where a robust resection begins.

Three rays and the three sides of a triangle give three quadratic equations for the distances along the rays (Grunert
1841; for rays without a common source: Nistér & Stewénius, J. Math. Imaging Vis. 27, 2007). They are solved by
Newton's method from the two solutions of the weak perspective (Alter, IEEE TPAMI 16(8), 1994), which mirror each other
in depth. Many triangles are solved at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float64, Int

from .camera import Camera

# Triangles in all. With half of the pixels wrong, some twenty of them are right; more gain nothing.
_TRIANGLES = 160
# Of so many times the triangles that are drawn the widest are kept: narrow ones only magnify noise.
_DRAWN = 3
_STEPS = 8
# Patients lie at about this part of the way to the detector; only where rays do not meet does it matter.
_USUAL_PART = 0.7


def poses_of_triangles(
    cameras: Sequence[Camera],
    pixels: Float64[np.ndarray, "views n 2"],
    seen: Bool[np.ndarray, "views n"],
    points: Float64[np.ndarray, "n 3"],
) -> Float64[np.ndarray, "hypotheses 4 4"]:
    """Poses (world_from_ct) that each bring three of `points` (mm, the CT's frame) onto the rays of their pixels.

    The triangles are drawn from the views that see three points or more, always the same ones. Empty where none of
    them lies before its source.
    """
    random = np.random.default_rng(0)
    seeing = [view for view in range(len(cameras)) if seen[view].sum() >= 3]
    found = [np.empty((0, 4, 4))]
    for view in seeing:
        triangles = _triangles(points, np.flatnonzero(seen[view]), _TRIANGLES // len(seeing), random)
        rays = cameras[view].rays(np.where(seen[view][:, None], pixels[view], 0.0))
        along = rays.target - rays.source
        length = np.linalg.norm(along, axis=1, keepdims=True)
        middle = _USUAL_PART * float(np.median(length))
        model = points[triangles]
        there = _on_rays(rays.source[triangles], (along / length)[triangles], model, middle)
        poses = _poses_between(np.concatenate([model, model]), there)
        found.append(poses[np.isfinite(poses).all(axis=(1, 2))])
    return np.concatenate(found)


def _triangles(
    points: Float64[np.ndarray, "n 3"], seen: Int[np.ndarray, "m"], most: int, random: np.random.Generator
) -> Int[np.ndarray, "triangles 3"]:
    """Indices of `most` triangles, or of all there are if these are fewer."""
    if len(seen) * (len(seen) - 1) * (len(seen) - 2) // 6 <= most * _DRAWN:
        triangles = np.array(list(combinations(seen, 3)))
    else:
        # The three smallest of random numbers are a draw without repetition.
        order = random.random((most * _DRAWN, len(seen)))
        triangles = seen[np.argpartition(order, 3, axis=1)[:, :3]]
    # In the CT, not in the image: there wrong pixels would make the widest ones.
    a, b, c = points[triangles].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return triangles[np.argsort(-area, kind="stable")[:most]]


def _on_rays(
    source: Float64[np.ndarray, "t 3 3"],
    along: Float64[np.ndarray, "t 3 3"],
    model: Float64[np.ndarray, "t 3 3"],
    middle: float,
) -> Float64[np.ndarray, "2t 3 3"]:
    """The triangles on their rays (world mm), and once more mirrored; NaN where none is before the sources."""
    sides = np.linalg.norm(model - np.roll(model, -1, axis=1), axis=2)
    beam = along.mean(axis=1, keepdims=True)
    beam /= np.linalg.norm(beam, axis=2, keepdims=True)
    depth = np.full((len(model), 1), middle)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Where rays meet in a point the first scale is exact; where they do not, the second is closer.
        for _ in range(2):
            flat = source + depth[..., None] * along
            flat = flat - (flat * beam).sum(axis=2, keepdims=True) * beam
            scale, heights = _weak_perspective(sides, np.linalg.norm(flat - np.roll(flat, -1, axis=1), axis=2))
            depth = depth / scale
        heights = (heights - heights.mean(axis=1, keepdims=True)) / scale
        begin = np.concatenate([depth + heights, depth - heights])
        source, along, sides = (np.concatenate([part, part]) for part in (source, along, sides))
        return _newton(source, along, sides, begin)


def _weak_perspective(
    sides: Float64[np.ndarray, "t 3"], seen: Float64[np.ndarray, "t 3"]
) -> tuple[Float64[np.ndarray, "t 1"], Float64[np.ndarray, "t 3"]]:
    """Scale of the image and scaled depths (up to their common sign) of triangles with `sides` that look as `seen`."""
    A, B = sides**2, seen**2
    # 16 times the squared areas, of both and mixed.
    a = 2 * (A * np.roll(A, 1, axis=1)).sum(axis=1) - (A**2).sum(axis=1)
    b = (B * (A.sum(axis=1, keepdims=True) - 2 * A)).sum(axis=1)
    c = 2 * (B * np.roll(B, 1, axis=1)).sum(axis=1) - (B**2).sum(axis=1)
    square = ((b + np.sqrt(np.maximum(b * b - a * c, 0.0))) / a)[:, None]
    lifted = np.sqrt(np.maximum(square * A - B, 0.0))
    # Sides run 0→1, 1→2, 2→0: the depth of 2 has the sign for which the side between 1 and 2 fits.
    opposite = B[:, 0] + B[:, 2] - B[:, 1] <= square[:, 0] * (A[:, 0] + A[:, 2] - A[:, 1])
    heights = np.stack([np.zeros(len(A)), lifted[:, 0], np.where(opposite, 1.0, -1.0) * lifted[:, 2]], axis=1)
    return np.sqrt(square), heights


def _newton(
    source: Float64[np.ndarray, "t 3 3"],
    along: Float64[np.ndarray, "t 3 3"],
    sides: Float64[np.ndarray, "t 3"],
    depth: Float64[np.ndarray, "t 3"],
) -> Float64[np.ndarray, "t 3 3"]:
    """The triangles whose corners lie on the rays at those depths at which their sides fit best."""
    following = [1, 2, 0]
    whole = np.isfinite(depth).all(axis=1, keepdims=True)
    depth = np.where(whole, depth, 1.0)
    for _ in range(_STEPS):
        there = source + depth[..., None] * along
        side = there - there[:, following]
        length = np.maximum(np.sqrt((side * side).sum(axis=2)), 1e-9)
        jacobian = np.zeros((len(depth), 3, 3))
        jacobian[:, [0, 1, 2], [0, 1, 2]] = (side * along).sum(axis=2) / length
        jacobian[:, [0, 1, 2], following] = -(side * along[:, following]).sum(axis=2) / length
        # Damped: noise may leave a triangle without any solution, and then the nearest is as good a start.
        transposed = jacobian.swapaxes(1, 2)
        normal = transposed @ jacobian + 1e-4 * np.eye(3)
        depth = depth + np.linalg.solve(normal, transposed @ (sides - length)[..., None])[..., 0]
    depth = np.where(whole & (depth > 0).all(axis=1, keepdims=True), depth, np.nan)
    return source + depth[..., None] * along


def _poses_between(
    model: Float64[np.ndarray, "t 3 3"], there: Float64[np.ndarray, "t 3 3"]
) -> Float64[np.ndarray, "t 4 4"]:
    """The rigid motions that lay triangles `model` upon triangles `there`; NaN where there is none."""
    poses = np.tile(np.eye(4), (len(model), 1, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        poses[:, :3, :3] = np.einsum("tki,tkj->tij", _axes(there), _axes(model))
    poses[:, :3, 3] = there.mean(axis=1) - np.einsum("tij,tj->ti", poses[:, :3, :3], model.mean(axis=1))
    return poses


def _axes(triangles: Float64[np.ndarray, "t 3 3"]) -> Float64[np.ndarray, "t 3 3"]:
    """Orthonormal axes (rows) of each triangle: along its first side, in its plane, and normal to it."""
    first = triangles[:, 1] - triangles[:, 0]
    normal = np.cross(first, triangles[:, 2] - triangles[:, 0])
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return np.stack([first, np.cross(normal, first), normal], axis=1)
