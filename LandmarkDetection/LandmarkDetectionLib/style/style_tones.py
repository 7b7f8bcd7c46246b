"""The tones in which looks are compared and translated: those of an image between its own lightest and darkest."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float

# The parts of an image's usable pixels below −1 and below +1.
_ENDS = (0.02, 0.98)
_FLAT = 1e-6


def style_tones(
    attenuation: Float[torch.Tensor, "batch rows columns"], mask: Bool[torch.Tensor, "batch rows columns"]
) -> Float[torch.Tensor, "batch 1 rows columns"]:
    """Line integrals brought to −1 … 1, bone high; what the mask leaves out is −1.

    Exposure and gain of an image are unknown: its own tones from 2 % to 98 % span the range.
    """
    values = torch.where(mask, attenuation.float(), torch.nan).flatten(1)
    ends = torch.nanquantile(values, torch.tensor(_ENDS, device=values.device), dim=1)
    low, high = torch.nan_to_num(ends)[:, :, None, None]
    tones = (2 * (attenuation - low) / (high - low).clamp(min=_FLAT) - 1).clamp(-1, 1)
    return torch.where(mask, tones, -1.0)[:, None]
