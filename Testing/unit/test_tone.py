"""The tone of an X-ray: a DRR flattened alike, with its exact derivative, and the flattening found again."""

import numpy as np
import pytest
from DiffRegistrationLib.registration import similarity as similarity_module
from DiffRegistrationLib.registration.similarity import SIMILARITIES
from DiffRegistrationLib.registration.tone import Tone, best_tone


def test_the_derivative_of_a_toned_drr_is_that_of_finite_differences():
    random = np.random.default_rng(1)
    drr, direction = random.uniform(0, 6, (5, 7)), random.normal(size=(5, 7))
    tone, step = Tone(0.2), 1e-6
    _, jacobian = tone.applied(drr, direction[None])
    ahead, behind = (tone.applied(drr + sign * step * direction, direction[None])[0] for sign in (1, -1))
    np.testing.assert_allclose(jacobian[0], (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-8)


def test_no_flattening_leaves_a_drr_as_it_is():
    drr, jacobian = np.ones((2, 2), np.float32), np.ones((6, 2, 2), np.float32)
    assert Tone().applied(drr, jacobian) == (drr, jacobian)


@pytest.mark.parametrize("lowest", [0.0, 0.08, 0.19, 0.4, 0.5])
def test_the_tone_of_least_cost_is_found_between_those_that_are_tried(lowest):
    assert best_tone(lambda tone: (tone.flattening - lowest) ** 2).flattening == pytest.approx(lowest, abs=1e-9)


@pytest.mark.parametrize("similarity", ["gradient-ncc", "global-ncc"])
def test_the_tone_explains_most_of_what_scatter_does(similarity, monkeypatch):
    rows, columns = np.mgrid[0:60, 0:60]
    drr = (5 * np.exp(-((rows - 30) ** 2 + (columns - 28) ** 2) / 200) + 0.5 * np.sin(columns / 4)).astype(np.float32)
    xray = (-np.log(np.exp(-drr) + 0.05)).astype(np.float32)

    def unexplained():
        compare = SIMILARITIES[similarity](xray, np.ones(xray.shape, bool))
        return 1 - compare(drr, np.zeros((6, 60, 60), np.float32)).score

    with_tone = unexplained()
    monkeypatch.setattr(similarity_module, "best_tone", lambda cost: Tone())
    assert with_tone < 0.25 * unexplained()
