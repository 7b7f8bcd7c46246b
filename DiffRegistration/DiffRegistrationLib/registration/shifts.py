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
    for number, one in enumerate(maps):
        pixel = one.camera.project(centre[None])
        for score, shift in one.peaks(_PEAKS if len(maps) > 1 else 1):
            ray = one.camera.rays(pixel + shift)
            beam = (ray.target - ray.source)[0] / np.linalg.norm(ray.target - ray.source)
            # The point of the ray beside the centre, and others before and behind it.
            beside = ray.source[0] + ((centre - ray.source[0]) @ beam) * beam
            if len(maps) == 1:
                found.append((score, beside))
                continue
            step = one.camera.pixel_footprint_mm(centre)
            far = min(reach_mm, _LONGEST_MM)
            points = beside + np.arange(-far, far + step, step)[:, None] * beam
            total = np.full(len(points), score)
            for other_number, other in enumerate(maps):
                if other_number != number:
                    total += other.at(other.camera.project(points) - other.camera.project(centre[None]))
            best = int(np.argmax(total))
            found.append((float(total[best]) / len(maps), points[best]))
    found.sort(key=lambda place: -place[0])
    kept: list[tuple[float, Float64[np.ndarray, "3"]]] = []
    for score, point in found:
        if all(np.linalg.norm(point - other) >= _APART_MM for _, other in kept):
            kept.append((score, point))
        if len(kept) == _PLACES:
            break
    return kept
