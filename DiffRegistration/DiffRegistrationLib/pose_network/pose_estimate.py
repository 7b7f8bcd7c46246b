"""What a pose network says: a pose before its camera for each aspect, and how sure it is of all of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int

from .rotations import rotation_vector


class PoseEstimate(NamedTuple):
    """Poses of a CT in the frame of the network's camera.

    `rotation` is that of camera_from_ct, `centre` where the CT's centre is (mm), `log_scale` the logarithm of the
    expected absolute errors: of the rotation about the camera's x, y and z axes (rad) and of the centre along them
    (mm).
    """

    rotation: Float[torch.Tensor, "batch 3 3"]
    centre: Float[torch.Tensor, "batch 3"]
    log_scale: Float[torch.Tensor, "batch 6"]

    def errors(
        self, rotation: Float[torch.Tensor, "batch 3 3"], centre: Float[torch.Tensor, "batch 3"]
    ) -> Float[torch.Tensor, "batch 6"]:
        """What would have to be added to arrive at the true `rotation` and `centre`: rad and mm, camera axes."""
        return torch.cat([rotation_vector(rotation @ self.rotation.mT), centre - self.centre], dim=1)

    def detached_pose(self) -> PoseEstimate:
        """The same, but what is asked of the scales does not pull at the pose."""
        return PoseEstimate(self.rotation.detach(), self.centre.detach(), self.log_scale)


class PoseHypotheses(NamedTuple):
    """A pose for each aspect that the CT may show (from the left, from the right …), of which one is right.

    A single pose for all would have to lie between two that look alike and are far apart. `log_probability` is that of
    each aspect; the rest is as in `PoseEstimate`.
    """

    rotation: Float[torch.Tensor, "batch aspects 3 3"]
    centre: Float[torch.Tensor, "batch aspects 3"]
    log_scale: Float[torch.Tensor, "batch aspects 6"]
    log_probability: Float[torch.Tensor, "batch aspects"]

    def of(self, aspects: Int[torch.Tensor, "batch"]) -> PoseEstimate:
        """Each image's pose for the aspect of this number."""
        each = torch.arange(len(aspects), device=aspects.device)
        return PoseEstimate(self.rotation[each, aspects], self.centre[each, aspects], self.log_scale[each, aspects])

    def likeliest(self) -> PoseEstimate:
        """Each image's pose for its likeliest aspect."""
        return self.of(self.log_probability.argmax(1))


def aspect_of(
    rotation: Float[torch.Tensor, "batch 3 3"], middles: Float[torch.Tensor, "aspects 3 3"]
) -> Int[torch.Tensor, "batch"]:
    """The aspect whose middle each rotation (camera_from_ct) is nearest to."""
    return torch.einsum("bij,aij->ba", rotation, middles).argmax(1)
