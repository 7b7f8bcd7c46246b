"""The field that the collimator left open: straight shutters and the round edge of an image intensifier.

The dark surround is entered from the border along many rays; where they reach light, they leave edge points. Circles
and lines that enough of these points agree on, with darkness outside and light inside, bound the field.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import ndimage

from .field_edges import Circle, Edge, Line, best_circle, best_line, pixel_centres

# The search needs no finer image than this many pixels along the shorter side.
_WORKING_SIZE = 400
_RAYS = 720
# What an edge must show to count as a collimator's and not as anatomy's.
_SUPPORT = {Circle: 0.15, Line: 0.05}
_DARK_OUTSIDE = 0.95
_CONTRAST = 3.0
_MOST_EDGES = 9
_MARGIN = 0.003
# Penumbra is crossed within this part of the image; an edge strays from its circle or line by no more.
_PENUMBRA = 0.03


def find_collimation(intensity: Float32[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """Mask of the field: True inside every shutter and the round edge, less a margin of 0.3 % of the image (≥ 2 px).

    `intensity` grows with dose, linearly or not, and is darkest behind the shutters. Shutters may be turned. An image
    without collimation gives True everywhere; half-transparent filters and shutters that cover no border are left in.
    """
    factor = max(1, min(intensity.shape) // _WORKING_SIZE)
    image = ndimage.gaussian_filter(_binned(intensity, factor), 0.7)
    if min(image.shape) < 16:
        return np.ones(intensity.shape, dtype=bool)
    dark_level = _dark_level(image)
    margin = max(2.0, _MARGIN * min(intensity.shape)) / factor
    edges = _edges(image, dark_level, tolerance=max(1.0, 0.004 * min(image.shape)))
    # Binned pixel p covers the full pixels whose mean position is factor·p + (factor − 1)/2.
    points = (pixel_centres(intensity.shape) - (factor - 1) / 2) / factor
    mask = np.ones(intensity.shape, dtype=bool)
    if not edges:
        return mask
    inside = np.min([edge.distance_inside(points) for edge in edges], axis=0)
    # Where distortion was corrected, an edge bends: the darkness that it leaves inside its circle or line goes too.
    lit = ndimage.distance_transform_edt(image > dark_level) > margin
    row, column = np.clip(np.rint(points[..., ::-1]).astype(int), 0, np.array(image.shape) - 1).transpose(2, 0, 1)
    return (inside > margin) & (lit[row, column] | (inside > _PENUMBRA * min(image.shape)))


def _binned(intensity: Float32[np.ndarray, "rows columns"], factor: int) -> Float32[np.ndarray, "r c"]:
    finite = np.where(np.isfinite(intensity), intensity, 0).astype(np.float32)
    rows, columns = (n // factor for n in intensity.shape)
    blocks = finite[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return blocks.mean(axis=(1, 3))


def _dark_level(image: Float32[np.ndarray, "r c"]) -> float:
    """The intensity that tells shutters from light, from the darkest part of the border."""
    width = max(2, min(image.shape) // 100)
    border = np.concatenate(
        [image[:width].ravel(), image[-width:].ravel(), image[:, :width].ravel(), image[:, -width:].ravel()]
    )
    bright = np.quantile(image, 0.9)
    floor = np.quantile(border, 0.05)
    dark = border[border <= floor + 0.1 * (bright - floor)]
    level = np.median(dark)
    noise = 1.4826 * np.median(np.abs(dark - level))
    return float(level + max(6 * noise, 0.05 * (bright - level)))


def _edges(image: Float32[np.ndarray, "r c"], dark_level: float, tolerance: float) -> list[Edge]:
    """Circles and lines around the field, the best supported first."""
    light = _light(image, dark_level)
    if light is None:
        return []
    centre = np.array(ndimage.center_of_mass(light))[::-1]
    points = _edge_points(light, centre)
    centres = pixel_centres(image.shape)
    random = np.random.default_rng(0)
    edges: list[Edge] = []
    for _ in range(_MOST_EDGES):
        candidates = [best_circle(points, tolerance, random), best_line(points, centre, tolerance, random)]
        found = [edge for edge in candidates if edge is not None]
        if not found:
            break
        edge = max(found, key=lambda e: np.count_nonzero(np.abs(e.distance_inside(points)) <= tolerance))
        near = np.abs(edge.distance_inside(points)) <= tolerance
        if np.count_nonzero(near) < min(_SUPPORT.values()) * _RAYS:
            break
        if np.count_nonzero(near) >= _SUPPORT[type(edge)] * _RAYS and _is_collimator(
            edge, points[near], image, centres, dark_level, tolerance
        ):
            edges.append(_past_penumbra(edge, points[near], image))
            near = np.abs(edge.distance_inside(points)) <= 3 * tolerance
        points = points[~near]
    return edges


def _light(image: Float32[np.ndarray, "r c"], dark_level: float) -> Bool[np.ndarray, "r c"] | None:
    """Where it is light, less letters and specks, which are thin; None if it is light everywhere or nowhere."""
    light = image > dark_level
    if light.all():
        return None
    light = ndimage.binary_opening(light, iterations=2)
    return light if light.any() else None


def _edge_points(light: Bool[np.ndarray, "r c"], centre: Float64[np.ndarray, "2"]) -> Float64[np.ndarray, "n 2"]:
    """Points (column, row) where rays from the border toward `centre` reach light; rays lit at once leave none."""
    rows, columns = light.shape
    # Half a step off the axes, so that no direction has a zero.
    angle = 2 * np.pi * (np.arange(_RAYS) + 0.5) / _RAYS
    direction = np.column_stack([np.cos(angle), np.sin(angle)])
    far = np.array([columns - 1, rows - 1])
    reach = np.where(direction > 0, (far - centre) / direction, -centre / direction).min(axis=1)
    steps = np.arange(0, int(reach.max()), 0.5)
    length = reach[:, None] - steps
    position = centre + length[..., None] * direction[:, None, :]
    nearest = np.clip(np.rint(position), 0, far).astype(int)
    lit = light[nearest[..., 1], nearest[..., 0]] & (length > 0)
    first = lit.argmax(axis=1)
    # Opening eats no edge, so a ray lit within the first two pixels starts in the field.
    keep = lit.any(axis=1) & (first > 4)
    return position[np.arange(_RAYS), first][keep]


def _is_collimator(
    edge: Edge,
    on_edge: Float64[np.ndarray, "n 2"],
    image: Float32[np.ndarray, "r c"],
    centres: Float64[np.ndarray, "r c 2"],
    dark_level: float,
    tolerance: float,
) -> bool:
    """Whether it is dark all over outside the edge, and several times lighter inside along most of it."""
    outside = edge.distance_inside(centres) < -2 * tolerance
    if not outside.any() or np.mean(image[outside] <= dark_level) < _DARK_OUTSIDE:
        return False
    normal = edge.inward(on_edge)
    step = 4 * tolerance * normal
    outer, inner = (
        ndimage.map_coordinates(image, points.T[::-1], order=1, mode="nearest")
        for points in (on_edge - step, on_edge + step)
    )
    return bool(np.mean(inner > _CONTRAST * outer) > 0.5)


def _past_penumbra(edge: Edge, on_edge: Float64[np.ndarray, "n 2"], image: Float32[np.ndarray, "r c"]) -> Edge:
    """The edge moved inward to half of the light that its points, in the median, meet behind it."""
    depths = np.arange(0, _PENUMBRA * min(image.shape), 0.5)
    points = on_edge + depths[:, None, None] * edge.inward(on_edge)
    light = np.median(ndimage.map_coordinates(image, points.transpose(2, 0, 1)[::-1], order=1, mode="nearest"), axis=1)
    return edge.moved_inward(float(depths[np.argmax(light >= 0.5 * light.max())]))
