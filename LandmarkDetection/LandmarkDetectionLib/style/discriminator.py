"""The network that tells real looks from translated ones, patch by patch (Isola et al., CVPR 2017)."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import nn

# Of kernels of 4 px, three at half the size of the one before: each answer sees 70×70 px.
_CHANNELS = 24
_SLOPE = 0.2


class Discriminator(nn.Module):
    """For every 70×70 px of an image how real its look is: 1 real, 0 translated (least squares)."""

    def __init__(self) -> None:
        super().__init__()
        widths = [1] + [_CHANNELS * times for times in (1, 2, 4, 8)]
        layers: list[nn.Module] = []
        for number, (a, b) in enumerate(pairwise(widths)):
            layers.append(nn.Conv2d(a, b, 4, 2 if number < 3 else 1, padding=1))
            if number:
                layers.append(nn.InstanceNorm2d(b, affine=True))
            layers.append(nn.LeakyReLU(_SLOPE))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.02)

    def forward(self, tones: Float[torch.Tensor, "batch 1 rows columns"]) -> Float[torch.Tensor, "batch 1 h w"]:
        """How real each patch looks."""
        told: torch.Tensor = self.layers(tones)
        return told


def judged_as(
    discriminator: Discriminator, tones: Float[torch.Tensor, "batch 1 rows columns"], real: bool
) -> Float[torch.Tensor, ""]:
    """Least-squares loss (Mao et al., ICCV 2017) of a discriminator that should call these images real, or not."""
    return (discriminator(tones) - float(real)).square().mean()


def judged_by_frozen(
    discriminator: Discriminator, tones: Float[torch.Tensor, "batch 1 rows columns"]
) -> Float[torch.Tensor, ""]:
    """The same for real ones, of which the discriminator itself learns nothing: what a generator is to lessen."""
    frozen = {name: weights.detach() for name, weights in discriminator.named_parameters()}
    told: torch.Tensor = torch.func.functional_call(discriminator, frozen, (tones,))
    return (told - 1).square().mean()
