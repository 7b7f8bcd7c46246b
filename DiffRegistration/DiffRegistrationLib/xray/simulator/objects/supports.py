"""What the patient lies on. It belongs to the room, and is placed in the CT's frame of the nominal pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ct import CT
from ..materials import DENSITY_G_PER_CM3, Material
from .head import GRID_MM, head_in
from .parts import box, joined, round_cones, trough
from .solids import Solids

# Carbon-fibre laminate, 1.55 g/cm³, against graphite.
_LAMINATE = 1.55 / DENSITY_G_PER_CM3[Material.CARBON]
# Rigid acrylic foam of 70 kg/m³ and soft foam of 40 kg/m³, against PMMA.
_CORE = 0.07 / DENSITY_G_PER_CM3[Material.PMMA]
_CUSHION = 0.04 / DENSITY_G_PER_CM3[Material.PMMA]
_TABLE_MM = 1500.0
_HALF_R, _HALF_A, _HALF_S = np.eye(3)


@dataclass(frozen=True)
class Table:
    """A sandwich plate of carbon fibre behind the patient: two skins of `skin_mm` and side walls around foam.

    Its upper face is `gap_mm` behind the back of the head, which leaves room for a mattress or a head holder; it ends
    `overhang_mm` above the vertex and runs along S to the feet. `shift_mm` moves it to the patient's right.
    """

    thickness_mm: float = 40.0
    skin_mm: float = 1.2
    width_mm: float = 400.0
    gap_mm: float = 30.0
    overhang_mm: float = 100.0
    shift_mm: float = 0.0

    def __post_init__(self) -> None:
        if not 2 <= self.thickness_mm <= 200:
            raise ValueError(f"thickness_mm must be between 2 and 200, got {self.thickness_mm:g}")
        if not 0 < self.skin_mm < 0.5 * self.thickness_mm:
            raise ValueError(f"skin_mm must be more than 0 and below half the thickness, got {self.skin_mm:g}")
        if not 50 <= self.width_mm <= 1000:
            raise ValueError(f"width_mm must be between 50 and 1000, got {self.width_mm:g}")
        if not 0 <= self.gap_mm <= 300:
            raise ValueError(f"gap_mm must be between 0 and 300, got {self.gap_mm:g}")
        if not -500 <= self.overhang_mm <= 1000:
            raise ValueError(f"overhang_mm must be between -500 and 1000, got {self.overhang_mm:g}")
        if not -500 <= self.shift_mm <= 500:
            raise ValueError(f"shift_mm must be between -500 and 500, got {self.shift_mm:g}")

    def solids(self, ct: CT, random: np.random.Generator) -> tuple[Solids, ...]:
        """Laminate and foam; nothing about them is left to chance. InputError if the CT shows no head."""
        head = head_in(ct)
        # Half a voxel of the head's grid, and as much again for what lies between two of them.
        back, vertex = head.tissue_points[:, 1].min() - GRID_MM, head.tissue_points[:, 2].max()
        centre = np.array(
            [
                head.centre[0] + self.shift_mm,
                back - self.gap_mm - 0.5 * self.thickness_mm,
                vertex + self.overhang_mm - 0.5 * _TABLE_MM,
            ]
        )
        width, height, length = 0.5 * self.width_mm, 0.5 * self.thickness_mm, 0.5 * _TABLE_MM
        skin = 0.5 * self.skin_mm
        plates = [
            box(centre + side * (height - skin) * _HALF_A, [width * _HALF_R, skin * _HALF_A, length * _HALF_S])
            for side in (1, -1)
        ]
        walls = [
            box(centre + side * (width - skin) * _HALF_R, [skin * _HALF_R, height * _HALF_A, length * _HALF_S])
            for side in (1, -1)
        ]
        foam = box(
            centre,
            [(width - self.skin_mm) * _HALF_R, (height - self.skin_mm) * _HALF_A, length * _HALF_S],
        )
        return (
            Solids(Material.CARBON, joined(*plates, *walls), _LAMINATE),
            Solids(Material.PMMA, foam, _CORE),
        )


@dataclass(frozen=True)
class HeadHolder:
    """A U-shaped shell behind and beside the head, open to the front, with a rim along both edges and two side pads.

    Its wall of `wall_mm` keeps `pad_mm` and a little more off the head all around; `length_mm` along S begins
    `overhang_mm` above the vertex, and its arms rise `arm_mm` in front of the middle of the head.
    """

    wall_mm: float = 3.0
    length_mm: float = 200.0
    overhang_mm: float = 30.0
    arm_mm: float = 20.0
    pad_mm: float = 10.0
    rim_diameter_mm: float = 7.0
    material: Material = Material.CARBON

    def __post_init__(self) -> None:
        if not 0.5 <= self.wall_mm <= 20:
            raise ValueError(f"wall_mm must be between 0.5 and 20, got {self.wall_mm:g}")
        if not 50 <= self.length_mm <= 400:
            raise ValueError(f"length_mm must be between 50 and 400, got {self.length_mm:g}")
        if not -100 <= self.overhang_mm < self.length_mm:
            raise ValueError(f"overhang_mm must be at least -100 and below the length, got {self.overhang_mm:g}")
        if not 1 <= self.arm_mm <= 100:
            raise ValueError(f"arm_mm must be between 1 and 100, got {self.arm_mm:g}")
        if not 1 <= self.pad_mm <= 50:
            raise ValueError(f"pad_mm must be between 1 and 50, got {self.pad_mm:g}")
        if not self.wall_mm <= self.rim_diameter_mm <= self.wall_mm + 2 * self.pad_mm:
            raise ValueError(
                f"rim_diameter_mm must be between the wall's {self.wall_mm:g} and {self.wall_mm + 2 * self.pad_mm:g}, "
                f"got {self.rim_diameter_mm:g}"
            )

    def solids(self, ct: CT, random: np.random.Generator) -> tuple[Solids, ...]:
        """Shell and pads; nothing about them is left to chance. InputError if the CT shows no head."""
        head = head_in(ct)
        points = head.tissue_points
        top = points[:, 2].max() + self.overhang_mm
        right, level, _ = head.centre
        high = level + self.arm_mm + self.rim_diameter_mm
        beside = points[(points[:, 2] > top - self.length_mm) & (points[:, 1] < high)] - head.centre
        # Half axes of an ellipse that the head fits into, with room to spare.
        width = np.abs(beside[:, 0]).max()
        depth = max(-beside[:, 1].min(), 1.0)
        behind = beside[beside[:, 1] < 0]
        wider = max(float(np.hypot(behind[:, 0] / width, behind[:, 1] / depth).max()), 1.0)
        room = self.pad_mm + 2.0
        width, depth = wider * width + room + self.wall_mm, wider * depth + room + self.wall_mm
        centre = np.array([right, level, top - 0.5 * self.length_mm])
        along = 0.5 * self.length_mm * _HALF_S
        parts = [trough(centre, width * _HALF_R, -depth * _HALF_A, along, self.wall_mm)]
        pads = []
        for side in (1.0, -1.0):
            wall = centre + side * (width - 0.5 * self.wall_mm) * _HALF_R
            arm = 0.5 * self.arm_mm * _HALF_A
            parts.append(box(wall + arm, [0.5 * self.wall_mm * _HALF_R, arm, along]))
            rim = wall + 2 * arm
            rod = 0.5 * self.rim_diameter_mm
            parts.append(round_cones(rim - along, rim + along, rod, rod))
            pad = centre + side * (width - self.wall_mm - 0.5 * self.pad_mm) * _HALF_R + arm
            pads.append(box(pad, [0.5 * self.pad_mm * _HALF_R, arm, 0.5 * along]))
        laminate = _LAMINATE if self.material is Material.CARBON else 1.0
        return (
            Solids(self.material, joined(*parts), laminate),
            Solids(Material.PMMA, joined(*pads), _CUSHION),
        )
