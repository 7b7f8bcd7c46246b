"""Losses are what they say: mm, degrees, likelihood; and their gradients lead to the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.pose_network.pose_estimate import PoseEstimate
from DiffRegistrationLib.registration.starts import pose_of_view
from DiffRegistrationLib.training.image_loss import ImageLoss
from DiffRegistrationLib.training.losses import (
    RADIUS_MM,
    double_geodesic,
    geodesic,
    point_distance,
    stated_error,
)
from DiffRegistrationLib.training.training_images import true_poses
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from fluororeg_runs import head

POINTS = torch.tensor([[100.0, 0, 0], [-100, 0, 0], [0, 0, 50]])


def pair(twist: list[float]) -> tuple[PoseEstimate, object]:
    """An estimate off the truth by `twist` about the CT's centre."""
    pose = rigid.rigid(rigid.rotation_exp([0.3, 0.2, -0.5]), [10.0, 20.0, 700.0])
    moved = rigid.move_about(rigid.transform_points(pose, [head().centre])[0], twist, pose)
    truth = true_poses(pose[None], head().centre, "cpu")
    found = true_poses(moved[None], head().centre, "cpu")
    return PoseEstimate(found.rotation, found.centre, torch.zeros(1, 6)), truth


@pytest.mark.parametrize("loss", [geodesic, double_geodesic, lambda e, t: point_distance(e, t, POINTS)])
def test_no_error_costs_nothing(loss) -> None:  # type: ignore[no-untyped-def]
    assert float(loss(*pair([0.0] * 6))) < 0.05


def test_a_shift_costs_its_length_and_a_turn_its_arc() -> None:
    shifted, turned = pair([0, 0, 0, 3.0, 0, 4.0]), pair([0, 0.1, 0, 0, 0, 0])
    for loss in (geodesic, lambda e, t: point_distance(e, t, POINTS)):
        assert float(loss(*shifted)) == pytest.approx(5.0, rel=1e-3)
    assert float(geodesic(*turned)) == pytest.approx(0.1 * RADIUS_MM, rel=1e-3)
    # The source, 700 mm away, moves around the CT, by the chord of the angle.
    source = 2 * np.sin(0.05) * np.linalg.norm(turned[0].centre.numpy() @ turned[0].rotation[0].numpy())
    axis = rigid.rotation_exp([0, 0.1, 0])
    moved = np.linalg.norm(axis.T @ turned[1].centre[0].numpy() - turned[1].centre[0].numpy())  # type: ignore[attr-defined]
    assert moved <= source + 1e-6
    assert float(double_geodesic(*turned)) == pytest.approx(np.hypot(0.1 * RADIUS_MM, moved), rel=1e-3)


def test_stated_errors_cost_least_when_they_are_true() -> None:
    estimate, truth = pair([0.02, -0.01, 0.03, 2.0, -1.0, 8.0])
    log_scale = torch.zeros(1, 6, requires_grad=True)
    optimiser = torch.optim.Adam([log_scale], lr=0.1)
    for _ in range(400):
        optimiser.zero_grad()
        stated_error(estimate._replace(log_scale=log_scale), truth).sum().backward()  # type: ignore[arg-type]
        optimiser.step()
    np.testing.assert_allclose(log_scale.detach().exp()[0].numpy(), [0.02, 0.01, 0.03, 2, 1, 8], rtol=0.02)


def test_images_pull_a_pose_toward_the_truth() -> None:
    """By central differences: the image loss has the slope that its gradient says, and the truth costs least."""
    camera = NetworkCamera(64, 0.4)
    loss = ImageLoss(Projector(head(), dtype=np.float64), camera, 1)
    pose = pose_of_view("ap", head(), camera.camera())
    maps = torch.ones(1, 1, 4, 4)

    def cost(centre: torch.Tensor) -> torch.Tensor:
        rotation = torch.tensor(pose[None, :3, :3])
        return loss(PoseEstimate(rotation, centre, torch.zeros(1, 6)), pose[None], maps, np.random.default_rng(0))[0]

    true = torch.tensor(rigid.transform_points(pose, [head().centre]))
    shifted = (true + torch.tensor([6.0, -4.0, 10.0])).requires_grad_()
    value = cost(shifted)
    value.backward()
    assert float(cost(true)) < 1e-3 < float(value.detach())
    step = torch.tensor([0.1, 0.0, 0.0])
    slope = float(cost(shifted.detach() + step) - cost(shifted.detach() - step)) / 0.2
    assert shifted.grad is not None
    assert float(shifted.grad[0, 0]) == pytest.approx(slope, rel=0.05)
    assert float((shifted.grad * (shifted.detach() - true)).sum()) > 0
