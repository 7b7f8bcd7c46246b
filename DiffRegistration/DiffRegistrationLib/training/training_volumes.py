"""The CT as training renders it: no finer than the network sees, going on beyond its ends, at several energies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, Int

from ..xray.attenuation import (
    BONE_SLOPE,
    WATER_ATTENUATION_PER_MM,
    attenuation_from_hounsfield,
    hounsfield_from_attenuation,
)
from ..xray.ct import CT
from ..xray.geometry import Rays
from ..xray.projector import Projector
from ..xray.simulator.materials import DENSITY_G_PER_CM3, Material, mass_attenuation

# Mean energies (keV) behind a patient of soft and hard beams.
ENERGIES_KEV = (48.0, 58.0, 70.0)
# A body goes on beyond a CT that ends in tissue, at least as far as any image shows.
_BEYOND_MM = 200.0
# Of the largest slice's tissue: what the last slice of a body that was cut holds at least.
_CUT_PART = 0.3
_REFERENCE_KEV = 70.0
# Coarser than the solver samples: half the time, and a network does not see the difference.
_STEP_VOXELS = 1.5


def bone_slope(kiloelectronvolts: float) -> float:
    """How much steeper than a CT number, which is of 75 keV, bone's attenuation over water's grows at this energy."""

    def excess(energy: float) -> float:
        water, bone = (
            float(mass_attenuation(material, [energy])[0]) * DENSITY_G_PER_CM3[material]
            for material in (Material.WATER, Material.CORTICAL_BONE)
        )
        return bone / water - 1

    return BONE_SLOPE * excess(kiloelectronvolts) / excess(_REFERENCE_KEV)


def continued(ct: CT, length_mm: float = _BEYOND_MM) -> CT:
    """The CT with its first and last slice along the patient's long axis repeated for `length_mm`; labels are lost.

    An end is gone on with where the body was cut there: where its slice holds much tissue, not just a vertex.
    """
    axis = int(np.argmax(np.abs(ct.ct_from_voxel[2, :3] / ct.voxel_size)))
    slices = np.moveaxis(ct.attenuation, 2 - axis, 0)
    area = (slices > WATER_ATTENUATION_PER_MM / 2).mean(axis=(1, 2))
    count = int(np.ceil(length_mm / ct.voxel_size[axis]))
    before, after = (count if area[end] > _CUT_PART * area.max() else 0 for end in (0, -1))
    padding = [(0, 0)] * 3
    padding[2 - axis] = (before, after)
    matrix = ct.ct_from_voxel.copy()
    matrix[:3, 3] -= before * matrix[:3, axis]
    return CT(np.pad(ct.attenuation, padding, mode="edge"), matrix)


def step_mm(projector: Projector) -> float:
    """How far apart samples lie."""
    return _STEP_VOXELS * projector.volume().voxel_size_mm


class TrainingVolumes:
    """`projectors` of one CT, one for each of `ENERGIES_KEV`; poses are of the CT itself (world_from_ct)."""

    def __init__(self, ct: CT, footprint_mm: float) -> None:
        binning = Projector(ct).binning_for(footprint_mm)
        coarse = continued(ct.binned(binning))
        hounsfield = hounsfield_from_attenuation(coarse.attenuation)
        self.projectors = tuple(
            Projector(CT(attenuation_from_hounsfield(hounsfield, bone_slope=bone_slope(e)), coarse.ct_from_voxel))
            for e in ENERGIES_KEV
        )

    def __len__(self) -> int:
        return len(self.projectors)

    def render(
        self, rays: Rays, poses: Float64[np.ndarray, "n 4 4"], energies: Int[np.ndarray, "n"]
    ) -> Float32[np.ndarray, "n rays"]:
        """Line integrals of each pose at the energy of this number."""
        images = np.empty((len(poses), len(rays)), dtype=np.float32)
        for number, projector in enumerate(self.projectors):
            chosen = np.flatnonzero(energies == number)
            if len(chosen):
                images[chosen] = projector.render(rays, poses[chosen], step_mm=step_mm(projector))
        return images
