"""How far off a network is on images it never learns from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float

from ..pose_network.network import PoseNetwork
from .losses import point_distance
from .training_images import Batch

_AT_ONCE = 64


@dataclass(frozen=True)
class Validation:
    """Medians over the validation images: distance of the CT's points and of its centre along the beam, rotation."""

    distance_mm: float
    p95_distance_mm: float
    rotation_deg: float
    across_mm: float
    depth_mm: float


def validate(network: PoseNetwork, images: Batch, points: Float[torch.Tensor, "points 3"]) -> Validation:
    """Errors of `network` on `images`; `points` are mm about the CT's centre."""
    network.eval()
    distances, errors = [], []
    with torch.no_grad():
        for first in range(0, len(images.poses), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            truth = images.truth.part(some)
            estimate = network(images.attenuation[some], images.mask[some])
            distances.append(point_distance(estimate, truth, points))
            errors.append(estimate.errors(truth.rotation, truth.centre))
    network.train()
    distance, error = torch.cat(distances), torch.cat(errors)
    return Validation(
        float(distance.median()),
        float(distance.quantile(0.95)),
        float(torch.rad2deg(error[:, :3].norm(dim=1)).median()),
        float(error[:, 3:5].norm(dim=1).median()),
        float(error[:, 5].abs().median()),
    )
