"""The surface of bone near a point of a CT, finer than a voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Bool, Float32, Float64, Int
from scipy import ndimage

BONE_HOUNSFIELD = 300.0
"""Half way between soft tissue and the thin bone of the face, as a 1 mm voxel shows it."""
# Voxels beyond the radius, so that slopes at its edge are known.
_MARGIN = 2


@dataclass(frozen=True, eq=False)
class BoneSurface:
    """Points of a surface with their outward normals, both in the CT's frame, and the piece of bone of each."""

    points: Float64[np.ndarray, "n 3"]
    normals: Float64[np.ndarray, "n 3"]
    pieces: Int[np.ndarray, "n"]

    def where(self, kept: Bool[np.ndarray, "n"]) -> Self:
        """The points that are kept."""
        return type(self)(self.points[kept], self.normals[kept], self.pieces[kept])


def bone_surface_near(
    ct: CT, point: Float64[np.ndarray, "3"], radius_mm: float, hounsfield: float = BONE_HOUNSFIELD
) -> BoneSurface:
    """Where the edges between voxels cross `hounsfield` within `radius_mm` of a point; none where the CT shows none.

    Bone that is joined outside of the radius counts as several pieces: at a joint these are the two bones.
    """
    level = float(attenuation_from_hounsfield(np.array(hounsfield)))
    block, first = _block(ct, point, radius_mm)
    if min(block.shape, default=0) < 3:
        return BoneSurface(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, dtype=np.int64))
    ct_from_block = ct.ct_from_voxel @ rigid.rigid(np.eye(3), first)
    around = np.indices(block.shape).reshape(3, -1).T[:, ::-1].astype(np.float64)
    around = rigid.transform_points(ct_from_block, around) - point
    within = np.linalg.norm(around, axis=1).reshape(block.shape) <= radius_mm + ct.voxel_size.max()
    pieces, _ = ndimage.label((block > level) & within)
    index, piece = _crossings(block, pieces, level)
    points = rigid.transform_points(ct_from_block, index[:, ::-1])
    slopes = [ndimage.map_coordinates(slope, index.T, order=1, mode="nearest") for slope in np.gradient(block)]
    # Attenuation falls to the outside; gradients turn by the inverse transpose of the grid's axes.
    normals = -np.column_stack(slopes[::-1]) @ np.linalg.inv(ct.ct_from_voxel[:3, :3])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    surface = BoneSurface(points, normals, piece)
    return surface.where(np.linalg.norm(points - point, axis=1) <= radius_mm)


def _block(
    ct: CT, point: Float64[np.ndarray, "3"], radius_mm: float
) -> tuple[Float32[np.ndarray, "k j i"], Float64[np.ndarray, "3"]]:
    """Voxels around a point, cut off at the CT's edge, and the (i, j, k) of the first."""
    at = np.linalg.solve(ct.ct_from_voxel, [*point, 1.0])[:3]
    reach = radius_mm / ct.voxel_size + _MARGIN
    low = np.clip(np.floor(at - reach), 0, ct.size).astype(int)
    high = np.clip(np.ceil(at + reach) + 1, 0, ct.size).astype(int)
    block = ct.attenuation[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    return block, low.astype(np.float64)


def _crossings(
    block: Float32[np.ndarray, "k j i"], pieces: Int[np.ndarray, "k j i"], level: float
) -> tuple[Float64[np.ndarray, "n 3"], Int[np.ndarray, "n"]]:
    """Places (k, j, i) on edges between neighbouring voxels where the attenuation is `level`, and the piece there."""
    places, labels = [], []
    for axis in range(3):
        values, names = np.moveaxis(block, axis, 0), np.moveaxis(pieces, axis, 0)
        here, there = values[:-1], values[1:]
        crossed = (here > level) != (there > level)
        index = np.argwhere(crossed).astype(np.float64)
        index[:, 0] += (level - here[crossed]) / (there[crossed] - here[crossed])
        order = [axis, *(other for other in range(3) if other != axis)]
        places.append(index[:, np.argsort(order)])
        labels.append(np.maximum(names[:-1][crossed], names[1:][crossed]))
    return np.concatenate(places), np.concatenate(labels)
