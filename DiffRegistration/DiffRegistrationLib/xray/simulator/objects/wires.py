"""Leads over the head and a guide-wire in the carotid: thin lines that start on the patient and leave the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy import ndimage

from ...ct import CT
from ...errors import InputError
from ..materials import Material
from .carotid_territory import CarotidTerritory, curve
from .cavity import cranial_cavity
from .head import Head, head_in
from .parts import chain, joined
from .sites import across, directions
from .solids import Solids
from .vessels import Side

_PIECE_MM = 3.0
_OUT_OF_FIELD_MM = 400.0
# Insulation, as far as it keeps the metal off the skin.
_COVER_MM = 0.6
_TRIES = 40
# Platinum coils make the tip of a neurovascular guide-wire visible.
_TIP_MM = 30.0


@dataclass(frozen=True)
class Wires:
    """ECG and EEG leads, `diameter_mm` of metal each, that run over the skin and then off through the air."""

    count: int = 4
    diameter_mm: float = 0.8
    material: Material = Material.COPPER

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 100:
            raise ValueError(f"count must be between 1 and 100, got {self.count}")
        if not 0.05 <= self.diameter_mm <= 10:
            raise ValueError(f"diameter_mm must be between 0.05 and 10, got {self.diameter_mm:g}")

    def solids(self, ct: CT, random: np.random.Generator) -> tuple[Solids, ...]:
        """All wires in one body. InputError if the CT shows no head."""
        head = head_in(ct)
        radius = 0.5 * self.diameter_mm
        leads = [chain(_lead(head, radius, random), radius) for _ in range(self.count)]
        return (Solids(self.material, joined(*leads)),)


def _lead(head: Head, radius: float, random: np.random.Generator) -> Float64[np.ndarray, "n 3"]:
    """A way over the skin and out of the field that meets no other part of the patient, if one is found soon."""
    lead = None
    for _ in range(_TRIES):
        start = directions(1, -0.1, random)[0]
        heading = across(start, random)
        # A lead is not pulled down through the shoulders.
        if heading[2] < -0.5:
            heading = -heading
        angle = np.radians(random.uniform(20, 75))
        turns = np.linspace(0, angle, max(int(90 * angle / _PIECE_MM), 4))[:, None]
        sideways = np.cross(start, heading)
        sway = random.normal(scale=0.12) * np.sin(np.pi * turns / angle) + random.normal(scale=0.06) * np.sin(
            2 * np.pi * turns / angle
        )
        way = np.cos(turns) * start + np.sin(turns) * heading + sway * sideways
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        reach = np.linalg.norm(head.skin(way) - head.centre, axis=1)
        if not np.isfinite(reach).all():
            continue
        # A lead bridges hollows; it does not cut into what stands out.
        height = np.maximum(ndimage.gaussian_filter1d(reach, 3, mode="nearest"), reach) + radius + _COVER_MM
        line = head.centre + ndimage.gaussian_filter1d(height, 1.5, mode="nearest")[:, None] * way
        off = _off(head, line, random)
        lead = ndimage.gaussian_filter1d(np.concatenate([line, off]), 3, axis=0, mode="nearest")
        if not head.inside(off[3:]).any():
            break
    if lead is None:
        raise InputError("CT", "it shows too little skin to lay a wire on", "Use a CT of a whole head.")
    return lead


def _off(head: Head, line: Float64[np.ndarray, "n 3"], random: np.random.Generator) -> Float64[np.ndarray, "m 3"]:
    """The way on from the skin into the air, in a slack curve that bends away from the head."""
    onward = line[-1] - line[-4]
    normal = head.outward(line[-1:])[0]
    onward -= min(onward @ normal, 0.0) * normal
    onward = onward / np.linalg.norm(onward) + 0.15 * normal
    bend = 0.5 * across(onward / np.linalg.norm(onward), random) + 0.4 * normal
    along = np.arange(1, int(_OUT_OF_FIELD_MM / _PIECE_MM) + 1)[:, None] * _PIECE_MM
    return line[-1] + along * onward + 0.5 * (along / 250) ** 2 * 120 * bend


@dataclass(frozen=True)
class GuideWire:
    """A steel wire up one internal carotid into the middle cerebral artery, its tip wound with platinum.

    It runs within the main stem of `Vessels` of the same CT and side.
    """

    diameter_mm: float = 0.36
    side: Side = Side.RIGHT

    def __post_init__(self) -> None:
        if not 0.05 <= self.diameter_mm <= 2:
            raise ValueError(f"diameter_mm must be between 0.05 and 2, got {self.diameter_mm:g}")

    def solids(self, ct: CT, random: np.random.Generator) -> tuple[Solids, ...]:
        """Shaft and tip for each side. InputError if the CT shows no cranial cavity."""
        bodies: list[Solids] = []
        for outward in self.side.outward:
            territory = CarotidTerritory.of(cranial_cavity(ct), outward)
            way = np.concatenate([territory.carotid(_PIECE_MM), territory.main_stem(_PIECE_MM)[1:]])
            # How far it was pushed up differs; it rests near the vessel's wall, not in the middle.
            way = curve(way[: len(way) - random.integers(0, 6)], 1.5) + random.uniform(-0.5, 0.5, size=3)
            tip = int(_TIP_MM / 1.5)
            radius = 0.5 * self.diameter_mm
            bodies.append(Solids(Material.IRON, chain(way[:-tip], radius)))
            bodies.append(Solids(Material.PLATINUM, chain(way[-tip - 1 :], radius)))
        return tuple(bodies)
