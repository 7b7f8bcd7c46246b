"""Scatter behind slabs of water, photon by photon: what the defaults of `xray/simulator/scatter.py` are fits to.

python docs/make/scatter_monte_carlo.py

Takes a minute or two. A pencil of 60 keV photons enters a slab; what leaves it scattered on the far side is collected
on a detector that absorbs everything, behind a gap and, if there is one, a focused grid. Attenuation is NIST's; of it,
Compton is Klein–Nishina's with bound electrons, Rayleigh that of free atoms (International Tables for Crystallography
C, 6.1.1.4: Gaussians), and the rest is absorbed. At 60 keV Compton is 2 % above and Rayleigh 9 % below the tables of
Elam, Ravel & Sieber (2002). That water's atoms are not free is left out, as are the bound electrons' own motion,
fluorescence and polarisation.
"""

# Compiled code has numpy's older random numbers only.
# ruff: noqa: NPY002

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.xray.simulator.materials import Material, mass_attenuation
from DiffRegistrationLib.xray.simulator.scatter import REFERENCE_FIELD_MM, Scatter
from jaxtyping import Float64
from numba import njit
from scipy.optimize import least_squares

ENERGY_KEV, GAP_MM, GRID_RATIO = 60.0, 250.0, 10.0
THICKNESSES_MM = (50.0, 100.0, 150.0, 200.0, 250.0, 300.0)
PHOTONS = 3_000_000

_LOWEST_KEV = 10
# Least that a grid's lamellae let through; photons flatter than this never reach the detector.
_GRID_FLOOR, _FLATTEST = 0.02, 0.02
_RINGS_MM = np.arange(0.0, 1001.0, 10.0)
_KEV_ANGSTROM = 12.398
_ELECTRON_KEV = 511.0
_ELECTRON_RADIUS_CM = 2.8179403e-13
_MOLECULES_PER_G = 6.02214e23 / 18.015
# How many of water's ten electrons take part at x = sin(θ/2)/λ in 1/Å: 1 − exp(−this · x).
_BINDING = 4.5
# a, b of f = Σ a exp(−b x²) + c.
_HYDROGEN = ((0.493002, 10.5109), (0.322912, 26.1257), (0.140191, 3.14236), (0.040810, 57.7997)), 0.003038
_OXYGEN = ((3.0485, 13.2771), (2.2868, 5.7011), (1.5463, 0.3239), (0.8670, 32.9089)), 0.2508


def form_factor_squared(x: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    """F² of a molecule of water whose atoms do not know of each other, at x = sin(θ/2)/λ in 1/Å."""
    hydrogen, oxygen = (c + sum(a * np.exp(-b * x**2) for a, b in terms) for terms, c in (_HYDROGEN, _OXYGEN))
    # The Gaussians end at 2/Å, beyond which they mean nothing and hardly anything is scattered.
    return np.where(x < 2, 2 * hydrogen**2 + oxygen**2, 0)


def cross_sections(energies_kev: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "3 n"]:
    """cm²/g of water: absorbed, Rayleigh, Compton."""
    cosine = np.linspace(-1, 1, 4001)
    x = np.sqrt((1 - cosine) / 2) * energies_kev[:, None] / _KEV_ANGSTROM
    unit = 2 * np.pi * _ELECTRON_RADIUS_CM**2 * _MOLECULES_PER_G
    thomson = (1 + cosine**2) / 2
    rayleigh = unit * np.trapezoid(thomson * form_factor_squared(x), cosine, axis=1)
    left = 1 / (1 + energies_kev[:, None] / _ELECTRON_KEV * (1 - cosine))
    klein_nishina = left**2 * (left + 1 / left - (1 - cosine**2)) / 2
    compton = unit * np.trapezoid(klein_nishina * 10 * (1 - np.exp(-_BINDING * x)), cosine, axis=1)
    return np.stack([mass_attenuation(Material.WATER, energies_kev) - rayleigh - compton, rayleigh, compton])


@njit
def _turned(way, cosine):  # type: ignore[no-untyped-def]
    """A direction at an angle from `way`, anywhere around it."""
    around = 2 * np.pi * np.random.random()
    sine = np.sqrt(max(0.0, 1 - cosine * cosine))
    side, up = sine * np.cos(around), sine * np.sin(around)
    x, y, z = way
    if abs(z) > 0.99999:
        return side, up, cosine * np.sign(z)
    flat = np.sqrt(1 - z * z)
    return (
        cosine * x + (x * z * side - y * up) / flat,
        cosine * y + (y * z * side + x * up) / flat,
        cosine * z - flat * side,
    )


@njit
def _rayleigh_cosine(reach, x, share):  # type: ignore[no-untyped-def]
    """cos θ drawn from Thomson's law times F²; `share` (x²) is F² summed up to x, `reach` the largest x."""
    whole = np.interp(reach, x, share)
    while True:
        part = np.interp(np.random.random() * whole, share, x) / reach
        cosine = 1 - 2 * part * part
        if 2 * np.random.random() < 1 + cosine * cosine:
            return cosine


@njit
def _compton_cosine(energy):  # type: ignore[no-untyped-def]
    """cos θ drawn from Klein and Nishina's law for bound electrons."""
    while True:
        cosine = 2 * np.random.random() - 1
        left = 1 / (1 + energy / _ELECTRON_KEV * (1 - cosine))
        chance = 0.5 * left * left * (left + 1 / left - (1 - cosine * cosine))
        x = np.sqrt((1 - cosine) / 2) * energy / _KEV_ANGSTROM
        if np.random.random() < chance * (1 - np.exp(-_BINDING * x)):
            return cosine


@njit
def _scattered(thickness, grid_ratio, photons, seed, sections, x, share, rings):  # type: ignore[no-untyped-def]
    """Energy (parts of a photon's, per photon) that arrives scattered in each ring about the pencil."""
    np.random.seed(seed)
    arrived = np.zeros(len(rings) - 1)
    for _ in range(photons):
        energy, px, py, pz, way, scattered = ENERGY_KEV, 0.0, 0.0, 0.0, (0.0, 0.0, 1.0), False
        while energy > 0:
            below = int(energy) - _LOWEST_KEV
            part = energy - int(energy)
            absorbed, rayleigh, compton = (1 - part) * sections[:, below] + part * sections[:, below + 1]
            total = absorbed + rayleigh + compton
            # 10 mm a cm.
            step = -10 * np.log(1 - np.random.random()) / total
            px, py, pz = px + step * way[0], py + step * way[1], pz + step * way[2]
            if not 0 <= pz <= thickness:
                break
            chance = np.random.random() * total
            if chance < absorbed:
                energy = 0.0
            elif chance < absorbed + rayleigh:
                way, scattered = _turned(way, _rayleigh_cosine(energy / _KEV_ANGSTROM, x, share)), True
            else:
                cosine = _compton_cosine(energy)
                energy /= 1 + energy / _ELECTRON_KEV * (1 - cosine)
                way, scattered = _turned(way, cosine), True
                if energy < _LOWEST_KEV + 1:
                    energy = 0.0
        if energy > 0 and scattered and pz > thickness and way[2] > _FLATTEST:
            on = (thickness + GAP_MM - pz) / way[2]
            ring = int(np.hypot(px + on * way[0], py + on * way[1]) / rings[1])
            # Lamellae run along y.
            passes = max(_GRID_FLOOR, 1 - grid_ratio * abs(way[0] / way[2]))
            if ring < len(arrived):
                arrived[ring] += passes * energy / ENERGY_KEV
    return arrived / photons


def kernel(rings: Float64[np.ndarray, "n"]) -> tuple[float, float, float]:
    """Two Gaussians that fit the energy in the rings: the wide one's part, and both σ in mm, narrow first."""

    def model(q: Float64[np.ndarray, "4"]) -> Float64[np.ndarray, "n"]:
        amounts, sigmas = np.exp(q[:2]), np.exp(q[2:])
        beyond = [a * np.exp(-(_RINGS_MM**2) / (2 * s * s)) for a, s in zip(amounts, sigmas, strict=True)]
        return -np.diff(np.sum(beyond, axis=0))

    weights = 1 / np.sqrt((rings + 1e-4 * rings.sum()) * rings.sum())
    start = np.log([rings.sum() / 3, 2 * rings.sum() / 3, 30, 120])
    narrow, wide, near, far = np.exp(least_squares(lambda q: (model(q) - rings) * weights, start).x)
    return float(wide / (narrow + wide)), float(near), float(far)


def main() -> None:
    """Print scatter-to-primary ratios beside the potential's, and the kernel of each slab."""
    energies = np.arange(_LOWEST_KEV, ENERGY_KEV + 2)
    sections = cross_sections(energies)
    names = ("absorbed", "Rayleigh", "Compton")
    at = sections[:, energies == ENERGY_KEV][:, 0]
    print(f"{ENERGY_KEV:g} keV:", ", ".join(f"{n} {s:.4f}" for n, s in zip(names, at, strict=True)), "cm²/g")
    x = np.linspace(0, 2, 2001)
    share = np.concatenate([[0], np.cumsum(np.diff(x**2) * form_factor_squared((x[1:] + x[:-1]) / 2))])
    middles, half = (_RINGS_MM[1:] + _RINGS_MM[:-1]) / 2, REFERENCE_FIELD_MM / 2
    # The part of each ring inside the square field.
    cut = 1 - 4 / np.pi * np.arccos(np.minimum(1, half / middles))
    inside = np.where(middles < half, 1, np.maximum(cut, 0))
    attenuated = at.sum() / 10 * np.array(THICKNESSES_MM)
    for grid_ratio in (GRID_RATIO, 0.0):
        print(f"\ngrid {grid_ratio:g}:1" if grid_ratio else "\nno grid")
        found = [_scattered(t, grid_ratio, PHOTONS, 1, sections, x, share, _RINGS_MM) for t in THICKNESSES_MM]
        ratios = np.array([(rings * inside).sum() for rings in found]) * np.exp(attenuated)
        terms = np.stack([np.ones_like(attenuated), -attenuated, np.log(attenuated)], axis=1)
        fit = np.linalg.lstsq(terms, np.log(ratios), rcond=None)[0]
        default = Scatter(1.0)
        potential = np.exp(-attenuated * (default.primary_exponent - 1)) * attenuated**default.path_exponent
        scale = np.exp(np.mean(np.log(ratios / potential)))
        print(f"fit: primary_exponent {1 + fit[1]:.3f}, path_exponent {fit[2]:.3f}")
        for number, thickness in enumerate(THICKNESSES_MM):
            off = scale * potential[number] / ratios[number] - 1
            far_fraction, near, far = kernel(found[number])
            print(
                f"{thickness:g} mm: scatter-to-primary {ratios[number]:.3f}, defaults' potential off by {off:+.1%}; "
                f"far_fraction {far_fraction:.2f}, near_mm {near:.0f}, far_mm {far:.0f}"
            )


if __name__ == "__main__":
    main()
