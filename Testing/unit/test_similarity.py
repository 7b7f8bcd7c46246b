"""Similarities: what they are blind to, where they are largest, and that their derivatives are theirs."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.registration.similarity import SIMILARITIES
from scipy import ndimage

ROWS, COLUMNS = 48, 60


def scene(shift_x: float = 0.0, shift_y: float = 0.0) -> np.ndarray:
    """A smooth image with structure of several sizes, moved by a sub-pixel shift."""
    y, x = np.mgrid[0.0:ROWS, 0.0:COLUMNS]
    x, y = x - shift_x, y - shift_y
    blobs = [(20, 15, 4, 1.0), (38, 30, 6, 1.5), (30, 20, 10, 0.7), (45, 12, 3, -0.8), (15, 35, 5, 0.9)]
    return sum(h * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * w**2)) for a, b, w, h in blobs).astype(np.float32)


def derivative(shift_x: float, shift_y: float) -> np.ndarray:
    """∂scene/∂(shift) in the first two of six channels; the other four are nothing to this scene."""
    step = 1e-2
    channels = np.zeros((6, ROWS, COLUMNS), dtype=np.float32)
    channels[0] = (scene(shift_x + step, shift_y) - scene(shift_x - step, shift_y)) / (2 * step)
    channels[1] = (scene(shift_x, shift_y + step) - scene(shift_x, shift_y - step)) / (2 * step)
    return channels


MASK = np.ones((ROWS, COLUMNS), dtype=bool)
MASK[:, :4] = False


@pytest.mark.parametrize("name", SIMILARITIES)
def test_the_gradient_is_that_of_the_cost(name: str) -> None:
    compare = SIMILARITIES[name](scene() + 0.02 * np.random.default_rng(0).normal(size=MASK.shape).astype("f4"), MASK)
    at, step = (1.3, -0.8), 0.05
    found = compare(scene(*at), derivative(*at))
    for axis, direction in enumerate(((step, 0.0), (0.0, step))):
        plus, minus = (
            compare(scene(at[0] + s * direction[0], at[1] + s * direction[1]), derivative(*at)).cost for s in (1, -1)
        )
        numeric = (plus - minus) / (2 * step)
        assert abs(found.gradient[axis] - numeric) <= 0.06 * np.linalg.norm(found.gradient), name
    assert np.linalg.eigvalsh(found.hessian[:2, :2]).min() > 0


@pytest.mark.parametrize("name", SIMILARITIES)
def test_a_linear_change_of_brightness_changes_nothing(name: str) -> None:
    compare = SIMILARITIES[name](scene(), MASK)
    plain = compare(scene(0.7, 0.4), derivative(0.7, 0.4))
    scaled = compare(3.5 * scene(0.7, 0.4) + 11, 3.5 * derivative(0.7, 0.4))
    assert scaled.score == pytest.approx(plain.score, abs=2e-3)
    np.testing.assert_allclose(scaled.gradient, plain.gradient, atol=0.02 * np.abs(plain.gradient).max())


@pytest.mark.parametrize("name", ["local-ncc", "global-ncc", "gradient-ncc"])
def test_identical_images_score_one_and_pull_nowhere(name: str) -> None:
    found = SIMILARITIES[name](scene(), MASK)(2 * scene() + 1, derivative(0, 0))
    assert found.score == pytest.approx(1, abs=1e-4)
    assert np.abs(found.gradient).max() < 1e-4


def test_mutual_information_does_not_mind_an_inverted_curve() -> None:
    compare = SIMILARITIES["mutual-information"](np.exp(-scene()), MASK)
    scores = [compare(scene(shift), derivative(shift, 0)).score for shift in (-3, -1, 0, 1, 3)]
    assert np.argmax(scores) == 2


@pytest.mark.parametrize("name", ["local-ncc", "gradient-ncc"])
def test_slow_shading_hardly_matters(name: str) -> None:
    x = np.linspace(-1, 1, COLUMNS, dtype=np.float32)[None]
    shaded = SIMILARITIES[name](scene() + 1.5 * x, MASK)
    scores = [shaded(scene(shift), derivative(shift, 0)).score for shift in (-1.5, 0, 1.5)]
    assert np.argmax(scores) == 1


def test_robust_weights_take_the_pull_out_of_a_tool() -> None:
    xray = scene()
    xray[10:14, 8:50] += 6.0
    found = SIMILARITIES["gradient-ncc"](xray, MASK)(scene(), derivative(0, 0))
    newton = np.linalg.solve(found.hessian[:2, :2], -found.gradient[:2])
    assert np.linalg.norm(newton) < 0.1, "the tool moved the images apart by more than a tenth of a pixel"


def test_what_the_mask_hides_has_no_say() -> None:
    mask = MASK.copy()
    mask[:, 44:] = False
    clean, spoilt = scene(), scene()
    spoilt[:, 46:] = 1e3 * ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(ROWS, COLUMNS - 46)), 1)
    for name in ("global-ncc", "local-ncc", "mutual-information"):
        results = [SIMILARITIES[name](image, mask)(scene(1, 0), derivative(1, 0)).cost for image in (clean, spoilt)]
        assert results[0] == pytest.approx(results[1], rel=1e-5), name
