"""How an image is made ready for a network: what is usable of it, standardised, and its pixels' places."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float

CHANNELS = 5
# Half side, in parts of the image, of the window in which contrast is local.
_WINDOW = 0.05
# Windows flatter than this part of the image's deviation fade out.
_FLAT = 0.05
# In deviations; a wire or a burnt-out corner is not shown stronger.
_LIMIT = 4.0


def network_input(
    attenuation: Float[torch.Tensor, "batch size size"], mask: Bool[torch.Tensor, "batch size size"]
) -> Float[torch.Tensor, "batch 5 size size"]:
    """The image standardised over its mask (0 elsewhere) and in a window, the mask, and each pixel's place, −1 … 1.

    The unknown exposure and gain of a line-integral image are its mean and its deviation: both are taken out.
    """
    usable = mask.to(attenuation.dtype)
    count = usable.sum((1, 2), keepdim=True).clamp(min=1)
    mean = (attenuation * usable).sum((1, 2), keepdim=True) / count
    centred = (attenuation - mean) * usable
    deviation = (centred.square().sum((1, 2), keepdim=True) / count).sqrt().clamp(min=1e-6)
    image = (centred / deviation).clamp(-_LIMIT, _LIMIT)
    size = attenuation.shape[-1]
    line = torch.linspace(-1, 1, size, device=image.device, dtype=image.dtype)
    x, y = line.expand(len(image), size, size), line[:, None].expand(len(image), size, size)
    return torch.stack([image, _local_contrast(centred / deviation, usable), usable, x, y], dim=1)


def _local_contrast(
    image: Float[torch.Tensor, "batch size size"], usable: Float[torch.Tensor, "batch size size"]
) -> Float[torch.Tensor, "batch size size"]:
    """Mean 0 and deviation 1 in a window about each pixel: bone edges, whatever scatter and curve lie on them."""
    reach = max(1, round(_WINDOW * image.shape[-1]))

    def box(values: torch.Tensor) -> torch.Tensor:
        # Differences of running sums: the same work for any window.
        for axis in (1, 2):
            padded = torch.nn.functional.pad(values.transpose(axis, 2), (reach + 1, reach)).cumsum(2)
            values = (padded[..., 2 * reach + 1 :] - padded[..., : -2 * reach - 1]).transpose(axis, 2)
        return values / (2 * reach + 1) ** 2

    share = box(usable).clamp(min=1e-3)
    mean = box(image * usable) / share
    variance = (box(image.square() * usable) / share - mean.square()).clamp(min=0)
    return ((image - mean) * usable / (variance + _FLAT**2).sqrt()).clamp(-_LIMIT, _LIMIT)
