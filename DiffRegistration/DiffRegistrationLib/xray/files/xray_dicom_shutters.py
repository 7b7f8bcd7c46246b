"""The part of the image that the tags of shutter and collimator leave open."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from ..provenance import Provenance
from .xray_dicom_tags import FrameTags, tag_name

# Tags that leave less than this part of the image open were not filled in with care.
_LEAST_OPEN = 0.02


def inside_shutters(
    tags: FrameTags, size: tuple[int, ...]
) -> tuple[Bool[np.ndarray, "rows columns"], tuple[Provenance, ...]]:
    """True where neither collimator nor shutter covers the image of `size`; all True without such tags."""
    # Tags count rows and columns from 1.
    row, column = np.indices(size) + 1
    inside = np.ones(size, dtype=bool)
    lines: tuple[Provenance, ...] = ()
    for kind in ("Collimator", "Shutter"):
        shapes = tags.texts(f"{kind}Shape")
        opened = np.ones(size, dtype=bool)
        for shape in shapes:
            opened &= _opened(tags, kind, shape, row, column)
        if not shapes or opened.mean() < _LEAST_OPEN or opened.all():
            continue
        inside &= opened
        share = f"{100 * opened.mean():.1f} % of the image open"
        lines += (Provenance(kind.lower(), share, tag_name(f"{kind}Shape")),)
    return inside, lines


def _opened(tags: FrameTags, kind: str, shape: str, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    if shape == "RECTANGULAR":
        edges = [
            tags.number(f"{kind}{edge}Edge")
            for edge in ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
        ]
        left, right, upper, lower = edges
        if left is not None and right is not None and upper is not None and lower is not None:
            return (column > left) & (column < right) & (row > upper) & (row < lower)
    if shape == "CIRCULAR":
        centre, radius = tags.pair(f"CenterOfCircular{kind}"), tags.number(f"RadiusOfCircular{kind}")
        if centre is not None and radius is not None:
            return (row - centre[0]) ** 2 + (column - centre[1]) ** 2 < radius**2
    if shape == "POLYGONAL":
        vertices = tags.numbers(f"VerticesOfThePolygonal{kind}")
        if vertices is not None and len(vertices) >= 6 and len(vertices) % 2 == 0:
            return _inside_polygon(np.reshape(vertices, (-1, 2)), row, column)
    return np.ones(row.shape, dtype=bool)


def _inside_polygon(vertices: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Pixels that a ray to the left leaves the polygon of (row, column) vertices from an odd number of times."""
    inside = np.zeros(row.shape, dtype=bool)
    for (row_a, column_a), (row_b, column_b) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if row_a == row_b:
            continue
        crossed = (row_a > row) != (row_b > row)
        crossing = column_a + (row - row_a) * (column_b - column_a) / (row_b - row_a)
        inside ^= crossed & (column > crossing)
    return inside
