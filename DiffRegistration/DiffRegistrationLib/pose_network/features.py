"""What every kind of network has in common: feature maps, and the features made of them."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import nn


class Features(nn.Module):
    """A network up to its last features, `count` of them; the head makes a pose of these."""

    count: int

    @abstractmethod
    def maps(self, image: Float[torch.Tensor, "batch channels size size"]) -> Float[torch.Tensor, "batch c h w"]:
        """The last feature maps."""

    @abstractmethod
    def forward(self, image: Float[torch.Tensor, "batch channels size size"]) -> Float[torch.Tensor, "batch count"]:
        """Features of each image."""
