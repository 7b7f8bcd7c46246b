"""The cranial cavity: what the skull encloses, found in any CT of a head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import ndimage

from ...attenuation import WATER_ATTENUATION_PER_MM
from ...ct import CT
from ...errors import InputError
from .head import GRID_MM, SKIN_PER_MM, Head, head_in

# Half the width of an opening that the cavity does not leak through: the foramen magnum is about 35 mm long.
_LEAK_MM = 19.0
# Half the width of the narrowest nook that still belongs to the cavity, and how far nooks may reach.
_NOOK_MM = 6.0
_NOOK_DEPTH_MM = 10.0
# 180 HU on 2 mm voxels: thin bone fills only part of one.
_THIN_BONE_PER_MM = 1.2 * WATER_ATTENUATION_PER_MM
# Share of directions from inside that must meet bone; the foramen magnum and the orbits' roofs let some by.
_LEAST_ENCLOSED = 0.8
_REACH_MM = 130.0


@dataclass(frozen=True, eq=False)
class Cavity:
    """The inside of the brain case on the head's even grid; `depth_mm` is the distance to its wall, 0 outside."""

    head: Head
    inside: Bool[np.ndarray, "r a s"]
    depth_mm: Float32[np.ndarray, "r a s"]

    def depth(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
        """Distance (mm) to the wall of points (RAS mm), 0 outside."""
        return ndimage.map_coordinates(self.depth_mm, self.head.voxel(points).T, order=1, mode="constant")

    def inward(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Unit vectors away from the wall at points (RAS mm); zero where there is no wall about."""
        slope = np.stack(
            [self.depth(points + shift) - self.depth(points - shift) for shift in GRID_MM * np.eye(3)], axis=1
        )
        return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)


@lru_cache(maxsize=1)
def cranial_cavity(ct: CT) -> Cavity:
    """The space that bone encloses on nearly all sides, closed at the foramen magnum. InputError if there is none.

    The space farther than 19 mm from bone falls apart into the middle of the brain, the neck and the air outside; the
    middle of the brain is the part from which most directions meet bone. It grows back by what it has lost.
    """
    head = head_in(ct)
    bone = head.attenuation > _THIN_BONE_PER_MM
    # Air cells are walls too: brain holds no air.
    clearance = _distance(~bone & (head.attenuation > SKIN_PER_MM))
    cores, count = ndimage.label(clearance > _LEAK_MM)
    sizes = np.bincount(cores.ravel())[1:] if count else np.zeros(0)
    for label in 1 + np.argsort(-sizes)[:4]:
        core = cores == label
        deepest = np.unravel_index(np.argmax(np.where(core, clearance, 0)), core.shape)
        if _enclosed(bone, np.array(deepest)) < _LEAST_ENCLOSED:
            continue
        # Grown in free space only, so that orbits and air cells do not hang on by a pinhole in thin bone.
        spaces, _ = ndimage.label((_distance(~core) <= _LEAK_MM + _NOOK_DEPTH_MM) & (clearance > _NOOK_MM))
        free = spaces == spaces[deepest]
        inside = ndimage.binary_dilation(free, iterations=round(_NOOK_MM / GRID_MM), mask=clearance > 0)
        return Cavity(head, inside, np.maximum(_distance(inside) - 0.5 * GRID_MM, 0).astype(np.float32))
    raise InputError("CT", "it shows no cranial cavity", "Use a CT of a whole head, or leave out the vessels.")


def _distance(mask: Bool[np.ndarray, "r a s"]) -> Float32[np.ndarray, "r a s"]:
    """Millimetres from each voxel of the mask to the nearest one outside it."""
    return (GRID_MM * ndimage.distance_transform_edt(mask)).astype(np.float32)


def _enclosed(bone: Bool[np.ndarray, "r a s"], voxel: Float64[np.ndarray, "3"]) -> float:
    """Share of directions, spread evenly over the sphere, that meet bone."""
    n = np.arange(400) + 0.5
    z, turn = 1 - 2 * n / 400, np.pi * (1 + np.sqrt(5)) * n
    across = np.sqrt(1 - z * z)
    directions = np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)
    steps = np.arange(0.0, _REACH_MM / GRID_MM, 0.5)
    points = voxel + steps[:, None, None] * directions
    met = ndimage.map_coordinates(bone, points.reshape(-1, 3).T, order=0, mode="constant").reshape(points.shape[:2])
    return float(met.any(axis=0).mean())
