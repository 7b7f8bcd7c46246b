"""What needs no network: tones matched to those that DRRs usually have."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float

from .style_tones import style_tones

_LEVELS = 64


class MatchedTones:
    """Brings the tones of an image, one by one, to the distribution that `drrs` have in the mean."""

    def __init__(self, drrs: Float[torch.Tensor, "n 1 size size"]) -> None:
        parts = torch.linspace(0, 1, _LEVELS)
        self._levels = torch.quantile(drrs.flatten(1), parts, dim=1).mean(dim=1).numpy()

    def translated(
        self, attenuation: Float[torch.Tensor, "batch size size"], mask: Bool[torch.Tensor, "batch size size"]
    ) -> Float[torch.Tensor, "batch size size"]:
        """Images whose usable pixels have these tones, in their own order."""
        tones = style_tones(attenuation, mask)[:, 0].numpy()
        matched = np.full_like(tones, -1.0)
        parts = np.linspace(0, 1, _LEVELS)
        for image, usable, out in zip(tones, mask.numpy(), matched, strict=True):
            values = image[usable]
            if values.size:
                own = np.quantile(values, parts)
                out[usable] = np.interp(np.interp(values, own, parts), parts, self._levels)
        return torch.from_numpy(matched)
