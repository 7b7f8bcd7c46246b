"""Where the slices of a scan really lie, and the right-angled, even grid that the projector needs instead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from ..errors import InputError
from ..provenance import Provenance
from .hounsfield_volume import AIR_HOUNSFIELD, HounsfieldVolume

# A grid that misplaces no slice by more than this is as good as the slices themselves.
_TOLERANCE_MM = 0.1
# Slices nearer than this share one place.
_SAME_PLACE_MM = 0.01
# A gap this many times the usual one is wide; wide gaps in a row belong to the protocol, a lone one is a hole.
_WIDE = 1.5
_PROTOCOL_RUN = 3


@dataclass(frozen=True, eq=False)
class SlicePlanes:
    """Parallel slices, ordered along their normal (row axis × column axis).

    `positions` are the LPS places (mm) of each slice's first pixel centre; `row_axis` points along a row (toward
    growing column index i) and `column_axis` down a column (toward growing row index j), unit vectors at right
    angles; `pixel_size` is the distance of pixels along i and j in mm.
    """

    positions: Float64[np.ndarray, "slices 3"]
    row_axis: Float64[np.ndarray, "3"]
    column_axis: Float64[np.ndarray, "3"]
    pixel_size: tuple[float, float]

    @property
    def normal(self) -> Float64[np.ndarray, "3"]:
        """Unit normal of the slices."""
        return np.cross(self.row_axis, self.column_axis)

    @property
    def heights(self) -> Float64[np.ndarray, "slices"]:
        """Distance of each slice from the first, in mm along the normal."""
        return (self.positions - self.positions[0]) @ self.normal

    @property
    def shifts(self) -> Float64[np.ndarray, "slices 2"]:
        """How far each slice slid within its plane from the place straight above the first, in mm along i and j."""
        return (self.positions - self.positions[0]) @ np.column_stack([self.row_axis, self.column_axis])

    @property
    def tilt_deg(self) -> float:
        """Angle in degrees between the slices' normal and the line on which they follow each other."""
        way = self.positions[-1] - self.positions[0]
        along = float(way @ self.normal)
        return float(np.degrees(np.arctan2(np.linalg.norm(way - along * self.normal), along)))

    def check(self, subject: object) -> None:
        """InputError naming `subject` for fewer than two slices, two slices in one place, or a hole in the scan."""
        if len(self.positions) < 2:
            raise InputError(
                subject,
                "there is one slice, a CT needs several",
                "Give the folder or the file that holds the whole volume.",
            )
        gaps = np.diff(self.heights)
        twice = int((gaps < _SAME_PLACE_MM).sum())
        if twice:
            at = self.positions[:-1][gaps < _SAME_PLACE_MM][0]
            raise InputError(
                subject,
                f"{twice} of {len(self.positions)} slices lie where another one lies (first at z = {at[2]:.2f} mm)",
                "Remove copies of files, or export one time point or reconstruction at a time into its own folder.",
            )
        usual = float(np.median(gaps))
        for start, stop in _runs(gaps > _WIDE * usual):
            if stop - start < _PROTOCOL_RUN:
                raise InputError(
                    subject,
                    f"slices are missing between z = {self.positions[start, 2]:.2f} and "
                    f"{self.positions[stop, 2]:.2f} mm: the gap is {gaps[start]:.2f} mm, the usual one {usual:.2f} mm",
                    "Export the whole series again; parts of one scan that do not join cannot be registered as one.",
                )

    def straightened(self, hounsfield: Float32[np.ndarray, "slices rows columns"]) -> HounsfieldVolume:
        """The slices on a right-angled even grid, with word of it when that took resampling.

        Slices that already lie so (within 0.1 mm) are taken as they are. Sheared ones (gantry tilt) slide within their
        own plane to where they were scanned; unevenly spaced ones are interpolated linearly along the normal at the
        finest gap between them, though never finer than the pixels. What no slice covers is air.
        """
        heights, shifts = self.heights, self.shifts
        step, start = np.polyfit(np.arange(len(heights)), heights, 1)
        uneven = float(np.abs(start + step * np.arange(len(heights)) - heights).max())
        sheared = float(np.linalg.norm(shifts - shifts.mean(axis=0), axis=1).max())
        if uneven <= _TOLERANCE_MM and sheared <= _TOLERANCE_MM:
            first = self.positions.mean(axis=0) - self.normal * step * (len(heights) - 1) / 2
            return HounsfieldVolume(hounsfield, self._grid(first, step))

        lines, reasons = [], []
        first = self.positions[0]
        if sheared > _TOLERANCE_MM:
            reasons.append(f"sheared by a tilt of {self.tilt_deg:.1f}°")
            hounsfield, offset = _slid(hounsfield, shifts / self.pixel_size)
            first = (
                first
                + offset[0] * self.pixel_size[0] * self.row_axis
                + offset[1] * self.pixel_size[1] * self.column_axis
            )
        if uneven > _TOLERANCE_MM:
            gaps = np.diff(heights)
            reasons.append(f"unevenly spaced, {gaps.min():.2f} to {gaps.max():.2f} mm")
            count = round(heights[-1] / max(gaps.min(), min(self.pixel_size))) + 1
            step = heights[-1] / (count - 1)
            hounsfield = _interpolated(hounsfield, heights, step * np.arange(count))
        depth, rows, columns = hounsfield.shape
        lines.append(
            Provenance(
                "grid",
                f"resampled to {columns} × {rows} × {depth} voxels of {self.pixel_size[0]:.3f} × "
                f"{self.pixel_size[1]:.3f} × {step:.3f} mm",
                f"the slices are {' and '.join(reasons)}; linear interpolation at their true positions",
            )
        )
        return HounsfieldVolume(hounsfield, self._grid(first, step), tuple(lines))

    def _grid(self, first: Float64[np.ndarray, "3"], step: float) -> Float64[np.ndarray, "4 4"]:
        matrix = np.eye(4)
        matrix[:3, 0] = self.row_axis * self.pixel_size[0]
        matrix[:3, 1] = self.column_axis * self.pixel_size[1]
        matrix[:3, 2] = self.normal * step
        matrix[:3, 3] = first
        return matrix


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _slid(
    slices: Float32[np.ndarray, "slices rows columns"], shifts_px: Float64[np.ndarray, "slices 2"]
) -> tuple[Float32[np.ndarray, "slices all_rows all_columns"], Float64[np.ndarray, "2"]]:
    """Slices moved by (i, j) px onto one grid large enough for all, and that grid's first pixel (i, j)."""
    # A thousandth of a pixel is rounding of the tags, not worth a blur.
    shifts_px = np.where(np.abs(shifts_px - np.round(shifts_px)) < 1e-3, np.round(shifts_px), shifts_px)
    first = np.floor(shifts_px.min(axis=0))
    extra = (np.ceil(shifts_px.max(axis=0)) - first).astype(int)
    depth, rows, columns = slices.shape
    moved = np.full((depth, rows + extra[1], columns + extra[0]), AIR_HOUNSFIELD, np.float32)
    for source, target, shift in zip(slices, moved, shifts_px - first, strict=True):
        whole = np.floor(shift).astype(int)
        above_air = source - np.float32(AIR_HOUNSFIELD)
        for di, wi in ((0, 1 - (shift - whole)[0]), (1, (shift - whole)[0])):
            for dj, wj in ((0, 1 - (shift - whole)[1]), (1, (shift - whole)[1])):
                if wi * wj > 0:
                    i, j = whole[0] + di, whole[1] + dj
                    target[j : j + rows, i : i + columns] += np.float32(wi * wj) * above_air
    return moved, first


def _interpolated(
    slices: Float32[np.ndarray, "slices rows columns"],
    heights: Float64[np.ndarray, "slices"],
    wanted: Float64[np.ndarray, "depth"],
) -> Float32[np.ndarray, "depth rows columns"]:
    """Slices at the `wanted` heights, each a mean of its two neighbours weighted by nearness."""
    below = np.clip(np.searchsorted(heights, wanted, side="right") - 1, 0, len(heights) - 2)
    weight = np.clip((wanted - heights[below]) / (heights[below + 1] - heights[below]), 0, 1).astype(np.float32)
    result = np.empty((len(wanted), *slices.shape[1:]), np.float32)
    for k, (low, w) in enumerate(zip(below, weight, strict=True)):
        np.multiply(slices[low], 1 - w, out=result[k])
        result[k] += w * slices[low + 1]
    return result
