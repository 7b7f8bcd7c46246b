"""Contrast-filled arteries of the brain: what an angiogram shows and a CT taken before it does not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ...ct import CT
from ..materials import DENSITY_G_PER_CM3, Material
from .carotid_territory import CarotidTerritory
from .cavity import cranial_cavity
from .colonisation import Growth, grow, smoothed, tortuosity
from .parts import joined
from .solids import Solids
from .vessel_tree import VesselTree, murray_radii

# Distance from the main stem over which branches take up their winding.
_LOOSE_MM = 20.0


class Side(StrEnum):
    """Which internal carotid was injected."""

    RIGHT = "right"
    LEFT = "left"
    BOTH = "both"

    @property
    def outward(self) -> tuple[float, ...]:
        """Sign of R for each side that it names."""
        return {"right": (1.0,), "left": (-1.0,), "both": (1.0, -1.0)}[self.value]


@dataclass(frozen=True)
class Vessels:
    """Arteries of one or both internal carotids, filled with blood that carries `iodine_mg_per_ml` of iodine.

    `inlet_radius_mm` is that of the carotid; `branching` is the number of places in one half of the brain that ask for
    blood, on which the number of branches and the radius of the last ones depend (about 0.3 mm at 700).
    """

    iodine_mg_per_ml: float = 120.0
    side: Side = Side.RIGHT
    inlet_radius_mm: float = 2.2
    branching: int = 700

    def __post_init__(self) -> None:
        if not 0 < self.iodine_mg_per_ml <= 500:
            raise ValueError(f"iodine_mg_per_ml must be more than 0 and at most 500, got {self.iodine_mg_per_ml:g}")
        if not 0.5 <= self.inlet_radius_mm <= 2.5:
            raise ValueError(f"inlet_radius_mm must be between 0.5 and 2.5, got {self.inlet_radius_mm:g}")
        if not 1 <= self.branching <= 5000:
            raise ValueError(f"branching must be between 1 and 5000, got {self.branching}")

    def trees(self, ct: CT, random: np.random.Generator) -> tuple[VesselTree, ...]:
        """One tree for each injected side. InputError if the CT shows no cranial cavity."""
        cavity = cranial_cavity(ct)
        return tuple(self._grown(CarotidTerritory.of(cavity, outward), random) for outward in self.side.outward)

    def _grown(self, territory: CarotidTerritory, random: np.random.Generator) -> VesselTree:
        growth = Growth()
        trunk, parent, carotid = territory.trunks(growth.step_mm, random)
        tissue = territory.tissue(self.branching, random)
        # The carotid itself feeds nothing on its way up.
        above = trunk[carotid - 1 :]
        grown, fed_by = grow(
            above, np.maximum(parent[carotid - 1 :] - carotid + 1, -1), tissue, territory.confined, growth, random
        )
        grown = smoothed(grown, fed_by, len(above), territory.confined)
        # The main stem keeps its way, so that a wire may follow it.
        loose = np.minimum(territory.from_main_stem(grown) / _LOOSE_MM, 1)[:, None]
        wound, clear = territory.confined(grown + loose * tortuosity(grown, random))
        grown = np.where(clear[:, None] & (loose > 0), wound, grown)
        position = np.concatenate([trunk[: carotid - 1], grown])
        parent = np.concatenate([parent[:carotid], fed_by[1:] + carotid - 1])
        demand = random.lognormal(sigma=0.4, size=len(position))
        radius = murray_radii(parent, demand, self.inlet_radius_mm)
        return VesselTree(position, parent, radius, np.arange(len(position)) < carotid - 1)

    def solids(self, ct: CT, random: np.random.Generator) -> tuple[Solids, ...]:
        """The iodine in the arteries; blood itself is in the CT already. InputError without a cranial cavity."""
        factor = self.iodine_mg_per_ml / (1000 * DENSITY_G_PER_CM3[Material.IODINE])
        parts = [tree.parts for tree in self.trees(ct, random)]
        return (Solids(Material.IODINE, joined(*parts), factor),)
