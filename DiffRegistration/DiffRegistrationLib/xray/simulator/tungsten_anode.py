"""X-rays from a tungsten anode by the semi-empirical model of Tucker, Barnes and Chakraborty (TBC).

D. M. Tucker, G. T. Barnes, D. P. Chakraborty, "Semiempirical model for generating tungsten target x-ray spectra",
Medical Physics 18, 211, 1991. Electrons lose energy with depth by the Thomson–Whiddington law; what they radiate on
the way, bremsstrahlung and K lines, is absorbed by the tungsten between there and the surface. The anode is pure
tungsten here, where TBC have an alloy with a tenth of rhenium.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from .materials import Material, mass_attenuation

# α r_e² Z² N_A / A of tungsten in cm²/g.
_RADIATION_CM2_PER_G = 2.8179403e-13**2 / 137.036 * 74**2 * 6.02214e23 / 183.84
_ELECTRON_REST_KEV = 511.0
# TBC: size and shape of the bremsstrahlung cross-section, a polynomial in photon by electron energy.
_SIZE = (3.685e-2, 2.900e-5)
_SHAPE = (1.0, -5.049, 10.847, -10.516, 3.842)
# TBC: K x-rays an electron, with their growth above the edge.
_K_EDGE_KEV = 69.525
_K_YIELD, _K_EXPONENT = 1.349e-3, 1.648
# Kα₁, Kα₂, Kβ₁, Kβ₂: energy in keV and share of the K x-rays.
K_LINES = ((59.32, 0.500), (57.98, 0.288), (67.24, 0.169), (69.07, 0.043))
# Thomson–Whiddington constant in keV² cm²/g by the energy of the electrons (Birch & Marshall 1979).
_WHIDDINGTON_KEV = (50.0, 75.0, 100.0, 150.0)
_WHIDDINGTON = (0.54e6, 0.625e6, 0.70e6, 0.84e6)
# Depths, or electron energies, over which production is summed.
_STEPS = 200


def _whiddington(kilovolts: float) -> float:
    return float(np.interp(kilovolts, _WHIDDINGTON_KEV, _WHIDDINGTON))


def _stopping_power(electron_kev: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    """TBC's fit to the mass stopping power of tungsten, MeV cm²/g."""
    return 2.0241 + 10.361 * np.exp(-0.04695 * electron_kev)


def bremsstrahlung(
    energies_kev: Float64[np.ndarray, "n"], kilovolts: float, anode_angle_deg: float
) -> Float64[np.ndarray, "n"]:
    """Photons per electron and keV at `energies_kev` < `kilovolts`, across the electron beam, before any filter."""
    energies = np.asarray(energies_kev, dtype=np.float64)
    middle = (np.arange(_STEPS) + 0.5) / _STEPS
    electron = energies[:, None] + (kilovolts - energies)[:, None] * middle
    way_out = (kilovolts**2 - electron**2) / (_whiddington(kilovolts) * np.sin(np.radians(anode_angle_deg)))
    leaving = np.exp(-mass_attenuation(Material.TUNGSTEN, energies)[:, None] * way_out)
    ratio = energies[:, None] / electron
    cross_section = (_SIZE[0] + _SIZE[1] * kilovolts) * np.polynomial.polynomial.polyval(ratio, _SHAPE)
    radiated = cross_section * (electron + _ELECTRON_REST_KEV) / electron * leaving / _stopping_power(electron)
    return _RADIATION_CM2_PER_G / energies * radiated.mean(axis=1) * (kilovolts - energies)


def k_lines(kilovolts: float, anode_angle_deg: float) -> Float64[np.ndarray, "4"]:
    """Photons per electron in each of `K_LINES`; none below the K edge."""
    if kilovolts <= _K_EDGE_KEV:
        return np.zeros(len(K_LINES))
    energies, shares = np.array(K_LINES).T
    # Production falls as a parabola to the depth where the mean electron can no longer free a K electron.
    part_of_depth = (np.arange(_STEPS) + 0.5) / _STEPS
    depth = (kilovolts**2 - _K_EDGE_KEV**2) / _whiddington(kilovolts) * part_of_depth
    way_out = depth / np.sin(np.radians(anode_angle_deg))
    leaving = np.exp(-mass_attenuation(Material.TUNGSTEN, energies)[:, None] * way_out)
    yield_per_electron = _K_YIELD * (kilovolts / _K_EDGE_KEV - 1) ** _K_EXPONENT
    return yield_per_electron * shares * (1.5 * (1 - part_of_depth**2) * leaving).mean(axis=1)
