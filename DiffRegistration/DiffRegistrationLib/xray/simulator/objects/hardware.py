"""Metal on and in the skull: screws with plates, and EEG electrodes. Leads and guide-wires: see `wires`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from ...ct import CT
from ..materials import Material
from .head import Head, head_in
from .parts import Parts, box, cylinder, joined, round_cones
from .sites import across, sites
from .solids import Solids

_SCREWS_A_PLATE = 4
_PLATE_MM = 0.6
_PLATE_WIDTH_MM = 2.4
_CUP_HOLE_MM = 2.0
_CUP_DEPTH_MM = 1.5


@dataclass(frozen=True)
class Screws:
    """Titanium screws of `length_mm` in the vault of the skull, up to four on a plate, as after a craniotomy."""

    count: int = 8
    length_mm: float = 5.0
    diameter_mm: float = 1.6

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 100:
            raise ValueError(f"count must be between 1 and 100, got {self.count}")
        if not 1 <= self.length_mm <= 60:
            raise ValueError(f"length_mm must be between 1 and 60, got {self.length_mm:g}")
        if not 0.5 <= self.diameter_mm <= 10:
            raise ValueError(f"diameter_mm must be between 0.5 and 10, got {self.diameter_mm:g}")

    def solids(self, ct: CT, random: np.random.Generator) -> tuple[Solids, ...]:
        """All screws and plates in one body. InputError if the CT shows no head or no bone."""
        head = head_in(ct)
        plates = sites(head, -(-self.count // _SCREWS_A_PLATE), 0.3, random, on_bone=True)
        left = self.count
        parts = []
        for plate in plates:
            screws = min(left, _SCREWS_A_PLATE)
            left -= screws
            parts.append(self._plate(head, plate, screws, random))
        return (Solids(Material.TITANIUM, joined(*parts)),)

    def _plate(self, head: Head, site: Float64[np.ndarray, "3"], screws: int, random: np.random.Generator) -> Parts:
        normal = head.outward(site[None])[0]
        line = across(normal, random)
        spacing = 3.2 * self.diameter_mm
        ways = site + spacing * (np.arange(screws) - 0.5 * (screws - 1))[:, None] * line - head.centre
        holes = head.skull(ways / np.linalg.norm(ways, axis=1, keepdims=True))
        holes = holes[np.isfinite(holes).all(axis=1)]
        outward = head.outward(holes)
        radius = 0.5 * self.diameter_mm
        tips = holes - self.length_mm * outward
        parts = [round_cones(holes + _PLATE_MM * outward, tips + 0.5 * radius * outward, radius, 0.5 * radius)]
        for hole, up in zip(holes, outward, strict=True):
            parts.append(cylinder(hole, hole + (_PLATE_MM + 0.5 * radius) * up, 1.8 * radius))
        for first, second in pairwise(holes):
            along = 0.5 * (second - first)
            up = np.cross(along, np.cross(normal, along))
            up /= np.linalg.norm(up)
            side = np.cross(along, up) / np.linalg.norm(along)
            middle = 0.5 * (first + second) + 0.5 * _PLATE_MM * up
            parts.append(box(middle, [along, 0.5 * _PLATE_WIDTH_MM * side, 0.5 * _PLATE_MM * up]))
        return joined(*parts)


@dataclass(frozen=True)
class Electrodes:
    """EEG cup electrodes of silver, `thickness_mm` of metal, with their hollow on the scalp and a hole on top."""

    count: int = 12
    diameter_mm: float = 10.0
    thickness_mm: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 300:
            raise ValueError(f"count must be between 1 and 300, got {self.count}")
        if not 4 <= self.diameter_mm <= 30:
            raise ValueError(f"diameter_mm must be between 4 and 30, got {self.diameter_mm:g}")
        if not 0.05 <= self.thickness_mm <= 1.9:
            raise ValueError(f"thickness_mm must be between 0.05 and 1.9, got {self.thickness_mm:g}")

    def solids(self, ct: CT, random: np.random.Generator) -> tuple[Solids, ...]:
        """All electrodes in one body. InputError if the CT shows no head."""
        head = head_in(ct)
        places = sites(head, self.count, 0.0, random)
        radius = 0.5 * self.diameter_mm
        parts = []
        for place, up in zip(places, head.outward(places), strict=True):
            roof = place + _CUP_DEPTH_MM * up
            parts.append(cylinder(place, roof, radius, radius - self.thickness_mm))
            parts.append(cylinder(roof, roof + self.thickness_mm * up, radius, 0.5 * _CUP_HOLE_MM))
        return (Solids(Material.SILVER, joined(*parts)),)
