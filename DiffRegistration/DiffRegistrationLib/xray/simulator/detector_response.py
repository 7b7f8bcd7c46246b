"""What a caesium iodide scintillator makes of the photons that reach it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from .materials import Material, mass_attenuation


@dataclass(frozen=True)
class Scintillator:
    """A layer of caesium iodide, of an image intensifier's input screen or of a flat panel, read out by its light.

    The signal is the energy of the photons that interact. Fluorescence that leaves the layer again counts as if it had
    stayed, which flatters signal and noise somewhat just above the K edges (Rowlands & Taylor, Med. Phys. 10, 786,
    1983). ValueError for a thickness that no detector has.
    """

    thickness_mg_per_cm2: float = 180.0

    def __post_init__(self) -> None:
        if not 20 <= self.thickness_mg_per_cm2 <= 500:
            raise ValueError(f"thickness_mg_per_cm2: expected 20 to 500, got {self.thickness_mg_per_cm2:g}")

    def absorbed_fraction(self, energies_kev: ArrayLike) -> Float64[np.ndarray, "n"]:
        """Share of the photons of each energy (keV) that interact: 1 − exp(−µ/ρ · thickness)."""
        return -np.expm1(-mass_attenuation(Material.CAESIUM_IODIDE, energies_kev) * self.thickness_mg_per_cm2 / 1000)
