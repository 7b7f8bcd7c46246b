"""The landmark network: places from heat maps, both kinds of places brought together, its file, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from DiffRegistrationLib.pose_network.model_file import read_tensors, write_tensors
from DiffRegistrationLib.training import muon
from DiffRegistrationLib.training.muon import orthogonal
from DiffRegistrationLib.training.training_loop import Budget
from DiffRegistrationLib.training.training_state import TrainingState
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from LandmarkDetectionLib.atlas.definitions import skull_landmarks
from LandmarkDetectionLib.atlas.head import phantom_head
from LandmarkDetectionLib.network.close_up import Aim, aim_at, turned_toward
from LandmarkDetectionLib.network.fusion import fused, places_to_aim_at
from LandmarkDetectionLib.network.heat_map import peaks, target_maps
from LandmarkDetectionLib.network.landmark_network import NetworkAnswer, NetworkForm
from LandmarkDetectionLib.network.landmark_networks import LandmarkNetworks
from LandmarkDetectionLib.network.model_file import read_detector, write_detector
from LandmarkDetectionLib.population.view_ranges import view_ranges
from LandmarkDetectionLib.shape_prior.landmark_shape import patient_shape
from LandmarkDetectionLib.training.trainer import LandmarkTrainer, Recipe
from LandmarkDetectionLib.training.training_heads import TrainingHeads
from LandmarkDetectionLib.training.training_views import TrainingViews, labels_of
from LandmarkDetectionLib.training.wide_view import cut

FORM = NetworkForm(64, 55, 4)
ABOUT = {"ct_fingerprint": None, "views": {"name": "any-view", "field": [0.14, 0.45]}, "seconds": 1.0}


def test_other_aspects_that_are_possible_are_given_the_likelier_first() -> None:
    nothing = torch.zeros(1)
    answer = NetworkAnswer(nothing, nothing, torch.tensor([[0.20, 0.02, 0.70, 0.08]]).log(), nothing, nothing)
    others = [torch.softmax(other.aspect[0], 0).tolist() for other in answer.with_other_aspects(0.05)]
    assert others == [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]


def test_a_map_peaks_where_its_landmark_is_to_a_part_of_a_cell() -> None:
    places = torch.tensor([[[0.123, -0.456], [0.0, 0.7], [-0.71, 0.02]]])
    found, spread = peaks(target_maps(places, 32).clamp(min=1e-12).log())
    assert (found - places).abs().max() < 0.1 * 2 / 32
    # As wide as the blob that was drawn: 0.8 cells.
    np.testing.assert_allclose(spread.numpy(), 0.8 * 2 / 32, rtol=0.05)


def test_two_peaks_make_a_map_unsure() -> None:
    one, two = (target_maps(torch.tensor([[[x, 0.0]]]), 32) for x in (-0.5, 0.5))
    _, spread = peaks((0.6 * one + 0.4 * two).clamp(min=1e-12).log())
    assert spread.item() > 0.3


def _answer(heat_at: float, visible: float, log_error: float) -> NetworkAnswer:
    heat = target_maps(torch.tensor([[[heat_at, 0.0]]]), 16).clamp(min=1e-12).log()
    places = torch.zeros(1, 2, 1, 3)
    places[0, 1] = 5.0
    return NetworkAnswer(
        places,
        torch.full((1, 2, 1, 2), log_error),
        torch.tensor([[0.7, 0.3]]).log(),
        heat,
        torch.full((1, 1), visible),
    )


def test_a_seen_landmark_goes_by_its_map_and_a_hidden_one_by_the_whole_image() -> None:
    seen = fused(_answer(0.4, visible=8.0, log_error=-1.0))
    hidden = fused(_answer(0.4, visible=-12.0, log_error=-1.0))
    assert abs(seen.places[0, 0, 0].item() - 0.4) < 0.03
    assert abs(hidden.places[0, 0, 0].item()) < 0.01
    # Both together are surer than either.
    assert seen.across.item() < hidden.across.item()


def test_unsure_places_are_aimed_at_as_if_they_lay_as_far_apart_as_landmarks_do() -> None:
    """A head that may be turned either way: the means lie nearer together, by how much the variance says."""
    random = np.random.default_rng(0)
    points = random.normal(size=(55, 3)) * [0.3, 0.4, 0.35]
    points -= points.mean(axis=0)
    turned = [points @ rigid.rotation_exp([0.0, angle, 0.0]) for angle in (-0.9, 0.0, 0.9)]
    mean, variance = np.mean(turned, axis=0), np.var(turned, axis=0)
    stated = np.stack([np.sqrt(variance[:, :2].mean(axis=1)), np.sqrt(variance[:, 2])], axis=1) / np.sqrt(2 * 1.5)
    places = torch.from_numpy(mean).float()[None, None]
    answer = NetworkAnswer(
        places,
        torch.from_numpy(stated).float().clamp(min=1e-4).log()[None, None],
        torch.zeros(1, 1),
        torch.zeros(1, 55, 16, 16),
        torch.full((1, 55), -20.0),
    )

    def size(of: np.ndarray) -> float:
        return float(np.sqrt(((of - of.mean(axis=0)) ** 2).sum(axis=1).mean()))

    aimed = places_to_aim_at(answer)[0].double().numpy()
    assert size(mean) < 0.9 * size(points)
    assert size(aimed) == pytest.approx(size(points), rel=0.02)
    np.testing.assert_allclose(aimed.mean(axis=0), mean.mean(axis=0), atol=1e-6)
    # What knows nothing does not look ever wider.
    lost = answer._replace(log_error=answer.log_error + 3)
    assert size(places_to_aim_at(lost)[0].double().numpy()) == pytest.approx(1.25 * size(mean))


@pytest.fixture(scope="module")
def heads() -> TrainingHeads:
    return TrainingHeads([phantom_head(4.0)], False, 4.0, 0)


def test_labels_lie_where_a_ball_of_metal_shows(heads: TrainingHeads) -> None:
    head = phantom_head(3.0)
    name = "nasion"
    voxel = np.linalg.inv(head.ct.ct_from_voxel) @ [*head.landmarks.point(name), 1.0]
    i, j, k = np.rint(voxel[:3]).astype(int)
    attenuation = np.zeros_like(head.ct.attenuation)
    attenuation[k, j, i] = 50.0
    at = head.ct.ct_from_voxel @ [i, j, k, 1.0]
    points = head.landmarks.points.copy()
    points[head.landmarks.names.index(name)] = at[:3]
    ball = replace(
        head, ct=replace(head.ct, attenuation=attenuation), landmarks=replace(head.landmarks, points=points)
    )
    views = TrainingViews(TrainingHeads([ball], False, 3.0, 0), view_ranges("any-view"), (64, 64), seed=3)
    random = np.random.default_rng(0)
    shown = 0
    for number in range(12):
        view, turn, field = views.view(number), turned_toward(random.uniform([-60, -60, 700], [60, 60, 800]), 0.3), 0.3
        image = cut(view.integrals.float()[None], turn[None], np.array([field]), 64)[0][0]
        x, y = (labels_of(view, turn, field).places[head.landmarks.names.index(name), :2] + 1) * 32 - 0.5
        if image.max() == 0 or not (2 < x < 61 and 2 < y < 61):
            continue
        # Without contrast in arteries, which is far fainter, the ball is all there is.
        bright = np.where(image > 0.3 * image.max(), image, 0)
        rows, columns = np.indices(bright.shape)
        assert abs((bright * columns).sum() / bright.sum() - x) < 1.0
        assert abs((bright * rows).sum() / bright.sum() - y) < 1.0
        shown += 1
    assert shown >= 4


def test_a_close_up_shows_the_head_upright_in_the_middle_and_as_large(heads: TrainingHeads) -> None:
    views = TrainingViews(heads, view_ranges("fluoroscopy"), (64, 64), seed=4)
    exposure = views.exposure(0, 12)
    whole = views.whole(exposure)
    top, below = (skull_landmarks().names.index(name) for name in ("vertex", "menton"))
    aims = [aim_at(p.double().numpy(), float(f)) for p, f in zip(whole.places, exposure.fields, strict=True)]

    def off_size_and_lean(places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        size = (places - places.mean(1, keepdim=True)).square().sum(-1).mean(1).sqrt()
        return places[..., :2].mean(1).norm(dim=-1), size, (places[:, top, 0] - places[:, below, 0]).abs() / size

    off, size, lean = off_size_and_lean(whole.places)
    assert off.max() > 0.2 and size.std() > 0.05 and lean.max() > 0.3
    off, size, lean = off_size_and_lean(views.close_up(exposure, aims).places)
    assert off.max() < 0.05 and size.std() < 0.02 and lean.mean() < 0.3


def test_a_camera_that_is_aimed_nowhere_else_sees_the_whole_image(heads: TrainingHeads) -> None:
    views = TrainingViews(heads, view_ranges("fluoroscopy"), (64, 64), seed=5)
    exposure = views.exposure(1, 8)
    whole = views.whole(exposure)
    same = views.close_up(exposure, [Aim(np.eye(3), float(field)) for field in exposure.fields])
    torch.testing.assert_close(same.attenuation, whole.attenuation, atol=1e-3, rtol=1e-3)
    assert torch.equal(same.mask, whole.mask) and torch.equal(same.visible, whole.visible)


def test_what_a_collimator_shuts_out_is_shut_out_of_close_ups(heads: TrainingHeads) -> None:
    views = TrainingViews(heads, view_ranges("fluoroscopy"), (96, 96), seed=6)
    exposure = views.exposure(2, 16)
    near = views.close_up(exposure, views.near_aims(exposure, 2))
    at = ((near.places[..., :2] + 1) * 48 - 0.5).round().long().clamp(0, 95)
    usable = torch.stack([mask[one[:, 1], one[:, 0]] for mask, one in zip(near.mask, at, strict=True)])
    # The mask may not know of the collimator, but of the detector it always does; edges are rounded.
    assert (usable | ~near.visible).float().mean() > 0.97


def test_a_file_gives_the_same_network_back(tmp_path: Path) -> None:
    torch.manual_seed(1)
    networks = LandmarkNetworks((FORM, FORM), torch.randn(2, 4, 55, 3))
    head = phantom_head(4.0)
    about = {
        "ct_fingerprint": "0123456789abcdef",
        "views": {"name": "any-view", "field": [0.14, 0.45]},
        "seconds": 1.0,
    }
    path = tmp_path / "head.pt"
    images = torch.rand(2, 64, 64), torch.ones(2, 64, 64, dtype=torch.bool)
    write_detector(path, networks, patient_shape(head), head.landmarks, about)
    again = read_detector(path)
    networks.eval()
    for one, other in zip(networks([images] * 2), again.networks([images] * 2), strict=True):
        torch.testing.assert_close(one, other)
    assert again.landmarks is not None and again.is_of_patient
    np.testing.assert_allclose(again.landmarks.points, head.landmarks.points)


def test_a_network_of_other_definitions_is_refused(tmp_path: Path) -> None:
    head = phantom_head(4.0)
    path = tmp_path / "head.pt"
    networks = LandmarkNetworks((FORM, FORM), torch.randn(2, 4, 55, 3))
    write_detector(path, networks, patient_shape(head), None, ABOUT)
    content = read_tensors(path)
    known = skull_landmarks().fingerprint
    write_tensors(path, {**content, "metadata": content["metadata"].replace(known, "0" * len(known))})
    with pytest.raises(InputError, match=f"other landmark definitions: 0+, these are {known}"):
        read_detector(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged"):
        read_detector(path)


@pytest.mark.parametrize("shape", [(2, 20, 90), (3, 70, 12)])
def test_steps_go_along_all_directions_of_a_layer_alike(shape: tuple[int, ...]) -> None:
    torch.manual_seed(2)
    gradients = torch.randn(shape) @ torch.diag(10.0 ** torch.linspace(-1, 1, shape[2]))
    steps = orthogonal(gradients)
    lengths = torch.linalg.svdvals(steps)
    assert lengths.min() > 0.4 and lengths.max() < 1.4
    # Each in the gradient's own directions.
    U, _, Vt = torch.linalg.svd(gradients, full_matrices=False)
    along = U.mT @ steps @ Vt.mT
    torch.testing.assert_close(along, torch.diag_embed(torch.diagonal(along, dim1=1, dim2=2)), atol=0.1, rtol=0)
    assert (torch.diagonal(along, dim1=1, dim2=2) > 0.4).all()


def test_rounds_with_short_matrices_alone_come_to_the_same() -> None:
    torch.manual_seed(3)
    x = torch.randn(2, 12, 60, dtype=torch.float64) * torch.logspace(0, -5, 12, dtype=torch.float64)[:, None]
    x /= x.norm(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(muon._by_square(x), muon._round_by_round(x), rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_it_learns_where_the_landmarks_of_a_head_are(heads: TrainingHeads) -> None:
    trainer = LandmarkTrainer(heads, heads, view_ranges("frontal"), Recipe(32, 64, 8), TrainingState({}))
    first = trainer.train(Budget(steps=4)).loss
    after = trainer.train(Budget(steps=60))
    assert after.loss < 0.8 * first
    assert after.validation is not None and after.validation.within_2d > 0.02
