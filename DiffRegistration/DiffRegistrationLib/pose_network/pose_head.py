"""From features to a pose for each aspect: 6 numbers of a rotation, 3 of a position, 6 of how far off they may be."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import nn

from .pose_estimate import PoseHypotheses
from .rotations import rotation_from_six

OUTPUTS = 6 + 3 + 6
# Errors that an untrained network expects: rad and mm.
_FIRST_ROTATION, _FIRST_ACROSS_MM, _FIRST_DEPTH_MM = 0.2, 20.0, 40.0
# What an output of 1 means: about as far as poses spread, so that none drowns the others in the gradients they share.
_ROTATION_STEP, _ACROSS_STEP, _DEPTH_STEP = 1.0, 0.5, 1.0


class PoseHead(nn.Module):
    """Turns features into `PoseHypotheses` about middle poses, which are what an untrained network says.

    `rotations` (camera_from_ct), one an aspect, and `depth_mm` (of the CT's centre) are those of the middle poses;
    positions across the beam count in parts of the half field, depths by their ratio to the middle one. Where there is
    one aspect, nothing is learnt of its probability.
    """

    def __init__(
        self, features: int, rotations: Float[torch.Tensor, "aspects 3 3"], depth_mm: float, field: float
    ) -> None:
        super().__init__()
        self.aspects = len(rotations)
        self.linear = nn.Linear(features, self.aspects * OUTPUTS + (self.aspects if self.aspects > 1 else 0))
        nn.init.normal_(self.linear.weight, std=0.1 / math.sqrt(features))
        nn.init.zeros_(self.linear.bias)
        self.field, self.depth_mm = field, depth_mm
        self.register_buffer("middles", rotations.to(torch.float32), persistent=False)
        self.register_buffer("identity", torch.tensor([1.0, 0, 0, 0, 1, 0]), persistent=False)
        scales = [_FIRST_ROTATION] * 3 + [_FIRST_ACROSS_MM] * 2 + [_FIRST_DEPTH_MM]
        self.register_buffer("first_log_scale", torch.tensor(scales).log(), persistent=False)

    def forward(self, features: Float[torch.Tensor, "batch features"]) -> PoseHypotheses:
        """Poses, always rigid."""
        # Half precision would round millimetres away.
        with torch.autocast(features.device.type, enabled=False):
            return self._pose(self.linear(features.float()))

    def _pose(self, outputs: Float[torch.Tensor, "batch outputs"]) -> PoseHypotheses:
        batch, aspects = len(outputs), self.aspects
        out = outputs[:, : aspects * OUTPUTS].reshape(batch * aspects, OUTPUTS)
        about_middle = rotation_from_six(_ROTATION_STEP * out[:, :6] + self.get_buffer("identity"))
        rotation = about_middle.reshape(batch, aspects, 3, 3) @ self.get_buffer("middles")
        depth = self.depth_mm * torch.exp((_DEPTH_STEP * out[:, 8:9]).clamp(-2, 2))
        across = out[:, 6:8] * (_ACROSS_STEP * 0.5 * self.field) * depth
        log_scale = self.get_buffer("first_log_scale") + out[:, 9:].clamp(-8, 4)
        choice = outputs[:, aspects * OUTPUTS :] if aspects > 1 else torch.zeros_like(outputs[:, :1])
        return PoseHypotheses(
            rotation,
            torch.cat([across, depth], dim=1).reshape(batch, aspects, 3),
            log_scale.reshape(batch, aspects, 6),
            torch.log_softmax(choice, dim=1),
        )
