"""How much of a beam comes through, for many beams at once: tables instead of sums over energies."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.random import Generator

from ..xray.attenuation import WATER_ATTENUATION_PER_MM
from ..xray.simulator.detector_response import Scintillator
from ..xray.simulator.materials import Material, mass_attenuation
from ..xray.simulator.ranges import Ranges
from ..xray.simulator.spectrum import Tube
from ..xray.simulator.transmission import open_field_quanta_per_mm2, transmitted
from .ranges import drawn
from .training_volumes import ENERGIES_KEV

_BEAMS = 24
# Line integrals in steps; more than the last lets nothing through.
_STEP, _STEPS = 0.1, 161
_PATIENT_CM = 16.0
_CM_PER_MM = 0.1


class Hardening:
    """Transmission of line integrals by beams drawn from `ranges`: water's by table, bone's by the energy it fits."""

    def __init__(self, ranges: Ranges, random: Generator, device: torch.device) -> None:
        integrals = _STEP * np.arange(_STEPS)
        water = (integrals / WATER_ATTENUATION_PER_MM * _CM_PER_MM).astype(np.float32)
        scintillator = Scintillator()
        tables, energies, quanta, behind = [], [], [], []
        for kilovolts, copper in zip(
            drawn(ranges.kilovolts, _BEAMS, random), drawn(ranges.copper_mm, _BEAMS, random), strict=True
        ):
            spectrum = Tube(kilovolts=float(kilovolts), copper_mm=float(copper)).spectrum()
            tables.append(transmitted(spectrum, scintillator, {Material.WATER: water}).signal)
            kev = spectrum.energies_kev
            seen = spectrum.photons * scintillator.absorbed_fraction(kev) * kev
            seen = seen * np.exp(-mass_attenuation(Material.WATER, kev) * _PATIENT_CM)
            mean = float((seen * kev).sum() / seen.sum())
            energies.append(int(np.argmin(np.abs(np.array(ENERGIES_KEV) - mean))))
            quanta.append(open_field_quanta_per_mm2(spectrum, scintillator, 1.0))
            behind.append(float(np.interp(_PATIENT_CM, water, tables[-1])))
        self.count = _BEAMS
        self.energies = np.array(energies)
        """Of `ENERGIES_KEV`, the one whose bone looks most like this beam's."""
        self.quanta_per_mm2_per_nanogray = np.array(quanta)
        self._tables = torch.tensor(np.array(tables), dtype=torch.float32, device=device)

    def drawn(self, energies: Int[np.ndarray, "batch"], random: Generator) -> Int[np.ndarray, "batch"]:
        """A beam for each image, of those whose bone looks like that of its energy."""
        alike = [np.flatnonzero(self.energies == energy) for energy in range(len(ENERGIES_KEV))]
        every = np.arange(self.count)
        return np.array([random.choice(alike[e] if len(alike[e]) else every) for e in energies])

    def transmission(
        self, line_integrals: Float[torch.Tensor, "batch size size"], beams: Int[torch.Tensor, "batch"]
    ) -> Float[torch.Tensor, "batch size size"]:
        """Signal behind `line_integrals`, 1 in the open beam; each image by the beam of this number."""
        place = (line_integrals / _STEP).clamp(0, _STEPS - 1.001)
        lower = place.floor()
        index = lower.long() + (beams * _STEPS)[:, None, None]
        flat = self._tables.reshape(-1)
        low = flat[index]
        return low + (place - lower) * (flat[index + 1] - low)
