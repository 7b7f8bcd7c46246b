"""What a pose network says: a pose before its camera, and how sure it is of each of its six parts."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float

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
