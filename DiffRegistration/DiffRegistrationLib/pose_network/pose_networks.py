"""The two networks of a patient: one that finds the CT in the whole image, one that looks at it closely."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import nn

from .network import NetworkForm, PoseNetwork
from .pose_estimate import PoseHypotheses

Image = tuple[Float[torch.Tensor, "batch size size"], Bool[torch.Tensor, "batch size size"]]


class PoseNetworks(nn.Module):
    """An `overview` and, unless it does all by itself, a `close_up`, whose camera is turned toward what that found."""

    def __init__(self, overview: NetworkForm, close_up: NetworkForm | None) -> None:
        super().__init__()
        self.overview = PoseNetwork(overview)
        self.close_up = None if close_up is None else PoseNetwork(close_up)

    @property
    def all(self) -> tuple[PoseNetwork, ...]:
        """In the order in which they look."""
        return (self.overview,) if self.close_up is None else (self.overview, self.close_up)

    def forward(self, images: Sequence[Image]) -> list[PoseHypotheses]:
        """What each network says of its own images (with their masks); one call, as distributed training wants it."""
        return [network(*image) for network, image in zip(self.all, images, strict=True)]
