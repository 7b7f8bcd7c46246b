"""How far off a patient's networks are on images that they never learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64

from ..pose_network.close_up import turn_toward
from ..pose_network.network import PoseNetwork
from ..pose_network.pose_estimate import PoseEstimate
from ..pose_network.pose_networks import PoseNetworks
from ..xray.geometry import rigid
from .losses import point_distance
from .training_images import Batch, TrainingImages

_AT_ONCE = 64


@dataclass(frozen=True)
class Validation:
    """Medians over the validation images: distance of the CT's points and of its centre along the beam, rotation."""

    distance_mm: float
    p95_distance_mm: float
    rotation_deg: float
    across_mm: float
    depth_mm: float


class Validator:
    """Judges networks on `images`; close-ups are turned toward what the overview found, as in use.

    `points` are mm about the CT's centre.
    """

    def __init__(
        self, images: Batch, close_ups: TrainingImages | None, points: Float[torch.Tensor, "points 3"]
    ) -> None:
        self._images, self._close_ups, self._points = images, close_ups, points

    def validate(self, networks: PoseNetworks) -> Validation:
        """Errors of `networks`."""
        networks.eval()
        images, estimate = self._images, _estimated(networks.overview, self._images)
        if networks.close_up is not None:
            assert self._close_ups is not None
            images = self._close_ups.seen_again(images, turns_toward(estimate.rotation, estimate.centre))
            estimate = _estimated(networks.close_up, images)
        networks.train()
        distance = point_distance(estimate, images.truth, self._points)
        error = estimate.errors(images.truth.rotation, images.truth.centre)
        return Validation(
            float(distance.median()),
            float(distance.quantile(0.95)),
            float(torch.rad2deg(error[:, :3].norm(dim=1)).median()),
            float(error[:, 3:5].norm(dim=1).median()),
            float(error[:, 5].abs().median()),
        )


def _estimated(network: PoseNetwork, images: Batch) -> PoseEstimate:
    with torch.no_grad():
        parts = [
            network(images.attenuation[first : first + _AT_ONCE], images.mask[first : first + _AT_ONCE]).likeliest()
            for first in range(0, len(images.poses), _AT_ONCE)
        ]
    return PoseEstimate(*(torch.cat(values) for values in zip(*parts, strict=True)))


def turns_toward(
    rotation: Float[torch.Tensor, "batch 3 3"], centre: Float[torch.Tensor, "batch 3"]
) -> Float64[np.ndarray, "batch 3 3"]:
    """turned_from_camera of a close-up for each CT, whose rotation (camera_from_ct) and centre (mm) are given."""
    rotations, centres = (part.double().cpu().numpy() for part in (rotation, centre))
    return np.stack([turn_toward(rigid.rigid(R, c), np.zeros(3)) for R, c in zip(rotations, centres, strict=True)])
