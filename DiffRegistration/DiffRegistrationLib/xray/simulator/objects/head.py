"""Where skin and skull lie in a CT of a head, whatever its grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import ndimage

from ...attenuation import WATER_ATTENUATION_PER_MM
from ...ct import CT
from ...errors import InputError
from ...geometry import rigid

# Edge of the even grid, along R, A and S, that skin and cavity are looked for on.
GRID_MM = 2.0
SKIN_PER_MM = 0.5 * WATER_ATTENUATION_PER_MM
# 300 HU: above contrast-enhanced tissue, below the spongy part of the skull.
BONE_PER_MM = 1.33 * WATER_ATTENUATION_PER_MM
# Depth of the brain case's middle below the vertex.
_CENTRE_BELOW_VERTEX_MM = 75.0
_REACH_MM = 170.0
_STEP_MM = 0.5
# A head has far more than a litre; less is a bone or a test object.
_LEAST_TISSUE_MM3 = 5e5


@dataclass(frozen=True, eq=False)
class Head:
    """A CT seen on an even grid whose axes are the CT's R, A, S; `low` (mm) is the centre of its first voxel.

    `tissue` is the patient without table, pillows and what else lies about; `centre` is the middle of the cranium.
    """

    ct: CT
    low: Float64[np.ndarray, "3"]
    attenuation: Float32[np.ndarray, "r a s"]
    tissue: Bool[np.ndarray, "r a s"]
    centre: Float64[np.ndarray, "3"]

    def place(self, voxels: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """RAS mm of voxels of the even grid."""
        return self.low + GRID_MM * np.asarray(voxels, dtype=np.float64)

    def voxel(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Voxels of the even grid, with fractions, of points in RAS mm."""
        return (np.asarray(points, dtype=np.float64) - self.low) / GRID_MM

    @cached_property
    def tissue_points(self) -> Float64[np.ndarray, "n 3"]:
        """Centres (RAS mm) of the voxels on the patient's surface: all that can be farthest out in any direction."""
        return self.place(np.argwhere(self.tissue & ~ndimage.binary_erosion(self.tissue)))

    def skin(self, directions: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """The outermost points (RAS mm) of the skin along directions (unit vectors) from `centre`.

        NaN where the head runs on to the edge of the CT.
        """
        return self._outermost(directions, SKIN_PER_MM)

    def skull(self, directions: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """The outermost points (RAS mm) of bone along directions (unit vectors) from `centre`; NaN without any."""
        return self._outermost(directions, BONE_PER_MM)

    def outward(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Unit normals of the skin, smoothed over a centimetre, at or near points (RAS mm)."""
        voxels = self.voxel(points).T
        slope = np.stack(
            [
                ndimage.map_coordinates(self._softened, voxels - shift, order=1, mode="nearest")
                - ndimage.map_coordinates(self._softened, voxels + shift, order=1, mode="nearest")
                for shift in np.eye(3)[:, :, None]
            ],
            axis=1,
        )
        return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)

    def inside(self, points: Float64[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Whether points (RAS mm) lie within the patient, to the accuracy of the even grid."""
        voxels = np.rint(self.voxel(points)).astype(int)
        within = ((voxels >= 0) & (voxels < self._filled.shape)).all(axis=1)
        found = np.zeros(len(voxels), dtype=bool)
        found[within] = self._filled[tuple(voxels[within].T)]
        return found

    @cached_property
    def _filled(self) -> Bool[np.ndarray, "r a s"]:
        """The patient with its air cells, slice by slice: the neck that the CT cuts is open at the bottom."""
        return np.stack([ndimage.binary_fill_holes(slab) for slab in np.moveaxis(self.tissue, 2, 0)], axis=2)

    @cached_property
    def _softened(self) -> Float32[np.ndarray, "r a s"]:
        return ndimage.gaussian_filter(self._filled.astype(np.float32), 5.0 / GRID_MM)

    @cached_property
    def _near_tissue(self) -> Bool[np.ndarray, "r a s"]:
        return ndimage.binary_dilation(self.tissue, iterations=2)

    def _outermost(
        self, directions: Float64[np.ndarray, "n 3"], threshold_per_mm: float
    ) -> Float64[np.ndarray, "n 3"]:
        """Where the CT itself last crosses a threshold, on lines from the centre, among the patient's own voxels."""
        radius = np.arange(0.0, _REACH_MM, _STEP_MM)
        points = self.centre + radius[:, None] * np.asarray(directions, dtype=np.float64)[:, None, :]
        flat = points.reshape(-1, 3)
        at = rigid.transform_points(np.linalg.inv(self.ct.ct_from_voxel), flat)[:, ::-1].T
        value = ndimage.map_coordinates(self.ct.attenuation, at, order=1, mode="constant").reshape(points.shape[:2])
        mine = ndimage.map_coordinates(self._near_tissue, np.rint(self.voxel(flat)).T, order=0, mode="constant")
        above = (value > threshold_per_mm) & mine.reshape(points.shape[:2])
        last = len(radius) - 1 - np.argmax(above[:, ::-1], axis=1)
        lines = np.arange(len(points))
        usable = above.any(axis=1) & (last < len(radius) - 1)
        following = np.minimum(last + 1, len(radius) - 1)
        inner, outer = value[lines, last], value[lines, following]
        # At the CT's edge its values drop to nothing with no air in between.
        edge = np.array(self.ct.size)[::-1, None] - 1.5
        beyond = at.reshape(3, *points.shape[:2])[:, lines, following]
        usable &= ((beyond > 0.5) & (beyond < edge)).all(axis=0) & (inner > outer)
        share = np.where(usable, (inner - threshold_per_mm) / np.where(usable, inner - outer, 1.0), np.nan)
        crossing = radius[last] + np.clip(share, 0.0, 1.0) * _STEP_MM
        return self.centre + crossing[:, None] * np.asarray(directions, dtype=np.float64)


@lru_cache(maxsize=1)
def head_in(ct: CT) -> Head:
    """The head that a CT shows; kept for the next object that is put on it. InputError if there is none."""
    low, high = ct.corners().min(axis=0), ct.corners().max(axis=0)
    size = np.maximum(np.ceil((high - low) / GRID_MM).astype(int), 1)
    low = 0.5 * (low + high) - 0.5 * GRID_MM * (size - 1)
    fine = ct.binned(max(int(GRID_MM / ct.voxel_size.max() + 1e-6), 1))
    voxel_from_ras = np.linalg.inv(fine.ct_from_voxel)
    attenuation = ndimage.affine_transform(
        fine.attenuation,
        GRID_MM * voxel_from_ras[2::-1, :3],
        rigid.transform_points(voxel_from_ras, low[None])[0, ::-1],
        tuple(size),
        order=1,
        mode="constant",
    )
    tissue = _largest(ndimage.binary_opening(attenuation > SKIN_PER_MM, iterations=2))
    if tissue.sum() * GRID_MM**3 < _LEAST_TISSUE_MM3:
        raise InputError("CT", "it shows no head", "Use a CT of a head, or leave out what is put on one.")
    vertex = np.flatnonzero(tissue.any(axis=(0, 1))).max()
    level = max(vertex - round(_CENTRE_BELOW_VERTEX_MM / GRID_MM), 0)
    across = np.argwhere(tissue[:, :, max(level - 5, 0) : level + 6].any(axis=2))
    middle = 0.5 * (across.min(axis=0) + across.max(axis=0))
    return Head(ct, low, attenuation, tissue, low + GRID_MM * np.array([*middle, level]))


def _largest(mask: Bool[np.ndarray, "r a s"]) -> Bool[np.ndarray, "r a s"]:
    """The largest connected component; nothing of nothing."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
