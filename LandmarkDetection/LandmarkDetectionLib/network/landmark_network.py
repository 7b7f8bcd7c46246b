"""All landmarks at once: a look at the whole image places every one, also beyond its edge; heat maps sharpen those
that are seen.

A heat map cannot say "outside", and a regression from the whole image is never as sharp as a map: both are made from
the same features, and what each says comes with how sure it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from DiffRegistrationLib.pose_network.network_input import CHANNELS, network_input
from jaxtyping import Bool, Float, Int
from torch import nn

from .residual_block import ResidualBlock, normalised_convolution

_STEM, _WIDER = 32, (1, 2, 4, 6)
_DECODED, _LAST_MAPS, _HIDDEN = 64, 64, 512
# The image is halved by the stem and by each width; heat maps are as fine as the first width's maps.
_STRIDE, _WHOLE_STRIDE = 4, 32
# What an untrained network expects to be off by, in half widths of the image.
_FIRST_ERROR = 0.3


@dataclass(frozen=True)
class NetworkForm:
    """Images of `size`² pixels, `landmarks` of them, and `aspects` (views so different that no mean lies between);
    `channels` of the finest maps, and `blocks` at each of the finer ones.
    """

    size: int
    landmarks: int
    aspects: int
    channels: int = 32
    blocks: int = 1

    @property
    def cells(self) -> int:
        """Cells along a heat map's side."""
        return self.size // _STRIDE


class NetworkAnswer(NamedTuple):
    """What the network says of a batch.

    Places are in half widths of the image from its middle: x right, y down, and z away from the source, relative to
    the landmarks' mean depth, as if it were seen in the image's scale. `log_error` is that of the expected absolute
    error of each. `aspect` are logarithms of probabilities, `heat` logits over the cells of the image, `visibility`
    logits of lying in the usable part of the image.
    """

    places: Float[torch.Tensor, "batch aspects landmarks 3"]
    log_error: Float[torch.Tensor, "batch aspects landmarks 2"]
    aspect: Float[torch.Tensor, "batch aspects"]
    heat: Float[torch.Tensor, "batch landmarks cells cells"]
    visibility: Float[torch.Tensor, "batch landmarks"]

    def of_aspect(
        self, aspect: Int[torch.Tensor, "batch"]
    ) -> tuple[Float[torch.Tensor, "batch landmarks 3"], Float[torch.Tensor, "batch landmarks 2"]]:
        """Places and errors for one aspect of each image."""
        rows = torch.arange(len(aspect), device=aspect.device)
        return self.places[rows, aspect], self.log_error[rows, aspect]

    def with_other_aspects(self, least: float) -> list[NetworkAnswer]:
        """The answer to one image with other aspects as the only one instead of the likeliest, as far as they are more
        probable than `least`; the likelier first.
        """
        order = self.aspect[0].argsort(descending=True)
        possible = torch.softmax(self.aspect[0], dim=0)[order] > least
        only = torch.eye(len(order)).log().clamp(min=-1e3).to(self.aspect)
        return [self._replace(aspect=only[which][None]) for which in order[possible][1:]]


class LandmarkNetwork(nn.Module):
    """A small U-Net (Ronneberger et al., MICCAI 2015) whose narrowest maps also place all landmarks directly.

    `mean` are the landmarks' mean places for each aspect (half widths): what an untrained network says.
    """

    def __init__(self, form: NetworkForm, mean: Float[torch.Tensor, "aspects landmarks 3"]) -> None:
        super().__init__()
        if form.size % _WHOLE_STRIDE:
            raise ValueError(f"images of {form.size} pixels: expected a multiple of {_WHOLE_STRIDE}")
        self.form = form
        self.register_buffer("mean", mean.to(torch.float32))
        self.stem = normalised_convolution(CHANNELS, _STEM, 5, 2)
        finer = [form.channels * times for times in _WIDER]
        blocks = [form.blocks] * (len(finer) - 1) + [1]
        widths = (_STEM, *finer)
        self.down = nn.ModuleList(
            nn.Sequential(ResidualBlock(a, b, 2), *(ResidualBlock(b, b, 1) for _ in range(count - 1)))
            for (a, b), count in zip(pairwise(widths), blocks, strict=True)
        )
        self.last = nn.Conv2d(widths[-1], _LAST_MAPS, 1)
        side = form.size // _WHOLE_STRIDE
        self.hidden = nn.Linear(_LAST_MAPS * side * side, _HIDDEN)
        per_aspect = 5 * form.landmarks
        self.placed = nn.Linear(_HIDDEN, form.aspects * per_aspect)
        self.seen = nn.Linear(_HIDDEN, form.aspects + form.landmarks)
        nn.init.normal_(self.placed.weight, std=0.1 / _HIDDEN**0.5)
        nn.init.zeros_(self.placed.bias)
        self.narrow = normalised_convolution(widths[-1], _DECODED, 1)
        self.across = nn.ModuleList(normalised_convolution(width, _DECODED, 1) for width in finer[-2::-1])
        self.up = nn.ModuleList(normalised_convolution(_DECODED, _DECODED) for _ in finer[:-1])
        self.heat = nn.Conv2d(_DECODED, form.landmarks, 1)

    def expect_where_nothing_was_seen(self, mean: Float[torch.Tensor, "aspects landmarks 3"]) -> None:
        """Begin aspects that it has never seen at these mean places, not in the middle of the image."""
        known = self.get_buffer("mean")
        unseen = (known == 0).all(dim=(1, 2))
        known[unseen] = mean.to(known)[unseen]

    @property
    def inner_weights(self) -> list[nn.Parameter]:
        """Weights of layers that have others before and after them."""
        ends = (self.stem, self.placed, self.seen, self.heat)
        outer = {id(weights) for layer in ends for weights in layer.parameters()}
        return [weights for weights in self.parameters() if weights.ndim > 1 and id(weights) not in outer]

    def forward(
        self, attenuation: Float[torch.Tensor, "batch size size"], mask: Bool[torch.Tensor, "batch size size"]
    ) -> NetworkAnswer:
        """Where all landmarks are in line-integral images, of which `mask` says what is usable."""
        x = network_input(attenuation, mask).contiguous(memory_format=torch.channels_last)
        x = torch.relu(self.stem(x))
        maps = []
        for block in self.down:
            x = block(x)
            maps.append(x)
        narrow = torch.relu(self.last(x)).flatten(1)
        fine = torch.relu(self.narrow(x))
        for across, up, beside in zip(self.across, self.up, maps[-2::-1], strict=True):
            wider = nn.functional.interpolate(fine, scale_factor=2, mode="bilinear", align_corners=False)
            fine = torch.relu(up(wider + across(beside)))
        return self._answer(narrow, self.heat(fine))

    def _answer(
        self, narrow: Float[torch.Tensor, "batch k"], heat: Float[torch.Tensor, "batch landmarks cells cells"]
    ) -> NetworkAnswer:
        form = self.form
        # Half precision is too coarse for places.
        with torch.autocast(narrow.device.type, enabled=False):
            hidden = torch.relu(self.hidden(narrow.float()))
            said = self.placed(hidden).reshape(-1, form.aspects, form.landmarks, 5)
            seen = self.seen(hidden)
        return NetworkAnswer(
            self.get_buffer("mean") + said[..., :3],
            said[..., 3:].clamp(-8, 4) + torch.log(torch.tensor(_FIRST_ERROR)),
            torch.log_softmax(seen[:, : form.aspects], dim=1),
            heat.float(),
            seen[:, form.aspects :],
        )
