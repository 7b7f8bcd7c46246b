"""The bone of a CT as points on its surface, each with its outward normal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Bool, Float32, Float64, Int
from scipy import ndimage

# A voxel counts as bone by half where it reads 275 HU: above muscle and contrast-filled veins, below the thin bone of
# the face blurred by a voxel. Tables and holders of carbon and foam read far less.
_BONE_HOUNSFIELD = (100.0, 450.0)
# Grains smaller than this are calcifications, noise, beads and wires.
_GRAIN_MM3 = 150.0


@dataclass(frozen=True, eq=False)
class BonePoints:
    """Points of a bone's surface in its CT's frame (RAS mm) and their unit normals, which point away from bone.

    `is_bone` is the bone on the grid that the points were found on, indexed [k, j, i]; `ct_from_voxel` places it.
    """

    points: Float64[np.ndarray, "n 3"]
    normals: Float64[np.ndarray, "n 3"]
    is_bone: Bool[np.ndarray, "depth rows columns"]
    ct_from_voxel: Float64[np.ndarray, "4 4"]

    def voxels_of(self, points: Float64[np.ndarray, "m 3"]) -> Float64[np.ndarray, "m 3"]:
        """Continuous voxel indices (i, j, k) of points in the CT's frame."""
        return rigid.transform_points(np.linalg.inv(self.ct_from_voxel), points)

    def depth_in_field(self, points: Float64[np.ndarray, "m 3"]) -> Float64[np.ndarray, "m"]:
        """How far inside the CT's box points lie (mm); negative outside it."""
        size = np.array(self.is_bone.shape[::-1])
        edge = np.linalg.norm(self.ct_from_voxel[:3, :3], axis=0)
        index = self.voxels_of(points)
        return (np.minimum(index + 0.5, size - 0.5 - index) * edge).min(axis=1)

    def thinned(self, spacing_mm: float) -> Int[np.ndarray, "m"]:
        """Which points to keep for about one in a cube of this edge; surfaces that face apart are thinned apart."""
        if not len(self.points):
            return np.zeros(0, dtype=np.int64)
        cell = np.floor((self.points - self.points.min(axis=0)) / spacing_mm).astype(np.int64)
        span = cell.max(axis=0) + 1
        facing = (self.normals > 0) @ np.array([1, 2, 4])
        key = ((cell[:, 0] * span[1] + cell[:, 1]) * span[2] + cell[:, 2]) * 8 + facing
        # Shuffled, so that what is kept of a cube is not always its lowest point; the same CT gives the same points.
        order = np.random.default_rng(0).permutation(len(key))
        _, first = np.unique(key[order], return_index=True)
        return np.sort(order[first])


def bone_points(ct: CT, voxel_mm: float = 1.5) -> BonePoints:
    """The bone's surface, found between voxels of at most `voxel_mm` (means of smaller ones; larger ones stay)."""
    factors = [max(1, int(voxel_mm / float(edge) + 1e-3)) for edge in ct.voxel_size]
    low, high = (float(attenuation_from_hounsfield(np.array([level]))[0]) for level in _BONE_HOUNSFIELD)
    share = _binned(ct.attenuation, factors[::-1], lambda slab: np.clip((slab - low) / (high - low), 0, 1))
    shift = np.eye(4)
    shift[:3, :3] = np.diag(factors)
    shift[:3, 3] = (np.array(factors) - 1) / 2
    matrix = ct.ct_from_voxel @ shift
    is_bone = share > 0.5
    is_bone = _without_grains(is_bone, float(np.linalg.norm(matrix[:3, :3], axis=0).prod()))
    points, slopes = _crossings(share, is_bone)
    # Gradients are per voxel along i, j, k: to mm, then to the CT's axes.
    edge = np.linalg.norm(matrix[:3, :3], axis=0)
    normals = -(slopes / edge) @ (matrix[:3, :3] / edge).T
    length = np.linalg.norm(normals, axis=1)
    good = length > 1e-4
    return BonePoints(
        rigid.transform_points(matrix, points[good]), normals[good] / length[good, None], is_bone, matrix
    )


def _binned(
    values: Float32[np.ndarray, "depth rows columns"],
    factors: list[int],
    of_voxel: Callable[[np.ndarray], np.ndarray],
) -> Float32[np.ndarray, "d r c"]:
    """Means of `of_voxel` over blocks of `factors` voxels; a slab at a time, as the CT may be large. Blocks at the end
    that are not whole are left out."""
    k, j, i = (n // f for n, f in zip(values.shape, factors, strict=True))
    out = np.empty((k, j, i), dtype=np.float32)
    for slab in range(k):
        part = of_voxel(values[slab * factors[0] : (slab + 1) * factors[0], : j * factors[1], : i * factors[2]])
        part = part.mean(axis=0, dtype=np.float32)
        out[slab] = part.reshape(j, factors[1], i, factors[2]).mean(axis=(1, 3))
    return out


def _without_grains(is_bone: Bool[np.ndarray, "d r c"], voxel_mm3: float) -> Bool[np.ndarray, "d r c"]:
    labels, count = ndimage.label(is_bone)
    if count == 0:
        return is_bone
    sizes = np.bincount(labels.ravel())
    keep = sizes * voxel_mm3 >= _GRAIN_MM3
    keep[0] = False
    return keep[labels]


def _crossings(
    share: Float32[np.ndarray, "d r c"], is_bone: Bool[np.ndarray, "d r c"]
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Where the share of bone passes one half between neighbours, (i, j, k), and its gradient per voxel there."""
    smooth = ndimage.gaussian_filter(share, 0.7)
    points, slopes = [], []
    for axis in range(3):
        lower = [slice(None)] * 3
        upper = [slice(None)] * 3
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        at = np.argwhere(is_bone[tuple(lower)] != is_bone[tuple(upper)])
        first = tuple(at.T)
        second = tuple(np.add(at, np.eye(3, dtype=int)[axis]).T)
        # A grain that was taken away leaves a step from 1 to 1: the middle will do.
        step = share[second] - share[first]
        part = np.clip(np.divide(0.5 - share[first], step, out=np.full(len(at), 0.5), where=step != 0), 0, 1)
        place = at.astype(np.float64)
        place[:, axis] += part
        points.append(place[:, ::-1])
        slope = np.stack([_slope(smooth, at, part, axis, along) for along in (2, 1, 0)], axis=1)
        slopes.append(slope)
    return np.concatenate(points), np.concatenate(slopes)


def _slope(
    smooth: Float32[np.ndarray, "d r c"], at: Int[np.ndarray, "n 3"], part: np.ndarray, axis: int, along: int
) -> Float64[np.ndarray, "n"]:
    """Central difference along one axis, linear between the two neighbours of each crossing."""
    total = np.zeros(len(at))
    for end in (0, 1):
        centre = at + end * np.eye(3, dtype=int)[axis]
        before, after = centre.copy(), centre.copy()
        before[:, along] = np.maximum(before[:, along] - 1, 0)
        after[:, along] = np.minimum(after[:, along] + 1, smooth.shape[along] - 1)
        run = np.maximum(after[:, along] - before[:, along], 1)
        difference = (smooth[tuple(after.T)] - smooth[tuple(before.T)]) / run
        total += difference * (part if end else 1 - part)
    return total
