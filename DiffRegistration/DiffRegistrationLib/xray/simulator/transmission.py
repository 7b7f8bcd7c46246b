"""The polyenergetic law of Beer and Lambert, with the noise that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numba import prange

from ..projector.compile_cache import compiled
from .air_kerma import nanogray_of_a_photon_per_mm2
from .detector_response import Scintillator
from .materials import Material, mass_attenuation
from .spectrum import Spectrum


@dataclass(frozen=True, eq=False)
class Transmission:
    """What reaches an energy-integrating detector behind an object, both 1 in the open field.

    `signal` is the mean energy signal; `quanta` the effective number of quanta, (mean signal)² / variance of the
    signal, which is below `signal` where the beam has hardened: fewer, but more energetic photons make it up.
    """

    signal: Float64[np.ndarray, "n"]
    quanta: Float64[np.ndarray, "n"]


def _energy_moments(
    spectrum: Spectrum, scintillator: Scintillator
) -> tuple[Float64[np.ndarray, "bins"], Float64[np.ndarray, "bins"]]:
    """Mean signal and its variance (keV, keV²) that one photon of the open beam leaves, by bin."""
    energies = spectrum.energies_kev
    absorbed = spectrum.photons * scintillator.absorbed_fraction(energies)
    return absorbed * energies, absorbed * energies**2


@compiled(parallel=True)
def _transmit(areal, attenuation, first, second, signal, quanta):  # type: ignore[no-untyped-def]
    """Fill `signal` and `quanta` (N): `areal` (M, N) g/cm², `attenuation` (M, B) cm²/g, moments (B) adding up to 1."""
    materials, bins = attenuation.shape
    for ray in prange(signal.size):
        mean, variance = 0.0, 0.0
        for energy in range(bins):
            exponent = 0.0
            for material in range(materials):
                exponent += attenuation[material, energy] * areal[material, ray]
            passing = np.exp(-exponent)
            mean += first[energy] * passing
            variance += second[energy] * passing
        signal[ray] = mean
        # Behind metal that lets nothing through at all, 0/0 stands for no quanta.
        quanta[ray] = mean * mean / variance if variance > 0 else 0.0


def transmitted(
    spectrum: Spectrum, scintillator: Scintillator, areal: Mapping[Material, Float32[np.ndarray, "n"]]
) -> Transmission:
    """Primary signal and effective quanta of every ray behind `areal` densities in g/cm², rows in ray order.

    A photon of energy E is absorbed with probability η(E) and then leaves E, so that for compound Poisson counts
    mean = Σ S η E e and variance = Σ S η E² e with e = exp(−Σ µ/ρ · areal). ValueError without any material.
    """
    if not areal:
        raise ValueError("areal: expected at least one material, got none")
    first, second = _energy_moments(spectrum, scintillator)
    attenuation = np.stack([mass_attenuation(material, spectrum.energies_kev) for material in areal])
    densities = np.stack([np.asarray(values, dtype=np.float32) for values in areal.values()])
    signal, quanta = np.empty(densities.shape[1]), np.empty(densities.shape[1])
    _transmit(densities, attenuation, first / first.sum(), second / second.sum(), signal, quanta)
    return Transmission(signal, quanta)


def open_field_quanta_per_mm2(spectrum: Spectrum, scintillator: Scintillator, air_kerma_nanogray: float) -> float:
    """Effective quanta per mm² of the open field: photons of that air kerma at the detector × (Σ S η E)² / Σ S η E².

    ValueError unless the air kerma (nGy) is positive.
    """
    if not 0 < air_kerma_nanogray < np.inf:
        raise ValueError(f"air_kerma_nanogray: expected more than 0, got {air_kerma_nanogray:g}")
    first, second = _energy_moments(spectrum, scintillator)
    photons_per_mm2 = air_kerma_nanogray / nanogray_of_a_photon_per_mm2(spectrum)
    return float(photons_per_mm2 * first.sum() ** 2 / second.sum())
