"""Hounsfield units to attenuation, against the numbers of physics."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield, hounsfield_from_attenuation


def test_hounsfield_units_become_attenuation_by_physics() -> None:
    """Water at 70 keV is 0.193 cm²/g; cortical bone (1.92 g/cm³, 0.262 cm²/g: NIST, ICRU-44) reads about 1500 HU."""
    air, water, fat, bone = attenuation_from_hounsfield(np.array([-1000.0, 0.0, -100.0, 1500.0]))
    assert air == 0
    assert water == pytest.approx(0.0193, rel=0.01)
    assert fat == pytest.approx(0.9 * water, rel=1e-6)
    assert bone == pytest.approx(0.0503, rel=0.05)


def test_the_way_through_a_table_of_values_changes_nothing() -> None:
    values = np.random.default_rng(0).integers(-1024, 3072, 100_000)
    np.testing.assert_allclose(
        attenuation_from_hounsfield(values.astype(np.int16)), attenuation_from_hounsfield(values.astype(float))
    )


def test_hounsfield_units_come_back() -> None:
    values = np.array([-1000.0, -900.0, -100.0, 0.0, 40.0, 1500.0, 3071.0])
    np.testing.assert_allclose(hounsfield_from_attenuation(attenuation_from_hounsfield(values)), values, atol=0.01)
