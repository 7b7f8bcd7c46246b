"""What the phantom is made of: tissues, structures, parts, and landmarks that the parts carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from .grid import Grid
from .shapes import Shape

# Hounsfield units.
AIR = -1000.0
FAT = -90.0
FLUID = 8.0
BRAIN = 35.0
BLOOD = 45.0
MUSCLE = 50.0
THIN_BONE = 800.0
CANCELLOUS = 320.0
DIPLOE = 480.0
CORTICAL = 1350.0
PETROUS = 1650.0
DENTINE = 1700.0
ENAMEL = 2500.0
# The ceiling of a 12-bit scanner, which metal reaches.
METAL = 3071.0
# Iodine injected into an artery and diluted there.
CONTRAST = 1500.0

STRUCTURES: Mapping[str, int] = MappingProxyType(
    {
        "soft tissue": 1,
        "brain": 2,
        "skull": 3,
        "mandible": 4,
        "teeth": 5,
        "cervical spine": 6,
        "hyoid": 7,
        "vessels": 8,
        "air cavities": 9,
    }
)

# Sign of x on the right and on the left.
SIDES = (("right", 1.0), ("left", -1.0))


@dataclass(frozen=True, eq=False)
class Part:
    """A shape filled with one tissue, and with `core` deeper than `rind` mm below its surface."""

    structure: str
    shape: Shape
    hounsfield: float
    core: float | None = None
    rind: float = 0.0


@dataclass(frozen=True, eq=False)
class Landmark:
    """A named point (RAS mm) and the structure that it belongs to and moves with."""

    point: Float64[np.ndarray, "3"]
    structure: str


@dataclass
class Anatomy:
    """Parts in the order in which they are laid over each other, later ones on top, and their landmarks."""

    parts: list[Part] = field(default_factory=list)
    landmarks: dict[str, Landmark] = field(default_factory=dict)

    def bone(self, structure: str, shape: Shape, rind: float = 1.5, cortex: float = CORTICAL) -> None:
        """Cortical bone of `rind` mm with cancellous bone inside."""
        self.parts.append(Part(structure, shape, cortex, CANCELLOUS, rind))

    def fill(self, structure: str, shape: Shape, hounsfield: float) -> None:
        """One tissue throughout."""
        self.parts.append(Part(structure, shape, hounsfield))

    def mark(self, name: str, point: object, structure: str) -> None:
        """Name a point (RAS mm)."""
        self.landmarks[name] = Landmark(np.array(point, dtype=np.float64), structure)


def paint(
    part: Part, grid: Grid, hounsfield: Float32[np.ndarray, "k j i"], labels: UInt8[np.ndarray, "k j i"]
) -> None:
    """Lay a part over what is there: voxels that its surface cuts become mixtures, half-filled ones take its label."""
    region = grid.within(*part.shape.box, margin=grid.step)
    if region is None:
        return
    distance = part.shape.on(region, reach=grid.step)
    # Share of a voxel behind a plane at that distance from its centre.
    distance /= np.float32(-grid.step)
    distance += np.float32(0.5)
    share = np.clip(distance, 0, 1)
    below = hounsfield[region.place]
    if part.core is None:
        below += share * (np.float32(part.hounsfield) - below)
    else:
        distance -= np.float32(part.rind / grid.step)
        core = np.clip(distance, 0, 1)
        tissue = np.float32(part.hounsfield) + core * np.float32(part.core - part.hounsfield)
        below += share * (tissue - below)
    labels[region.place][share >= 0.5] = STRUCTURES[part.structure]
