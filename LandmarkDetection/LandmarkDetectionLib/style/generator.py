"""The network that translates: an image in one look to the same in the other.

A ResNet between two halvings (Johnson et al., ECCV 2016; Zhu et al., ICCV 2017), a quarter as wide as theirs, that
changes the image instead of painting a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import nn

# Images are halved twice.
STRIDE = 4


@dataclass(frozen=True)
class GeneratorForm:
    """`channels` of the finest maps, and `blocks` at a quarter of the size."""

    channels: int = 16
    blocks: int = 4


class Generator(nn.Module):
    """Tones −1 … 1 to tones −1 … 1, of any size that can be halved twice."""

    def __init__(self, form: GeneratorForm) -> None:
        super().__init__()
        self.form = form
        widths = [form.channels * times for times in (1, 2, 4)]
        self.enter = _normalised(1, widths[0], 7)
        self.down = nn.ModuleList(_normalised(a, b, 3, stride=2) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(_Residual(widths[-1]) for _ in range(form.blocks))
        self.up = nn.ModuleList(_normalised(b, a, 3) for a, b in reversed(list(pairwise(widths))))
        self.leave = nn.Conv2d(widths[0], 1, 7, padding=3, padding_mode="reflect")
        nn.init.normal_(self.leave.weight, std=0.02)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    @property
    def widths(self) -> list[int]:
        """Channels of each of `features`."""
        return [1] + [self.form.channels * times for times in (1, 2, 4)] + [4 * self.form.channels]

    def features(self, tones: Float[torch.Tensor, "batch 1 rows columns"]) -> list[Float[torch.Tensor, "batch c h w"]]:
        """The image and what the encoder makes of it, finest first: what a place holds, at every scale."""
        found = [tones, self.enter(tones)]
        for down in self.down:
            found.append(down(found[-1]))
        x = found[-1]
        for block in self.blocks:
            x = block(x)
        return [*found, x]

    def forward(
        self, tones: Float[torch.Tensor, "batch 1 rows columns"]
    ) -> Float[torch.Tensor, "batch 1 rows columns"]:
        """The image in the other look."""
        x = self.features(tones)[-1]
        for up in self.up:
            # Wider by repetition, then a convolution: transposed ones leave a checkerboard (Odena et al., 2016).
            x = up(nn.functional.interpolate(x, scale_factor=2, mode="nearest"))
        # Of what tanh would give the image itself comes back as it is.
        within = tones.clamp(-0.999, 0.999)
        return torch.tanh(torch.atanh(within) + self.leave(x))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _normalised(width, width, 3), _normalised(width, width, 3, last=True)

    def forward(self, x: Float[torch.Tensor, "batch c h w"]) -> Float[torch.Tensor, "batch c h w"]:
        changed: torch.Tensor = x + self.second(self.first(x))
        return changed


def _normalised(a: int, b: int, size: int, *, stride: int = 1, last: bool = False) -> nn.Sequential:
    """Each map of each image by itself: its mean and deviation are look, not content (Ulyanov et al., 2016)."""
    convolution = nn.Conv2d(a, b, size, stride, padding=size // 2, padding_mode="reflect", bias=False)
    layers = [convolution, nn.InstanceNorm2d(b, affine=True)]
    return nn.Sequential(*layers) if last else nn.Sequential(*layers, nn.ReLU())
