"""Tubes and walls along a line of points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from .combined import Union
from .shapes import Capsule, PlatePiece, Point


def tube(points: Sequence[Point], radii: float | Sequence[float], smooth: int = 1) -> Union:
    """A tube through `points` with a radius at each; a cubic curve with `smooth` pieces from point to point."""
    radius = np.broadcast_to(np.asarray(radii, dtype=np.float64), len(points))
    line = _curve(np.column_stack([points, radius]), smooth)
    ends = pairwise(line)
    return Union(tuple(Capsule(tuple(a[:3]), tuple(b[:3]), float(a[3]), float(b[3])) for a, b in ends))


def plate(
    points: Sequence[Point],
    height: float | Sequence[float],
    thickness: float | Sequence[float],
    up: Point,
    smooth: int = 1,
) -> Union:
    """A wall along `points` with half `height` (along `up`) and half `thickness` at each; see `PlatePiece`, `tube`."""
    sizes = [np.broadcast_to(np.asarray(s, dtype=np.float64), len(points)) for s in (height, thickness)]
    line = _curve(np.column_stack([points, *sizes]), smooth)
    return Union(
        tuple(PlatePiece(tuple(a[:3]), tuple(b[:3]), (a[3], b[3]), (a[4], b[4]), up) for a, b in pairwise(line))
    )


def _curve(knots: Float64[np.ndarray, "n columns"], smooth: int) -> Float64[np.ndarray, "m columns"]:
    """Knots with a cubic curve's points between them."""
    if smooth == 1 or len(knots) < 3:
        return knots
    # Imported here: nothing else on the way to a registration needs it.
    from scipy.interpolate import PchipInterpolator

    at = np.arange(len(knots), dtype=np.float64)
    return PchipInterpolator(at, knots, axis=0)(np.linspace(0, at[-1], smooth * (len(knots) - 1) + 1))
