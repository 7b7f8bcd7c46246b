"""The beam of an X-ray tube: which photons leave it, behind its filters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..geometry.arrays import frozen_float64
from .materials import DENSITY_G_PER_CM3, ENERGIES_KEV, Material, mass_attenuation
from .tungsten_anode import K_LINES, bremsstrahlung, k_lines

# Halving this moves half-value layers and mean energies of filtered beams by less than 0.1 %.
_BIN_KEV = 2.0
_LIMITS = {
    "kilovolts": (40.0, ENERGIES_KEV[1]),
    "aluminium_mm": (0.5, 50.0),
    "copper_mm": (0.0, 2.0),
    "anode_angle_deg": (5.0, 30.0),
}


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Share of the photons in each energy bin: `energies_kev` are bin centres, `photons` add up to 1.

    ValueError for energies outside 10 to 150 keV or photons that are negative or none at all.
    """

    energies_kev: Float64[np.ndarray, "bins"]
    photons: Float64[np.ndarray, "bins"]

    def __post_init__(self) -> None:
        energies = frozen_float64(self.energies_kev, np.shape(self.energies_kev))
        photons = frozen_float64(self.photons, energies.shape)
        if energies.ndim != 1 or not ENERGIES_KEV[0] <= energies.min() <= energies.max() <= ENERGIES_KEV[1]:
            raise ValueError(f"energies_kev: expected a list within {ENERGIES_KEV} keV, got {energies}")
        if photons.min() < 0 or not photons.sum() > 0:
            raise ValueError(f"photons: expected shares of which some are positive, got {photons}")
        object.__setattr__(self, "energies_kev", energies)
        object.__setattr__(self, "photons", frozen_float64(photons / photons.sum(), photons.shape))

    @property
    def mean_energy_kev(self) -> float:
        """Mean energy of a photon in keV."""
        return float((self.photons * self.energies_kev).sum())


@dataclass(frozen=True)
class Tube:
    """An X-ray tube with a tungsten anode on constant potential.

    `aluminium_mm` is the whole filtration that is not copper, the tube's own included. ValueError for values that no
    tube has.
    """

    kilovolts: float = 80.0
    aluminium_mm: float = 3.0
    copper_mm: float = 0.1
    anode_angle_deg: float = 12.0

    def __post_init__(self) -> None:
        for name, (lowest, highest) in _LIMITS.items():
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise ValueError(f"{name}: expected {lowest:g} to {highest:g}, got {value:g}")

    def spectrum(self) -> Spectrum:
        """The beam on its axis, in bins of at most 2 keV from 10 keV up to the tube's voltage.

        Photons by `tungsten_anode`, filters by NIST's attenuation. Compared with SpekPy 2.5.4 (model "kqp") for 60,
        80, 100 and 120 kV, 12°, 3 mm Al, with and without 0.1 mm Cu, half-value layers in aluminium are 0.8 to 4.6 %
        smaller and mean energies 0.4 to 1.3 keV lower; the difference grows with the voltage.
        """
        count = math.ceil((self.kilovolts - ENERGIES_KEV[0]) / _BIN_KEV)
        edges = np.linspace(ENERGIES_KEV[0], self.kilovolts, count + 1)
        energies = (edges[1:] + edges[:-1]) / 2
        photons = bremsstrahlung(energies, self.kilovolts, self.anode_angle_deg) * np.diff(edges)
        lines = k_lines(self.kilovolts, self.anode_angle_deg)
        for (energy, _), line in zip(K_LINES, lines, strict=True):
            if line > 0:
                photons[np.searchsorted(edges, energy) - 1] += line
        for material, thickness_mm in (
            (Material.ALUMINIUM, self.aluminium_mm),
            (Material.COPPER, self.copper_mm),
        ):
            areal_density = DENSITY_G_PER_CM3[material] * thickness_mm / 10
            photons *= np.exp(-mass_attenuation(material, energies) * areal_density)
        return Spectrum(energies, photons)


@dataclass(frozen=True)
class SingleEnergy:
    """A beam of photons of one energy, which does not harden. ValueError outside 10 to 150 keV."""

    kiloelectronvolts: float = 60.0

    def __post_init__(self) -> None:
        self.spectrum()

    def spectrum(self) -> Spectrum:
        """All photons in one bin."""
        return Spectrum(np.array([self.kiloelectronvolts]), np.ones(1))
