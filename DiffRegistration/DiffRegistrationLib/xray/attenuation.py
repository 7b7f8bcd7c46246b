"""Hounsfield units to linear attenuation, by physics and never by min–max scaling."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Num

# Water at 70 keV, the mean energy of a 120 kVp beam: 0.1929 cm²/g × 1 g/cm³ (NIST, Hubbell & Seltzer).
WATER_ATTENUATION_PER_MM = 0.0192
# Above water a voxel is a mixture with bone, which weighs more at the X-ray's energy than at the CT's (effective
# 75 keV): slope = [µ_bone/µ_water − 1] at 70 keV over the same at 75 keV, cortical bone ICRU-44, 1.92 g/cm³.
BONE_SLOPE = 1.10

# What reads emptier than this is air and noise. Noise around 0 would otherwise be cut at 0 from below only, and add up
# to a grey veil over a long way through the room.
AIR_HOUNSFIELD = -950.0


def attenuation_from_hounsfield(
    hounsfield: Num[np.ndarray, "*shape"],
    water_per_mm: float = WATER_ATTENUATION_PER_MM,
    bone_slope: float = BONE_SLOPE,
) -> Float32[np.ndarray, "*shape"]:
    """µ in mm⁻¹: water·(1 + HU/1000) up to water, water·(1 + bone_slope·HU/1000) above it, 0 for air."""
    hounsfield = np.asarray(hounsfield)
    if hounsfield.dtype in (np.int16, np.uint16) and hounsfield.size > 1 << 16:
        # A CT has a few thousand different values and millions of voxels: convert each value once.
        low, high = int(hounsfield.min()), int(hounsfield.max())
        table = attenuation_from_hounsfield(np.arange(low, high + 1, dtype=np.float32), water_per_mm, bone_slope)
        return table[hounsfield.astype(np.int32) - low] if low else table[hounsfield]
    hounsfield = hounsfield.astype(np.float32)
    slope = np.where(hounsfield > 0, np.float32(bone_slope), np.float32(1))
    attenuation = np.float32(water_per_mm) * (1 + slope * hounsfield / np.float32(1000))
    return np.where(hounsfield > AIR_HOUNSFIELD, attenuation, np.float32(0))


def hounsfield_from_attenuation(
    attenuation: Float32[np.ndarray, "*shape"],
    water_per_mm: float = WATER_ATTENUATION_PER_MM,
    bone_slope: float = BONE_SLOPE,
) -> Float32[np.ndarray, "*shape"]:
    """The inverse of `attenuation_from_hounsfield`; air comes back as −1000 HU."""
    relative = np.asarray(attenuation, dtype=np.float32) / np.float32(water_per_mm) - 1
    return 1000 * np.where(relative > 0, relative / np.float32(bone_slope), relative)
