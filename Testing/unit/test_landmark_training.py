"""A training that begins with what another network knows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from DiffRegistrationLib.pose_network.model_file import read_tensors, write_tensors
from DiffRegistrationLib.training.training_loop import Budget
from DiffRegistrationLib.training.training_state import TrainingState
from DiffRegistrationLib.xray.errors import InputError
from LandmarkDetectionLib.atlas.definitions import COUNT
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.network.landmark_networks import LandmarkNetworks
from LandmarkDetectionLib.network.model_file import TrainedDetector, read_detector, write_detector
from LandmarkDetectionLib.population.view_ranges import view_ranges
from LandmarkDetectionLib.shape_prior.landmark_shape import patient_shape
from LandmarkDetectionLib.training.trainer import LandmarkTrainer, Recipe, forms_of
from LandmarkDetectionLib.training.training_heads import TrainingHeads
from LandmarkDetectionLib.training.workflow import recipe_of, train_landmarks

RECIPE = Recipe(32, 64, 4)


def other_networks(path: Path, recipe: Recipe = RECIPE, *, plain: bool = False) -> TrainedDetector:
    """Of another head and other views, having learnt nothing; it has never seen a head from the front."""
    torch.manual_seed(5)
    means = 0.3 * torch.randn(2, 4, COUNT, 3)
    means[:, 0] = 0.0
    networks = LandmarkNetworks(forms_of(recipe, COUNT), list(means))
    about = {
        "ct_fingerprint": None,
        "views": {"name": "lateral", "field": [0.14, 0.45]},
        "recipe": {"plain": plain},
    }
    write_detector(path, networks, patient_shape(phantom_head(4.0)), None, about)
    return read_detector(path)


def trained(path: Path, begin_with: Path | None, steps: int, recipe: Recipe = RECIPE) -> TrainedDetector:
    train_landmarks(
        [phantom_head(4.0)],
        path,
        is_population=False,
        views=view_ranges("frontal"),
        budget=Budget(steps=steps),
        recipe=recipe,
        begin_with=begin_with,
    )
    return read_detector(path)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> TrainedDetector:
    return other_networks(folder_of(tmp_path_factory) / "other.pt")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, other: TrainedDetector) -> TrainedDetector:
    folder = folder_of(tmp_path_factory)
    return trained(folder / "begun.pt", folder / "other.pt", 1)


@pytest.fixture(scope="module")
def anew(tmp_path_factory: pytest.TempPathFactory) -> TrainedDetector:
    return trained(folder_of(tmp_path_factory) / "anew.pt", None, 1)


def folder_of(factory: pytest.TempPathFactory) -> Path:
    """Where the networks are that all tests share."""
    folder = factory.getbasetemp() / "networks"
    folder.mkdir(exist_ok=True)
    return folder


def test_it_begins_where_the_other_network_is_and_says_with_which(
    other: TrainedDetector, begun: TrainedDetector, anew: TrainedDetector
) -> None:
    def apart(one: TrainedDetector) -> float:
        """The farthest that a weight is from the other network's."""
        both = zip(one.networks.parameters(), other.networks.parameters(), strict=True)
        return max(float((a - b).detach().abs().max()) for a, b in both)

    assert apart(begun) < 0.02 < 0.1 < apart(anew)
    assert begun.metadata["begun_with"] == {"words": other.words, "weights": other.fingerprint}
    assert begun.fingerprint != other.fingerprint and begun.is_of_patient
    assert "begun_with" not in anew.metadata


def test_aspects_that_the_other_network_never_saw_begin_where_such_heads_are(
    other: TrainedDetector, begun: TrainedDetector, anew: TrainedDetector
) -> None:
    known, kept, made = (one.networks.close_up.mean for one in (other, begun, anew))
    assert (known[0] == 0).all() and (made[0] != 0).any()
    torch.testing.assert_close(kept[0], made[0])
    torch.testing.assert_close(kept[1:], known[1:])


@pytest.mark.parametrize(("plain", "ease"), [(True, 1.0), (False, 0.0)])
def test_only_what_knows_looks_is_shown_all_of_them_at_once(tmp_path: Path, plain: bool, ease: float) -> None:
    other = other_networks(tmp_path / "other.pt", plain=plain)
    heads, views = TrainingHeads([phantom_head(4.0)], False, 4.0, 0), view_ranges("frontal")
    trainer = LandmarkTrainer(heads, heads, views, RECIPE, TrainingState({}), begun_with=other)
    drawn: list[float] = []
    exposure = trainer._views.exposure
    trainer._views.exposure = lambda step, count, part, ease: drawn.append(ease) or exposure(step, count, part, ease)
    trainer.step(trainer.networks, 0.0)
    assert drawn == [ease]


def test_it_goes_on_at_the_pace_that_it_began_with(other: TrainedDetector) -> None:
    heads, views = TrainingHeads([phantom_head(4.0)], False, 4.0, 0), view_ranges("frontal")
    began, goes_on, anew = (
        LandmarkTrainer(heads, heads, views, RECIPE, TrainingState({}), **how)._learning._rate
        for how in ({"begun_with": other}, {"is_begun": True}, {})
    )
    assert began == goes_on < anew


def test_it_goes_on_without_what_it_began_with_but_not_with_another(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, other: TrainedDetector, begun: TrainedDetector
) -> None:
    for name in ("begun.pt", "begun.training.pt"):
        shutil.copy(folder_of(tmp_path_factory) / name, tmp_path / name)
    content = read_tensors(folder_of(tmp_path_factory) / "other.pt")
    changed = {name: 0.9 * weights for name, weights in content["weights"].items()}
    write_tensors(tmp_path / "another.pt", content | {"weights": changed})
    with pytest.raises(InputError, match="was begun with another network to begin with"):
        trained(tmp_path / "begun.pt", tmp_path / "another.pt", 2)
    gone_on = trained(tmp_path / "begun.pt", None, 2).metadata
    assert gone_on["steps"] == 2 and gone_on["begun_with"] == begun.metadata["begun_with"]


def test_what_cannot_be_begun_with_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    other_networks(other, Recipe(32, 96, 4))
    with pytest.raises(InputError, match="looks at images of 32 and 96 pixels, expected 32 and 64"):
        trained(tmp_path / "begun.pt", other, 1)
    with pytest.raises(InputError, match="is the network that is to be written as well"):
        recipe_of(other, other)
    with pytest.raises(InputError, match=r"none\.pt"):
        recipe_of(tmp_path / "none.pt", tmp_path / "begun.pt")
    assert list(tmp_path.iterdir()) == [other]


def test_images_are_as_large_as_those_of_the_network_begun_with(tmp_path: Path) -> None:
    other_networks(tmp_path / "other.pt", Recipe(32, 128, 4))
    assert recipe_of(tmp_path / "other.pt", tmp_path / "begun.pt") == Recipe(32, 128)
    assert recipe_of(None, tmp_path / "begun.pt", batch=8, plain=True) == Recipe(batch=8, plain=True)
