"""What a CT is made of: water and cortical bone in every voxel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from jaxtyping import Float64, Int64, Num, UInt16

from ..attenuation import AIR_HOUNSFIELD, hounsfield_from_attenuation
from ..ct import CT
from .materials import DENSITY_G_PER_CM3, Material, mass_attenuation

# Effective energy of the CT that measured the Hounsfield units: 120 kV behind a patient.
CT_ENERGY_KEV = 75.0
# Up to here soft tissue is taken for denser water; what attenuates more has bone in it.
SOFT_TISSUE_HOUNSFIELD = 100.0


@cache
def _bone_hounsfield() -> float:
    """Hounsfield units of solid cortical bone at the CT's energy, about 1430."""
    water, bone = (
        float(mass_attenuation(material, [CT_ENERGY_KEV])[0]) * DENSITY_G_PER_CM3[material]
        for material in (Material.WATER, Material.CORTICAL_BONE)
    )
    return 1000 * (bone / water - 1)


def densities_from_hounsfield(hounsfield: Num[np.ndarray, "*shape"]) -> Float64[np.ndarray, "2 *shape"]:
    """Partial densities in g/cm³ of water and of cortical bone whose attenuation at 75 keV is `hounsfield`.

    Nothing up to −950 HU, water of density 1 + HU/1000 up to 100 HU, then a mixture by volume of that densest water
    and of cortical bone, and beyond solid bone (about 1430 HU) bone of a higher density. Attenuation is continuous and
    exact throughout; which of the two materials it comes from decides how the beam hardens.
    """
    hounsfield = np.asarray(hounsfield, dtype=np.float64)
    solid = _bone_hounsfield()
    part = np.clip((hounsfield - SOFT_TISSUE_HOUNSFIELD) / (solid - SOFT_TISSUE_HOUNSFIELD), 0, 1)
    soft = np.where(hounsfield > AIR_HOUNSFIELD, 1 + np.minimum(hounsfield, SOFT_TISSUE_HOUNSFIELD) / 1000, 0)
    compaction = (1000 + np.maximum(hounsfield, solid)) / (1000 + solid)
    return np.stack(
        [
            (1 - part) * soft * DENSITY_G_PER_CM3[Material.WATER],
            part * compaction * DENSITY_G_PER_CM3[Material.CORTICAL_BONE],
        ]
    )


@dataclass(frozen=True, eq=False)
class Composition:
    """Partial densities of `MATERIALS` in every voxel of a CT.

    Density = `units` · `counts` in g/cm³; 16 bits are far finer than a CT's noise and halve what rays have to load.
    `voxel_from_ct` maps the CT's frame (mm) to voxel centres (i, j, k). All that is not air has indices (i, j, k) from
    `lower` up to, but not including, `upper`.
    """

    MATERIALS = (Material.WATER, Material.CORTICAL_BONE)

    counts: UInt16[np.ndarray, "depth rows columns 2"]
    units: Float64[np.ndarray, "2"]
    voxel_from_ct: Float64[np.ndarray, "4 4"]
    lower: Int64[np.ndarray, "3"]
    upper: Int64[np.ndarray, "3"]

    @classmethod
    def from_ct(cls, ct: CT) -> Self:
        """Composition of `ct`, whose attenuation is first read back as Hounsfield units."""
        densest = float(hounsfield_from_attenuation(ct.attenuation.max(initial=0)))
        most = densities_from_hounsfield(np.array([min(densest, SOFT_TISSUE_HOUNSFIELD), densest])).max(axis=1)
        # A CT without bone still needs a unit for it.
        units = np.maximum(most, 1e-3) / 65535
        counts = np.empty((*ct.attenuation.shape, 2), dtype=np.uint16)
        # Slice by slice, so that no second volume of floats is ever alive.
        for index, plane in enumerate(ct.attenuation):
            densities = densities_from_hounsfield(hounsfield_from_attenuation(plane))
            counts[index] = np.moveaxis(densities, 0, -1) / units + 0.5
        along_ijk = [np.flatnonzero(counts.any(axis=others)) for others in ((0, 1, 3), (0, 2, 3), (1, 2, 3))]
        ends = np.array([(where[0], where[-1] + 1) if len(where) else (0, 0) for where in along_ijk], dtype=np.int64)
        return cls(counts, units, np.linalg.inv(ct.ct_from_voxel), ends[:, 0], ends[:, 1])
