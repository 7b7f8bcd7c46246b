"""DiffPose's network: ResNet18 (He et al., CVPR 2016) with group normalisation and averaged last maps, written anew.

Gopalakrishnan et al., CVPR 2024 (arXiv 2312.06358), who take it from timm with norm_layer="groupnorm".
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import nn

from .features import Features
from .network_input import CHANNELS

_WIDTHS = (64, 128, 256, 512)
_GROUPS = 32


class _BasicBlock(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.GroupNorm(_GROUPS, after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(_GROUPS, after)
        self.past: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.past = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.GroupNorm(_GROUPS, after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(y)) + self.past(x))


class ResNet18Features(Features):
    """Features of images of any size."""

    count = _WIDTHS[-1]

    def __init__(self, size: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(CHANNELS, 64, 7, 2, 3, bias=False), nn.GroupNorm(_GROUPS, 64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        layers, before = [], 64
        for number, width in enumerate(_WIDTHS):
            layers += [_BasicBlock(before, width, 1 if number == 0 else 2), _BasicBlock(width, width, 1)]
            before = width
        self.body = nn.Sequential(*layers)

    def maps(self, image: Float[torch.Tensor, "batch channels size size"]) -> Float[torch.Tensor, "batch c h w"]:
        """The last feature maps."""
        return self.body(self.stem(image.contiguous(memory_format=torch.channels_last)))

    def forward(self, image: Float[torch.Tensor, "batch channels size size"]) -> Float[torch.Tensor, "batch count"]:
        """Features of each image."""
        return self.maps(image).mean((2, 3))
