"""Shutters and the round edge of the image intensifier are found, and nothing else is taken for them."""

import numpy as np
import pytest
from DiffRegistrationLib.xray.preprocessing import find_collimation
from scipy import ndimage

SHAPE = (640, 768)
ROW, COLUMN = np.indices(SHAPE).astype(np.float32)


def anatomy() -> np.ndarray:
    """Open field 1, with a limb that leaves the image below and a dense ball."""
    limb = 2.0 * np.sqrt(np.maximum(1 - ((COLUMN - 0.1 * ROW - 300) / 120) ** 2, 0)) * (ROW > 150)
    ball = 1.5 * np.sqrt(np.maximum(1 - ((COLUMN - 340) ** 2 + (ROW - 330) ** 2) / 90**2, 0))
    return np.exp(-limb - ball)


def exposed(field: np.ndarray, leak: float = 0.02) -> np.ndarray:
    """Counts behind a blurred collimator that leaks a little, with Poisson noise."""
    transmission = ndimage.gaussian_filter(field.astype(np.float32), 1.5) * (1 - leak) + leak
    return np.random.default_rng(3).poisson(2000 * anatomy() * transmission).astype(np.float32)


def rectangle(left, right, top, bottom, degrees=0.0):
    """Field of four shutters turned about the image's centre."""
    angle = np.deg2rad(degrees)
    x, y = COLUMN - 384, ROW - 320
    u, v = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    return (u > left) & (u < right) & (v > top) & (v < bottom)


def circle(column, row, radius):
    return (COLUMN - column) ** 2 + (ROW - row) ** 2 < radius**2


FIELDS = {
    "four shutters": rectangle(-300, 250, -260, 280),
    "one shutter": rectangle(-330, 999, -999, 999),
    "two shutters across": rectangle(-999, 999, -200, 240),
    "turned shutters": rectangle(-280, 290, -250, 240, degrees=12),
    "round edge": circle(384, 320, 315),
    "round edge cut by the image": circle(370, 330, 400),
    "round edge and shutters": circle(384, 320, 310) & rectangle(-230, 999, -999, 200),
}


@pytest.mark.parametrize("name", FIELDS)
def test_field_is_found_and_nothing_dark_is_let_in(name):
    field = FIELDS[name]
    mask = find_collimation(exposed(field))
    assert np.count_nonzero(mask & ~field) == 0
    assert np.count_nonzero(mask & field) / np.count_nonzero(mask | field) >= 0.98


def test_small_field_far_off_the_centre_is_found():
    field = rectangle(60, 340, 20, 280)
    mask = find_collimation(exposed(field))
    assert np.count_nonzero(mask & field) / np.count_nonzero(mask | field) >= 0.96


@pytest.mark.parametrize("name", FIELDS)
def test_field_is_found_in_a_noisy_image_that_is_logarithmic_already(name):
    """As displays show them, lead is not much darker than bone then, and full of noise."""
    field = FIELDS[name]
    mask = find_collimation(np.log1p(exposed(field, leak=0.004) * 0.5) + 1)
    assert np.count_nonzero(mask & ~field) <= 0.002 * field.sum()
    assert np.count_nonzero(mask & field) / np.count_nonzero(mask | field) >= 0.95


def test_edge_is_found_where_the_body_behind_it_is_nearly_as_dark_as_lead():
    field = rectangle(-300, 20, -999, 999)
    transmission = ndimage.gaussian_filter(field.astype(np.float32), 1.5) * 0.996 + 0.004
    body = 0.02 + 0.98 * (220 + 40 * np.sin(ROW / 90) > COLUMN)
    mask = find_collimation(np.random.default_rng(7).poisson(20000 * body * transmission).astype(np.float32))
    assert np.count_nonzero(mask & ~field) == 0
    assert np.count_nonzero(mask & field) / np.count_nonzero(mask | field) >= 0.97


def test_round_edge_that_distortion_has_bent_is_followed():
    x, y = COLUMN - 384, ROW - 320
    field = np.hypot(x, y) < 290 + 6 * np.cos(2 * np.arctan2(y, x) + 1)
    mask = find_collimation(exposed(field))
    assert np.count_nonzero(mask & ~field) == 0
    assert np.count_nonzero(mask & field) / np.count_nonzero(mask | field) >= 0.97


@pytest.mark.parametrize("contrast", [0.5, 1.0, 3.0])
def test_image_without_collimation_is_left_whole(contrast):
    counts = np.random.default_rng(4).poisson(3000 * anatomy() ** contrast)
    assert find_collimation(counts.astype(np.float32)).all()


def test_dark_body_over_half_the_border_is_no_shutter():
    """A trunk that fills one side with a curved, soft edge; the other side is open."""
    depth = np.clip((COLUMN - 330 - 60 * np.sin(ROW / 110)) / 200, 0, 1)
    counts = np.random.default_rng(5).poisson(3000 * np.exp(-5 * np.sqrt(depth)))
    assert find_collimation(counts.astype(np.float32)).all()


def test_straight_side_of_a_dark_body_with_air_behind_it_is_no_shutter():
    body = (COLUMN > 0.2 * ROW + 250) & (COLUMN < 0.1 * ROW + 560)
    counts = np.random.default_rng(8).poisson(3000 * np.where(body, 0.004, 1.0))
    assert find_collimation(counts.astype(np.float32)).all()


def test_half_transparent_filter_is_left_in():
    counts = np.random.default_rng(6).poisson(3000 * np.where(COLUMN < 150, 0.5, 1.0) * anatomy())
    assert find_collimation(counts.astype(np.float32)).all()


def test_letters_in_the_surround_do_not_hide_the_edge():
    counts = exposed(FIELDS["round edge"])
    counts[20:24, 30:60] = counts[40:60, 40:44] = 2000
    mask = find_collimation(counts)
    assert np.count_nonzero(mask & ~FIELDS["round edge"]) == 0
    assert mask.sum() >= 0.97 * FIELDS["round edge"].sum()


def test_margin_grows_with_the_resolution():
    """The same field at twice the pixels keeps the same share of the image."""
    coarse = find_collimation(exposed(FIELDS["round edge"]))
    fine = find_collimation(np.kron(exposed(FIELDS["round edge"]), np.ones((2, 2), dtype=np.float32)))
    assert fine.mean() == pytest.approx(coarse.mean(), rel=0.01)
