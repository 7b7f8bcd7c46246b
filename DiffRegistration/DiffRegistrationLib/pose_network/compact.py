"""Our network: few channels where pixels are many, and a last map that keeps its place in the image.

Residual blocks (He et al., CVPR 2016) with group normalisation (Wu & He, ECCV 2018), which does the same alone and in
a batch, on one machine and on several. The last maps are not averaged over the image: where a feature lies is what a
pose is made of.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import nn

from .features import Features
from .network_input import CHANNELS

_WIDTHS = (24, 48, 96, 160)
_BLOCKS = (1, 1, 2, 1)
_GROUP = 8
_LAST_MAPS, _HIDDEN = 48, 256


class _Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.GroupNorm(after // _GROUP, after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(after // _GROUP, after)
        self.past = nn.Identity() if stride == 1 and before == after else nn.Conv2d(before, after, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.past(x))


class CompactFeatures(Features):
    """Features of images of `size`² pixels."""

    count = _HIDDEN

    def __init__(self, size: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(CHANNELS, _WIDTHS[0], 5, 2, 2, bias=False), nn.GroupNorm(_WIDTHS[0] // _GROUP, _WIDTHS[0])
        )
        layers, before = [], _WIDTHS[0]
        for width, blocks in zip(_WIDTHS, _BLOCKS, strict=True):
            for number in range(blocks):
                layers.append(_Block(before, width, 2 if number == 0 else 1))
                before = width
        self.body = nn.Sequential(*layers)
        self.last = nn.Conv2d(before, _LAST_MAPS, 1)
        side = -(-size // 2 ** (1 + len(_WIDTHS)))
        self.hidden = nn.Linear(_LAST_MAPS * side * side, _HIDDEN)

    def maps(self, image: Float[torch.Tensor, "batch channels size size"]) -> Float[torch.Tensor, "batch c h w"]:
        """The last feature maps."""
        image = image.contiguous(memory_format=torch.channels_last)
        return torch.relu(self.last(self.body(torch.relu(self.stem(image)))))

    def forward(self, image: Float[torch.Tensor, "batch channels size size"]) -> Float[torch.Tensor, "batch count"]:
        """Features of each image."""
        return torch.relu(self.hidden(self.maps(image).flatten(1)))
