"""A CT made ready for rays: a border of air and a map of where there is anything at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, UInt8, UInt16
from scipy import ndimage

from ..ct import CT

# Edge of the bricks of the occupancy map, in voxels.
BRICK = 8


@dataclass(frozen=True, eq=False)
class ProjectionVolume:
    """Attenuation with one voxel of air around it: sampling needs no branches, and µ falls to 0 at the border.

    µ = `unit` · `counts`: 16 bits are 1/65535 of the densest voxel, far below CT noise, and halve the memory traffic
    that rendering waits for. `voxel_from_ct` maps the CT's frame (mm) to padded voxel indices (i, j, k). `occupied`
    says for each brick whether µ is anywhere positive in it or next to it; `lower` and `upper` bound the samples that
    can see anything.
    """

    counts: UInt16[np.ndarray, "depth rows columns"]
    unit: float
    labels: Int[np.ndarray, "depth rows columns"] | None
    voxel_from_ct: Float64[np.ndarray, "4 4"]
    voxel_size_mm: float
    occupied: UInt8[np.ndarray, "bricks_k bricks_j bricks_i"]
    lower: Float64[np.ndarray, "3"]
    upper: Float64[np.ndarray, "3"]

    @classmethod
    def from_ct(cls, ct: CT) -> ProjectionVolume:
        """Prepare `ct`."""
        k, j, i = ct.attenuation.shape
        unit = float(ct.attenuation.max(initial=0)) / 65535 or 1.0
        padded = np.zeros((k + 2, j + 2, i + 2), dtype=np.uint16)
        # Slice by slice, so that no second volume of floats is ever alive.
        for index, plane in enumerate(ct.attenuation, start=1):
            padded[index, 1:-1, 1:-1] = plane / np.float32(unit) + np.float32(0.5)
        ct_from_padded = ct.ct_from_voxel.copy()
        ct_from_padded[:3, 3] -= ct.ct_from_voxel[:3, :3].sum(axis=1)

        bricks = padded
        for axis, count in enumerate(padded.shape):
            bricks = np.maximum.reduceat(bricks, np.arange(0, count, BRICK), axis=axis)
        filled = bricks > 0
        lower, upper = np.zeros(3), np.array([i + 1, j + 1, k + 1], dtype=np.float64)
        if filled.any():
            for axis in range(3):
                where = np.flatnonzero(filled.any(axis=tuple(a for a in range(3) if a != 2 - axis)))
                lower[axis] = max(lower[axis], where[0] * BRICK - 1)
                upper[axis] = min(upper[axis], (where[-1] + 1) * BRICK)
        return cls(
            padded,
            unit,
            None if ct.labels is None else np.pad(ct.labels, 1),
            np.linalg.inv(ct_from_padded),
            float(np.cbrt(np.prod(ct.voxel_size))),
            np.ascontiguousarray(ndimage.maximum_filter(filled, size=3, mode="constant"), dtype=np.uint8),
            lower,
            # A sample at the last index would reach for a neighbour that is not there.
            upper - 1e-4,
        )
