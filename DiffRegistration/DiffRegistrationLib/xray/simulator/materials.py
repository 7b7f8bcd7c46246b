"""What X-rays pass through: densities and mass attenuation coefficients of the simulator's materials."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

_COEFFICIENTS = Path(__file__).with_name("nist_coefficients.json")
# What the tables span; no diagnostic beam has anything to say below or above it behind its filters.
ENERGIES_KEV = (10.0, 150.0)


class Material(StrEnum):
    """Materials of patients, instruments and the X-ray system itself."""

    WATER = "water"
    CORTICAL_BONE = "cortical bone"
    """ICRU-44 cortical bone."""
    IODINE = "iodine"
    IRON = "iron"
    TITANIUM = "titanium"
    ALUMINIUM = "aluminium"
    COPPER = "copper"
    SILVER = "silver"
    PLATINUM = "platinum"
    TUNGSTEN = "tungsten"
    LEAD = "lead"
    PMMA = "PMMA"
    CARBON = "carbon"
    """Graphite."""
    CAESIUM_IODIDE = "caesium iodide"


# NISTIR 5632, tables 1 and 2.
DENSITY_G_PER_CM3: Mapping[Material, float] = MappingProxyType(
    {
        Material.WATER: 1.0,
        Material.CORTICAL_BONE: 1.92,
        Material.IODINE: 4.93,
        Material.IRON: 7.874,
        Material.TITANIUM: 4.54,
        Material.ALUMINIUM: 2.699,
        Material.COPPER: 8.96,
        Material.SILVER: 10.5,
        Material.PLATINUM: 21.45,
        Material.TUNGSTEN: 19.3,
        Material.LEAD: 11.35,
        Material.PMMA: 1.19,
        Material.CARBON: 1.7,
        Material.CAESIUM_IODIDE: 4.51,
    }
)


@cache
def _smooth_pieces(quantity: str, substance: str) -> tuple[tuple[float, Callable[..., Any]], ...]:
    """Of one table the pieces between edges: first energy (keV) and log coefficient as a function of log energy."""
    from scipy.interpolate import PchipInterpolator

    table = json.loads(_COEFFICIENTS.read_text(encoding="utf-8"))[quantity][substance]
    energies, values = np.array(table["energies_kev"], dtype=np.float64), np.array(table["values"])
    # An edge is listed twice: its lower side ends one piece, its upper side begins the next.
    edges = np.flatnonzero(np.diff(energies) == 0) + 1
    pieces = np.split(np.log([energies, values]), edges, axis=1)
    return tuple((float(np.exp(piece[0, 0])), PchipInterpolator(piece[0], piece[1])) for piece in pieces)


def _interpolated(quantity: str, substance: str, energies_kev: ArrayLike) -> Float64[np.ndarray, "n"]:
    energies = np.asarray(energies_kev, dtype=np.float64)
    # Written so that NaN fails as well.
    if not np.all((energies >= ENERGIES_KEV[0]) & (energies <= ENERGIES_KEV[1])):
        raise ValueError(
            f"expected energies from {ENERGIES_KEV[0]:g} to {ENERGIES_KEV[1]:g} keV, "
            f"got {energies.min():g} to {energies.max():g} keV"
        )
    coefficients = np.empty_like(energies)
    for begin, curve in _smooth_pieces(quantity, substance):
        # Later pieces overwrite what earlier ones extrapolate; a hair of slack makes up for the logarithm's rounding.
        above = energies >= begin * (1 - 1e-12)
        coefficients[above] = np.exp(curve(np.log(energies[above])))
    return coefficients


def mass_attenuation(material: Material, energies_kev: ArrayLike) -> Float64[np.ndarray, "n"]:
    """µ/ρ in cm²/g at `energies_kev`, coherent scattering included; an absorption edge counts as above itself.

    Source: Hubbell & Seltzer, NISTIR 5632, tables 3 and 4, interpolated by monotone cubics in log-log, never across an
    edge: within 1.2 % of xraylib 4.3 everywhere (platinum above its K edge: 1.9 %). ValueError outside 10 to 150 keV.
    """
    return _interpolated("mass_attenuation_cm2_per_g", material, energies_kev)


def mass_energy_absorption_of_air(energies_kev: ArrayLike) -> Float64[np.ndarray, "n"]:
    """µ_en/ρ of dry air in cm²/g at `energies_kev`; same source, interpolation and errors as `mass_attenuation`."""
    return _interpolated("mass_energy_absorption_cm2_per_g", "air", energies_kev)
