"""How far one surface lies from another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial import cKDTree

from .surface import Surface

_SAMPLES = 20_000
# Triangles that are tried for each point: those of its nearest samples, which lie some 2 mm apart.
_CANDIDATES = 8
_SEED = 0


@dataclass(frozen=True)
class SurfaceDistance:
    """Distances in mm from points spread evenly over one surface to the nearest point of another."""

    mean_mm: float
    p95_mm: float
    largest_mm: float


def surface_distance(surface: Surface, other: Surface) -> SurfaceDistance:
    """How far `surface` lies from `other`; the way back may be longer. ValueError for a surface without triangles."""
    points, _ = sampled(surface, _SAMPLES)
    distances = distances_to(other, points)
    return SurfaceDistance(float(distances.mean()), float(np.quantile(distances, 0.95)), float(distances.max()))


def distances_to(surface: Surface, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
    """Distances (mm) of points to the nearest point of a surface. ValueError for a surface without triangles."""
    samples, triangle = sampled(surface, max(_SAMPLES, 2 * len(surface.faces)))
    corners = surface.vertices[surface.faces]
    # Every triangle is there at least once, however small.
    samples = np.concatenate([samples, corners.mean(axis=1)])
    triangle = np.concatenate([triangle, np.arange(len(corners))])
    _, nearest = cKDTree(samples).query(points, k=_CANDIDATES)
    least = np.full(len(points), np.inf)
    for candidate in triangle[nearest].T:
        least = np.minimum(least, _to_triangles(points, corners[candidate]))
    return least


def sampled(surface: Surface, count: int) -> tuple[Float64[np.ndarray, "n 3"], Int64[np.ndarray, "n"]]:
    """Points spread evenly over a surface (the same each time), and the triangle of each. ValueError without any."""
    if not len(surface.faces):
        raise ValueError("the surface has no triangles")
    random = np.random.default_rng(_SEED)
    a, b, c = surface.vertices[surface.faces].swapaxes(0, 1)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    triangle = random.choice(len(areas), count, p=areas / areas.sum())
    u, v = random.random((2, count, 1))
    folded = u + v > 1
    u, v = np.where(folded, 1 - u, u), np.where(folded, 1 - v, v)
    return a[triangle] + u * (b - a)[triangle] + v * (c - a)[triangle], triangle


def _to_triangles(
    points: Float64[np.ndarray, "n 3"], corners: Float64[np.ndarray, "n 3 3"]
) -> Float64[np.ndarray, "n"]:
    """Distance of each point to its triangle: to the plane where the foot lies inside, else to the nearest edge."""
    a, b, c = corners.swapaxes(0, 1)
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    height = np.abs(_dot(points - a, normal)) / np.maximum(length, 1e-30)
    inside = length > 1e-12
    edges = np.full(len(points), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        along = end - start
        inside &= _dot(np.cross(along, points - start), normal) >= 0
        part = _dot(points - start, along) / np.maximum(_dot(along, along), 1e-30)
        foot = start + part.clip(0, 1)[:, None] * along
        edges = np.minimum(edges, np.linalg.norm(points - foot, axis=1))
    return np.where(inside, height, edges)


def _dot(first: Float64[np.ndarray, "n 3"], second: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
    return np.einsum("ni,ni->n", first, second)
