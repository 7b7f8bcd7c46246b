"""The patient in the beam: what the CT holds, the body that goes on below it, and what was laid on or into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Float64

from ..ct import CT
from ..geometry import Rays, rigid
from .composition import Composition
from .materials import Material
from .objects.object_in_beam import ObjectInBeam
from .objects.solids import Solids, areal_densities
from .settings import XraySettings
from .siddon import areal_densities as areal_densities_of_voxels

Densities = dict[Material, Float32[np.ndarray, "n"]]


class Patient:
    """A CT with the objects that `settings` ask for, placed by `seed`: same arguments, same patient.

    InputError for objects that the CT offers no place for.
    """

    def __init__(self, ct: CT, settings: XraySettings, seed: int) -> None:
        self.centre = ct.centre
        self._voxels = _composition(ct, settings.body_below_mm)
        self._moving = placed(settings.moving_objects, ct, seed)
        self._standing = placed(settings.standing_objects, ct, seed)

    def areal_densities(
        self, rays: Rays, pose: Float64[np.ndarray, "4 4"], standing_pose: Float64[np.ndarray, "4 4"]
    ) -> Densities:
        """g/cm² of each material along `rays` (world), the head at `pose`, what it lies on at `standing_pose`."""
        total = dict(areal_densities_of_voxels(self._voxels, rays, pose))
        for solids, world_from_ct in ((self._moving, pose), (self._standing, standing_pose)):
            if not solids:
                continue
            ct_from_world = rigid.inverse(world_from_ct)
            source, target = (rigid.transform_points(ct_from_world, points) for points in (rays.source, rays.target))
            for material, density in areal_densities(solids, source, target).items():
                total[material] = total[material] + density if material in total else density
        return total


@lru_cache(maxsize=1)
def _composition(ct: CT, body_below_mm: float) -> Composition:
    """The last one is kept: most X-rays are of the same patient as the one before."""
    return Composition.from_ct(continued_below(ct, body_below_mm))


def placed(objects: Mapping[str, ObjectInBeam], ct: CT, seed: int) -> Sequence[Solids]:
    """The bodies of `objects`; each name has its own stream of random numbers, so that none depends on the others."""
    solids: list[Solids] = []
    for name, kind in objects.items():
        solids += kind.solids(ct, generator(seed, name))
    return solids


def generator(seed: int, name: str) -> np.random.Generator:
    """Random numbers for what is called `name`: switching one thing off leaves all others as they were."""
    return np.random.default_rng([seed, *name.encode()])


def continued_below(ct: CT, length_mm: float) -> CT:
    """The CT with its slice nearest to the feet repeated for `length_mm`; objects and targets keep their places."""
    if length_mm == 0:
        return ct
    directions = ct.ct_from_voxel[:3, :3] / ct.voxel_size
    axis = int(np.argmax(np.abs(directions[2])))
    count = int(np.ceil(length_mm / ct.voxel_size[axis]))
    # Indices grow toward the head if the axis points up, so that the feet are before the first slice.
    before = directions[2, axis] > 0
    padding = [(0, 0)] * 3
    padding[2 - axis] = (count, 0) if before else (0, count)
    matrix = ct.ct_from_voxel.copy()
    if before:
        matrix[:3, 3] -= count * matrix[:3, axis]
    return CT(np.pad(ct.attenuation, padding, mode="edge"), matrix, None, ct.provenance)
