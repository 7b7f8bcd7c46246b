"""Detector counts become line integrals: I₀, saturation, masks, and words for what cannot be used."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.preprocessing import from_logarithmic, line_integrals

SHAPE = (200, 240)


def thickness() -> np.ndarray:
    """Line integrals 0–3 of a ball off the centre, with air around it."""
    row, column = np.indices(SHAPE)
    return 3 * np.sqrt(np.maximum(1 - ((row - 90) ** 2 + (column - 130) ** 2) / 70**2, 0)).astype(np.float32)


def test_known_open_field_gives_the_line_integrals_back():
    result = line_integrals(800 * np.exp(-thickness()), unattenuated=800.0)
    assert result.mask.all()
    np.testing.assert_allclose(result.attenuation, thickness(), atol=1e-5)
    assert [(p.value, p.assumed) for p in result.provenance if "I₀" in p.quantity] == [("800", False)]


def test_open_field_of_a_noisy_image_is_estimated_within_one_percent():
    counts = np.random.default_rng(1).poisson(500 * np.exp(-thickness())).astype(np.float32)
    result = line_integrals(counts)
    # ln of the ratio of estimated to true I₀ is the offset of every line integral.
    assert abs(np.median(result.attenuation[thickness() == 0])) < 0.01
    assert any(p.assumed and "I₀" in p.quantity for p in result.provenance)


def test_image_without_open_field_is_only_offset():
    inside = np.s_[60:120, 100:160]
    result = line_integrals((800 * np.exp(-thickness()))[inside])
    offset = result.attenuation - thickness()[inside]
    assert result.mask.all()
    assert np.ptp(offset) < 1e-5 and offset.mean() < -1


def test_burnt_out_and_starved_pixels_are_masked_and_noted():
    inside = np.s_[45:135, 80:180]
    counts = np.rint(np.clip(900 * np.exp(-1.5 * thickness()), 20, 110)).astype(np.float32)[inside]
    assert 0.01 < np.mean(counts == 110) < 0.2
    result = line_integrals(counts, mask=np.ones(counts.shape, bool))
    np.testing.assert_array_equal(result.mask, (counts > 20) & (counts < 110))
    assert {p.quantity for p in result.provenance} >= {"black level", "white level"}
    assert np.isfinite(result.attenuation).all()


def test_a_burnt_out_open_beam_is_no_attenuation_and_stays():
    counts = np.rint(np.clip(900 * np.exp(-1.5 * thickness()), 1, 600)).astype(np.float32)
    result = line_integrals(counts)
    assert result.mask.all() and np.all(result.attenuation[counts == 600] == 0)
    assert any(p.quantity == "open beam" and p.assumed for p in result.provenance)


def test_given_saturation_levels_are_kept_to():
    counts = 900 * np.exp(-thickness())
    result = line_integrals(counts, saturation=(100.0, 880.0))
    np.testing.assert_array_equal(result.mask, (counts > 100) & (counts < 880))


def test_uniform_open_field_of_a_computed_image_is_no_saturation():
    assert line_integrals(np.exp(-thickness())).mask.all()


def test_given_mask_replaces_the_search_and_is_cut_by_bad_pixels():
    counts = 800 * np.exp(-thickness())
    counts[:, :40] = 0
    counts[5, 100] = np.nan
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:100] = True
    result = line_integrals(counts, mask=mask)
    expected = mask & (counts > 0)
    np.testing.assert_array_equal(result.mask, expected)


def test_logarithmic_image_keeps_its_values_and_its_air():
    values = np.rint(400 * thickness()).astype(np.float32)
    result = from_logarithmic(values)
    assert result.mask.all()
    np.testing.assert_array_equal(result.attenuation, values)


def test_logarithmic_image_loses_its_shutters():
    values = 400 * thickness()
    values[:, :50] = 4095
    mask = from_logarithmic(values).mask
    assert not mask[:, :50].any() and mask[:, 54:].all()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (np.full(SHAPE, 255, dtype=np.float32), "every pixel is 255"),
        (np.full(SHAPE, np.nan, dtype=np.float32), "no finite number"),
        (np.zeros((4, 5, 3), dtype=np.float32), "rows × columns"),
        (-np.arange(20, dtype=np.float32).reshape(4, 5), "no pixel is left"),
    ],
)
def test_image_that_cannot_be_used_says_why(counts, words):
    with pytest.raises(InputError, match=words):
        line_integrals(counts)


def test_arguments_that_cannot_be_say_why():
    counts = 800 * np.exp(-thickness())
    for wrong, words in (
        ({"mask": np.zeros(SHAPE, dtype=bool)}, "no pixel is left"),
        ({"mask": np.ones((3, 3), dtype=bool)}, "shape"),
        ({"unattenuated": 0.0}, "unattenuated"),
        ({"saturation": (5.0, 5.0)}, "saturation range"),
    ):
        with pytest.raises(InputError, match=words):
            line_integrals(counts, **wrong)
