"""Where a CT of known orientation may be, from how its shadow, shifted, correlates with each view.

The best shifts of two views need not belong to one point in space: a long bone fits all along itself, another bone
may fit better in one of them. Each good shift of a view is a ray, and along it all other views have their say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..xray.geometry import Camera

# Peaks of each view that are followed, so many pixels apart at least; places in space that are kept, so far apart.
_PEAKS, _APART_PIXELS = 5, 3
_PLACES, _APART_MM = 2, 8.0
# How far along a ray where the caller sets no bound.
_LONGEST_MM = 200.0


@dataclass(frozen=True, eq=False)
class ShiftMap:
    """Correlation of one view by the shift (rows, columns) of the shadow; index `zero` is no shift."""

    camera: Camera
    correlation: Float64[np.ndarray, "rows columns"]
    zero: tuple[int, int]

    def peaks(self, count: int) -> list[tuple[float, Float64[np.ndarray, "2"]]]:
        """The best shifts (u, v) in pixels, no two near each other, with their correlation."""
        left, found = self.correlation.copy(), []
        for _ in range(count):
            row, column = np.unravel_index(int(np.argmax(left)), left.shape)
            if left[row, column] <= -1.0:
                break
            shift = np.array([column - self.zero[1], row - self.zero[0]], dtype=np.float64)
            found.append((float(left[row, column]), shift))
            rows = slice(max(row - _APART_PIXELS, 0), row + _APART_PIXELS + 1)
            left[rows, max(column - _APART_PIXELS, 0) : column + _APART_PIXELS + 1] = -1.0
        return found

    def at(self, shifts: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n"]:
        """Correlation at shifts (u, v) in pixels; −1 beyond the map."""
        rounded = np.rint(np.nan_to_num(shifts, nan=1e6)).astype(np.int64)
        columns, rows = rounded[:, 0] + self.zero[1], rounded[:, 1] + self.zero[0]
        inside = (rows >= 0) & (columns >= 0) & (rows < self.correlation.shape[0])
        inside &= columns < self.correlation.shape[1]
        values = np.full(len(shifts), -1.0)
        values[inside] = self.correlation[rows[inside], columns[inside]]
        return values


def places(
    maps: Sequence[ShiftMap], centre: Float64[np.ndarray, "3"], reach_mm: float
) -> list[tuple[float, Float64[np.ndarray, "3"]]]:
    """Mean correlation of the views and where the CT's `centre` (world mm) then is, the best places first.

    With one view only the best shift counts, at the depth that the centre has.
    """
    found: list[tuple[float, Float64[np.ndarray, "3"]]] = []
    middles = [one.camera.project(centre[None]) for one in maps]
    for number, one in enumerate(maps):
        peaks = one.peaks(_PEAKS if len(maps) > 1 else 1)
        if not peaks:
            continue
        scores, shifts = np.array([score for score, _ in peaks]), np.array([shift for _, shift in peaks])
        rays = one.camera.rays(middles[number] + shifts)
        beams = rays.target - rays.source
        beams /= np.linalg.norm(beams, axis=1, keepdims=True)
        # The points of the rays beside the centre, and others before and behind them.
        beside = rays.source + ((centre - rays.source) * beams).sum(axis=1, keepdims=True) * beams
        if len(maps) == 1:
            found += zip(scores.tolist(), beside, strict=True)
            continue
        step, far = one.camera.pixel_footprint_mm(centre), min(reach_mm, _LONGEST_MM)
        along = np.arange(-far, far + step, step)
        points = beside[:, None] + along[:, None] * beams[:, None]
        total = np.repeat(scores[:, None], len(along), axis=1)
        for other, middle in zip(maps, middles, strict=True):
            if other is not one:
                seen = other.camera.project(points.reshape(-1, 3)) - middle
                total += other.at(seen).reshape(total.shape)
        best = total.argmax(axis=1)
        each = np.arange(len(best))
        found += zip((total[each, best] / len(maps)).tolist(), points[each, best], strict=True)
    found.sort(key=lambda place: -place[0])
    kept: list[tuple[float, Float64[np.ndarray, "3"]]] = []
    for score, point in found:
        if all(np.linalg.norm(point - other) >= _APART_MM for _, other in kept):
            kept.append((score, point))
        if len(kept) == _PLACES:
            break
    return kept
