"""The two networks of a detector: one that finds the head in the whole image, one that looks at it closely."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import nn

from .landmark_network import LandmarkNetwork, NetworkAnswer, NetworkForm

Image = tuple[Float[torch.Tensor, "batch size size"], Bool[torch.Tensor, "batch size size"]]


class LandmarkNetworks(nn.Module):
    """An `overview` and a `close_up`, whose camera is aimed at what that found. `means` as in `LandmarkNetwork`."""

    def __init__(self, forms: Sequence[NetworkForm], means: Sequence[Float[torch.Tensor, "aspects n 3"]]) -> None:
        super().__init__()
        (overview, close_up), (first, second) = forms, means
        self.overview, self.close_up = LandmarkNetwork(overview, first), LandmarkNetwork(close_up, second)

    @property
    def all(self) -> tuple[LandmarkNetwork, LandmarkNetwork]:
        """In the order in which they look."""
        return self.overview, self.close_up

    @property
    def forms(self) -> tuple[NetworkForm, NetworkForm]:
        """What each looks at."""
        return self.overview.form, self.close_up.form

    def forward(self, images: Sequence[Image]) -> list[NetworkAnswer]:
        """What each network says of its own images; one call, as distributed training wants it."""
        return [network(*image) for network, image in zip(self.all, images, strict=True)]
