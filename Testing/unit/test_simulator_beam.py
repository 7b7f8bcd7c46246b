"""The beam against tables, standards and formulas: attenuation, spectra, hardening and the noise of what arrives."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield, hounsfield_from_attenuation
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.simulator.air_kerma import nanogray_of_a_photon_per_mm2
from DiffRegistrationLib.xray.simulator.composition import Composition, densities_from_hounsfield
from DiffRegistrationLib.xray.simulator.detector_response import Scintillator
from DiffRegistrationLib.xray.simulator.materials import (
    DENSITY_G_PER_CM3,
    Material,
    mass_attenuation,
    mass_energy_absorption_of_air,
)
from DiffRegistrationLib.xray.simulator.spectrum import Spectrum, Tube
from DiffRegistrationLib.xray.simulator.transmission import open_field_quanta_per_mm2, transmitted


def half_value_layer_mm(spectrum: Spectrum) -> float:
    """Aluminium that halves the air kerma, by bisection."""
    energies = spectrum.energies_kev
    kerma = spectrum.photons * energies * mass_energy_absorption_of_air(energies)
    per_mm = mass_attenuation(Material.ALUMINIUM, energies) * DENSITY_G_PER_CM3[Material.ALUMINIUM] / 10
    thin, thick = 0.0, 40.0
    for _ in range(50):
        middle = (thin + thick) / 2
        too_thin = (kerma * np.exp(-per_mm * middle)).sum() > kerma.sum() / 2
        thin, thick = (middle, thick) if too_thin else (thin, middle)
    return thin


@pytest.mark.parametrize(
    ("material", "energy", "expected"),
    [
        (Material.WATER, 60, 0.2059),
        (Material.CORTICAL_BONE, 80, 0.2229),
        (Material.LEAD, 100, 5.549),
        # K edges: above on the edge itself, below just under it.
        (Material.IODINE, 33.1694, 35.82),
        (Material.IODINE, 33.1693, 6.553),
        (Material.CAESIUM_IODIDE, 35.9846, 30.27),
        (Material.CAESIUM_IODIDE, 33.1693, 6.923),
        (Material.TUNGSTEN, 69.525, 11.23),
        (Material.TUNGSTEN, 69.524, 2.552),
    ],
)
def test_attenuation_is_that_of_nist(material: Material, energy: float, expected: float) -> None:
    assert mass_attenuation(material, [energy])[0] == pytest.approx(expected, rel=1e-4)


def test_every_material_has_a_table_and_a_density() -> None:
    energies = np.linspace(10, 150, 141)
    for material in Material:
        assert DENSITY_G_PER_CM3[material] > 0
        assert (mass_attenuation(material, energies) > 0.1).all()


@pytest.mark.parametrize("energy", [9.99, 150.1, np.nan])
def test_no_attenuation_outside_the_tables(energy: float) -> None:
    with pytest.raises(ValueError, match="10 to 150 keV"):
        mass_attenuation(Material.WATER, [60, energy])


@pytest.mark.parametrize(
    ("kilovolts", "added_mm", "expected_mm", "photons_per_mm2_and_microgray"),
    [(50, 10, 3.8, 21759), (70, 21, 6.8, 30174), (90, 30, 9.2, 32362), (120, 40, 11.6, 31077)],
)
def test_standard_beams_have_their_half_value_layer_and_fluence(
    kilovolts: float, added_mm: float, expected_mm: float, photons_per_mm2_and_microgray: float
) -> None:
    # RQA3, 5, 7 and 9: half-value layers of IEC 61267:2005, fluence of IEC 62220-1:2003; the tube's own 2.5 mm Al.
    spectrum = Tube(kilovolts, aluminium_mm=2.5 + added_mm, copper_mm=0).spectrum()
    assert half_value_layer_mm(spectrum) == pytest.approx(expected_mm, rel=0.05)
    fluence = 1000 / nanogray_of_a_photon_per_mm2(spectrum)
    # The fluences belong to the first edition's slightly harder beams (7.1 mm instead of 6.8 mm for RQA5).
    assert fluence == pytest.approx(photons_per_mm2_and_microgray, rel=0.03 if kilovolts > 50 else 0.07)


@pytest.mark.parametrize(
    ("kilovolts", "copper_mm", "half_value_mm", "mean_kev"),
    [
        (60, 0, 2.29, 36.9),
        (60, 0.1, 3.43, 40.7),
        (80, 0, 3.01, 44.0),
        (80, 0.1, 4.55, 48.5),
        (100, 0.1, 5.63, 55.1),
        (120, 0, 4.59, 55.5),
        (120, 0.1, 6.59, 60.4),
    ],
)
def test_beams_agree_with_spekpy(kilovolts: float, copper_mm: float, half_value_mm: float, mean_kev: float) -> None:
    # SpekPy 2.5.4, model "kqp", 12°, 3 mm Al.
    spectrum = Tube(kilovolts, aluminium_mm=3, copper_mm=copper_mm).spectrum()
    assert half_value_layer_mm(spectrum) == pytest.approx(half_value_mm, rel=0.05)
    assert spectrum.mean_energy_kev == pytest.approx(mean_kev, abs=1.5)


def test_k_lines_appear_above_the_k_edge_only() -> None:
    def share_at_k_alpha(kilovolts: float) -> float:
        spectrum = Tube(kilovolts).spectrum()
        return float(spectrum.photons[np.abs(spectrum.energies_kev - 59) < 2].max() / np.median(spectrum.photons))

    assert share_at_k_alpha(100) > 1.5 * share_at_k_alpha(69)


@pytest.mark.parametrize("wrong", [{"kilovolts": 200.0}, {"copper_mm": -0.1}, {"aluminium_mm": np.nan}])
def test_no_tube_of_impossible_values(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Tube(**wrong)


def test_one_energy_is_plain_exponential_attenuation() -> None:
    spectrum = Spectrum(np.array([60.0]), np.array([1.0]))
    areal = np.array([0, 1, 10, 30], dtype=np.float32)
    behind = transmitted(spectrum, Scintillator(), {Material.WATER: areal, Material.IODINE: 0.01 * areal})
    exact = np.exp(-(0.2059 + 0.01 * 7.579) * areal.astype(float))
    np.testing.assert_allclose(behind.signal, exact, rtol=1e-6)
    np.testing.assert_allclose(behind.quanta, exact, rtol=1e-6)


def test_water_hardens_the_beam() -> None:
    water = np.array([1.0, 20.0], dtype=np.float32)
    behind = transmitted(Tube().spectrum(), Scintillator(), {Material.WATER: water})
    thin, thick = -np.log(behind.signal) / water
    assert 0.95 * thin > thick > mass_attenuation(Material.WATER, [80])[0]
    # Fewer and more energetic photons than the signal alone would tell.
    assert behind.quanta[1] < behind.signal[1]


def test_nothing_in_the_way_is_the_open_field() -> None:
    behind = transmitted(Tube().spectrum(), Scintillator(), {Material.LEAD: np.array([0, 500], dtype=np.float32)})
    np.testing.assert_allclose(behind.signal, [1, 0], atol=1e-12)
    np.testing.assert_allclose(behind.quanta, [1, 0], atol=1e-12)
    with pytest.raises(ValueError, match="material"):
        transmitted(Tube().spectrum(), Scintillator(), {})


def test_iodine_contrast_jumps_at_its_k_edge() -> None:
    iodine = {Material.IODINE: np.array([0.02], dtype=np.float32)}

    def darkening(energy: float) -> float:
        return float(1 - transmitted(Spectrum(np.array([energy]), np.ones(1)), Scintillator(), iodine).signal[0])

    assert darkening(33.2) > 3 * darkening(33.1)
    assert darkening(40) > darkening(60)


def test_quanta_are_those_of_counted_photons() -> None:
    spectrum = Spectrum(np.array([30.0, 60.0, 90.0]), np.array([0.5, 0.3, 0.2]))
    scintillator, microgray = Scintillator(150), 0.01
    water = {Material.WATER: np.array([8.0], dtype=np.float32)}
    open_quanta = open_field_quanta_per_mm2(spectrum, scintillator, 1000 * microgray)
    photons_per_mm2 = 1000 * microgray / nanogray_of_a_photon_per_mm2(spectrum)
    energies = spectrum.energies_kev
    absorbed = photons_per_mm2 * spectrum.photons * scintillator.absorbed_fraction(energies)
    passing = np.exp(-8 * mass_attenuation(Material.WATER, energies))
    rng = np.random.default_rng(4)
    empty = (rng.poisson(absorbed, (100_000, 3)) * energies).sum(axis=1)
    behind = (rng.poisson(absorbed * passing, (100_000, 3)) * energies).sum(axis=1)
    # The variance of 100 000 samples is known to 0.45 %.
    assert empty.mean() ** 2 / empty.var() == pytest.approx(open_quanta, rel=0.02)
    expected = transmitted(spectrum, scintillator, water)
    assert behind.mean() / empty.mean() == pytest.approx(expected.signal[0], rel=0.005)
    assert behind.mean() ** 2 / behind.var() == pytest.approx(open_quanta * expected.quanta[0], rel=0.02)


def test_a_thick_scintillator_at_60_kev() -> None:
    # 1 − exp(−7.921 cm²/g · 0.2 g/cm²)
    assert Scintillator(200).absorbed_fraction([60])[0] == pytest.approx(0.7949, abs=1e-4)
    with pytest.raises(ValueError, match="thickness_mg_per_cm2"):
        Scintillator(0)


def test_composition_attenuates_as_its_hounsfield_units() -> None:
    hounsfield = np.concatenate([np.arange(-949, 4000, 7.0), [-1000, -950, 0, 100]])
    water, bone = densities_from_hounsfield(hounsfield)
    per_cm = [mass_attenuation(material, [75])[0] for material in Composition.MATERIALS]
    relative = (water * per_cm[0] + bone * per_cm[1]) / per_cm[0]
    np.testing.assert_allclose(relative, np.where(hounsfield > -950, 1 + hounsfield / 1000, 0), atol=1e-12)
    assert (bone[hounsfield <= 100] == 0).all() and (water[hounsfield > 1500] == 0).all()


def test_composition_of_a_ct() -> None:
    hounsfield = np.full((5, 6, 7), -1000.0)
    hounsfield[1:4, 2:5, 3] = [[40.0], [-100.0], [1000.0]]
    composition = Composition.from_ct(CT.from_hounsfield(hounsfield, np.diag([1.0, 1, 2, 1])))
    expected = densities_from_hounsfield(hounsfield_from_attenuation(attenuation_from_hounsfield(hounsfield)))
    np.testing.assert_allclose(np.moveaxis(composition.counts * composition.units, -1, 0), expected, atol=2e-5)
    np.testing.assert_array_equal(composition.lower, [3, 2, 1])
    np.testing.assert_array_equal(composition.upper, [4, 5, 4])


def test_composition_of_air_is_empty() -> None:
    composition = Composition.from_ct(CT(np.zeros((2, 3, 4), dtype=np.float32), np.eye(4)))
    assert not composition.counts.any() and (composition.upper == 0).all()
