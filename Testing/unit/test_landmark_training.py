"""A training that begins with what another network knows."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch
from DiffRegistrationLib.training.training_loop import Budget
from DiffRegistrationLib.training.training_state import state_path
from DiffRegistrationLib.xray.errors import InputError
from LandmarkDetectionLib.atlas.definitions import COUNT
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.network.landmark_networks import LandmarkNetworks
from LandmarkDetectionLib.network.model_file import TrainedDetector, read_detector, write_detector
from LandmarkDetectionLib.population.view_ranges import view_ranges
from LandmarkDetectionLib.shape_prior.landmark_shape import patient_shape
from LandmarkDetectionLib.training.trainer import Recipe, forms_of
from LandmarkDetectionLib.training.workflow import train_landmarks

RECIPE = Recipe(32, 64, 4)


def other_networks(path: Path, recipe: Recipe = RECIPE) -> TrainedDetector:
    """Of another head and other views, having learnt nothing."""
    torch.manual_seed(5)
    networks = LandmarkNetworks(forms_of(recipe, COUNT), list(0.3 * torch.randn(2, 4, COUNT, 3)))
    about = {"ct_fingerprint": None, "views": {"name": "lateral", "field": [0.14, 0.45]}}
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


def test_it_begins_where_the_other_network_is_and_says_with_which(tmp_path: Path) -> None:
    other = other_networks(tmp_path / "other.pt")
    begun = trained(tmp_path / "begun.pt", tmp_path / "other.pt", 1)
    anew = trained(tmp_path / "anew.pt", None, 1)

    def apart(one: TrainedDetector) -> float:
        """From the other network, by what both say of the same images."""
        images = [(torch.ones(1, n, n), torch.ones(1, n, n, dtype=torch.bool)) for n in (32, 64)]
        said = zip(one.networks(images), other.networks(images), strict=True)
        return max(float((a.places - b.places).abs().max()) for a, b in said)

    assert apart(begun) < 0.1 * apart(anew)
    assert begun.metadata["begun_with"] == {"words": other.words, "weights": other.fingerprint}
    assert begun.fingerprint != other.fingerprint and begun.is_of_patient
    assert "begun_with" not in anew.metadata


def test_it_goes_on_with_the_same_beginning_only(tmp_path: Path) -> None:
    other_networks(tmp_path / "other.pt")
    trained(tmp_path / "begun.pt", tmp_path / "other.pt", 1)
    assert state_path(tmp_path / "begun.pt").exists()
    assert trained(tmp_path / "begun.pt", tmp_path / "other.pt", 2).metadata["steps"] == 2
    with pytest.raises(InputError, match="network to learn on from"):
        trained(tmp_path / "begun.pt", None, 3)


def test_a_network_of_another_size_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    other_networks(tmp_path / "other.pt", Recipe(32, 96, 4))
    with pytest.raises(InputError, match=r"looks at images of 32 and 96 pixels, expected 32 and 64.*--size 96"):
        trained(tmp_path / "begun.pt", tmp_path / "other.pt", 1)
    assert not (tmp_path / "begun.pt").exists()
