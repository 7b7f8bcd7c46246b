"""How many photons a dose at the detector stands for."""

from __future__ import annotations

from .materials import mass_energy_absorption_of_air
from .spectrum import Spectrum

# 1 keV/g per cm² in nGy per photon/mm²: 1.602176634e-16 J, 1000 g/kg, 100 mm²/cm², 1e9 nGy/Gy.
_NANOGRAY = 1.602176634e-16 * 1e3 * 1e2 * 1e9


def nanogray_of_a_photon_per_mm2(spectrum: Spectrum) -> float:
    """Air kerma in nGy of one photon per mm² of this beam: Σ photons · E · µ_en/ρ of dry air."""
    energies = spectrum.energies_kev
    return float((spectrum.photons * energies * mass_energy_absorption_of_air(energies)).sum()) * _NANOGRAY
