"""Shapes that a ray crosses in closed form, each seen from a frame in which it is simple."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float64, UInt8
from numpy.typing import ArrayLike


class Kind(IntEnum):
    """What a part is in its local frame, and what its three sizes mean."""

    ROUND_CONE = 0
    """Hull of two balls on the z axis: radius at z = 0, radius at z = length, length (mm; the frame is rigid)."""
    BOX = 1
    """|x|, |y|, |z| ≤ 1; the sizes mean nothing."""
    CYLINDER = 2
    """x² + y² ≤ 1, |z| ≤ 1, y ≤ third size, less an elliptic bore along z with the first two sizes as half axes."""


@dataclass(frozen=True, eq=False)
class Parts:
    """N shapes in the CT's frame (RAS mm): kind, affine map to the local frame, sizes (see `Kind`), bounding boxes."""

    kind: UInt8[np.ndarray, "n"]
    local_from_ct: Float64[np.ndarray, "n 3 4"]
    sizes: Float64[np.ndarray, "n 3"]
    lower: Float64[np.ndarray, "n 3"]
    upper: Float64[np.ndarray, "n 3"]

    def __len__(self) -> int:
        return len(self.kind)


def joined(*parts: Parts) -> Parts:
    """All parts in one."""
    names = ("kind", "local_from_ct", "sizes", "lower", "upper")
    return Parts(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def round_cones(start: ArrayLike, end: ArrayLike, start_radius: ArrayLike, end_radius: ArrayLike) -> Parts:
    """Hulls of a ball at each `start` and one at each `end` (N, 3), RAS mm, of these radii (N,), mm.

    Equal radii make a capsule, equal ends a ball. ValueError for a radius that is not positive.
    """
    start, end = (np.atleast_2d(np.asarray(points, dtype=np.float64)) for points in (start, end))
    radii = np.stack(
        [np.broadcast_to(np.asarray(r, dtype=np.float64), len(start)) for r in (start_radius, end_radius)]
    )
    if not (radii > 0).all():
        raise ValueError(f"radii must be more than 0 mm, got {radii.min():g} mm")
    axis = end - start
    length = np.linalg.norm(axis, axis=1)
    z = np.where(length[:, None] > 0, axis / np.maximum(length, 1e-300)[:, None], [0.0, 0.0, 1.0])
    # The unit vector that z is least along cannot be parallel to it.
    x = np.cross(z, np.eye(3)[np.argmin(np.abs(z), axis=1)])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    rotation = np.stack([x, np.cross(z, x), z], axis=1)
    translation = -np.einsum("nij,nj->ni", rotation, start)
    first, last = radii[0][:, None], radii[1][:, None]
    return Parts(
        np.full(len(start), Kind.ROUND_CONE, dtype=np.uint8),
        np.concatenate([rotation, translation[:, :, None]], axis=2),
        np.stack([radii[0], radii[1], length], axis=1),
        np.minimum(start - first, end - last),
        np.maximum(start + first, end + last),
    )


def chain(line: Float64[np.ndarray, "m 3"], radius: ArrayLike) -> Parts:
    """A round wire of `radius` mm (one, or one for each point) along a line of points (RAS mm)."""
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(line))
    return round_cones(line[:-1], line[1:], radii[:-1], radii[1:])


def _affine(kind: Kind, centre: ArrayLike, half_axes: ArrayLike, sizes: ArrayLike) -> Parts:
    """The image of a unit shape whose local axes end at centre + each row of `half_axes` (mm)."""
    centre = np.asarray(centre, dtype=np.float64)
    axes = np.asarray(half_axes, dtype=np.float64)
    if not abs(np.linalg.det(axes)) > 0:
        raise ValueError("the half axes of a solid must span space")
    linear = np.linalg.inv(axes.T)
    reach = np.abs(axes).sum(axis=0)
    if kind is Kind.CYLINDER:
        reach = np.hypot(axes[0], axes[1]) + np.abs(axes[2])
    return Parts(
        np.array([kind], dtype=np.uint8),
        np.column_stack([linear, -linear @ centre])[None],
        np.asarray(sizes, dtype=np.float64)[None],
        (centre - reach)[None],
        (centre + reach)[None],
    )


def box(centre: ArrayLike, half_axes: ArrayLike) -> Parts:
    """A box about `centre` (RAS mm); the rows of `half_axes` (3, 3) lead from there to the middle of three faces."""
    return _affine(Kind.BOX, centre, half_axes, np.zeros(3))


def cylinder(start: ArrayLike, end: ArrayLike, radius: float, bore_radius: float = 0.0) -> Parts:
    """A round cylinder with flat ends from `start` to `end` (RAS mm), with a hole of `bore_radius` mm along it."""
    if not 0 <= bore_radius < radius:
        raise ValueError(f"bore radius must be at least 0 and less than {radius:g} mm, got {bore_radius:g} mm")
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    axis = 0.5 * (end - start)
    x = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    x *= radius / np.linalg.norm(x)
    y = np.cross(axis, x) / np.linalg.norm(axis)
    bore = bore_radius / radius
    return _affine(Kind.CYLINDER, 0.5 * (start + end), [x, y, axis], [bore, bore, 1.0])


def trough(centre: ArrayLike, half_width: ArrayLike, depth: ArrayLike, half_length: ArrayLike, wall: float) -> Parts:
    """Half an elliptic shell of `wall` mm, open opposite to `depth`.

    `half_width`, `depth` and `half_length` (3,) are right-angled vectors (mm) from `centre`, which lies in the plane
    of the opening, to the outer surface at the side, at the bottom and at one end.
    """
    half_axes = np.array([half_width, -np.asarray(depth, dtype=np.float64), half_length], dtype=np.float64)
    across = np.linalg.norm(half_axes[:2], axis=1)
    if not 0 < wall < across.min():
        raise ValueError(f"wall must be more than 0 and less than {across.min():g} mm, got {wall:g} mm")
    return _affine(Kind.CYLINDER, centre, half_axes, [*(1 - wall / across), 0.0])
