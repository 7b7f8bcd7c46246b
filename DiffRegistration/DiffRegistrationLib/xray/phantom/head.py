"""The phantom as a whole: an adult head and neck in Hounsfield units, with landmarks known by construction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

from ..ct import CT
from ..provenance import Provenance
from .anatomy import AIR, Anatomy, paint
from .face import facial_skeleton
from .jaw import mandible
from .proportions import Proportions
from .skull import brain_case
from .soft_tissue import airway, soft_tissue
from .spine import cervical_spine
from .teeth import teeth
from .vessels import arteries

# Field of view in mm, RAS, about the point midway between the ear canals' upper edges.
_LOW = (-92.0, -118.0, -130.0)
_HIGH = (92.0, 122.0, 126.0)


@dataclass(frozen=True, eq=False)
class HeadPhantom:
    """A head whose every landmark is known.

    `ct` has labels as in `STRUCTURES`. `landmarks` are points in the CT's frame (RAS mm): x to the patient's right,
    y to the front, z up, origin midway between the porions, the Frankfurt plane horizontal. `landmark_structures`
    names the structure that each landmark lies on and moves with.
    """

    ct: CT
    landmarks: Mapping[str, Float64[np.ndarray, "3"]]
    landmark_structures: Mapping[str, str]


def head_phantom(voxel_size_mm: float = 1.0, *, variant: int = 0, contrast: bool = False) -> HeadPhantom:
    """An adult head and neck, 184 × 240 × 256 mm (a larger variant: more), on cubic voxels; same arguments, same head.

    `variant` 0 is the reference; every other number is another person, of other proportions. `contrast` fills the
    right carotid's territory with iodine. ValueError if the voxel size is not between 0.25 and 8 mm.
    """
    if not 0.25 <= voxel_size_mm <= 8:
        raise ValueError(f"voxel size must be between 0.25 and 8 mm, got {voxel_size_mm:g} mm")
    proportions = Proportions.of_variant(variant)
    axes = []
    for low, high in proportions.field_of_view(_LOW, _HIGH):
        axes.append(low + voxel_size_mm * (0.5 + np.arange(round((high - low) / voxel_size_mm))))
    grid = proportions.grid(axes, voxel_size_mm)
    hounsfield = np.full(grid.shape, AIR, dtype=np.float32)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    landmarks, structures = {}, {}
    for anatomy in _head(contrast):
        for part in anatomy.parts:
            paint(part, grid, hounsfield, labels)
        for name, landmark in anatomy.landmarks.items():
            landmarks[name] = proportions.placed(landmark.point)
            structures[name] = landmark.structure
    matrix = np.diag([voxel_size_mm] * 3 + [1.0])
    matrix[:3, 3] = [axis[0] for axis in axes]
    origin = Provenance("CT", f"head phantom, variant {variant}, {voxel_size_mm:g} mm", "computed")
    ct = CT.from_hounsfield(hounsfield, matrix, labels, (origin,))
    return HeadPhantom(ct, MappingProxyType(landmarks), MappingProxyType(structures))


def _head(contrast: bool) -> tuple[Anatomy, ...]:
    """What the head is made of; later ones are laid over earlier ones."""
    return (
        soft_tissue(),
        brain_case(),
        facial_skeleton(),
        mandible(),
        teeth(),
        cervical_spine(),
        airway(),
        arteries(contrast),
    )
