"""How far a translation leaves edges where they were: correlation of gradients (Hiasa et al., SASHIMI 2018), window by
window.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import nn

# Windows of so many pixels, every half a window; flatter ones than this (tones) say nothing.
_WINDOW, _FLAT = 16, 1e-3

Tones = Float[torch.Tensor, "batch 1 rows columns"]


def gradient_inconsistency(before: Tones, after: Tones) -> Float[torch.Tensor, ""]:
    """0 where all edges of `after` are those of `before` times a positive number, 1 where they have nothing in common,
    2 where all are turned over; windows count by how strong the edges of `before` are.
    """
    known, found = _gradients(before), _gradients(after)
    strength, other = (_in_windows(g.square()).clamp(min=_FLAT**2).sqrt() for g in (known, found))
    unlike = 1 - _in_windows(known * found) / (strength * other)
    return (strength * unlike).sum() / strength.sum()


def _gradients(tones: Tones) -> Float[torch.Tensor, "batch 2 r c"]:
    """Across and down, over two pixels."""
    across = tones[..., 1:-1, 2:] - tones[..., 1:-1, :-2]
    down = tones[..., 2:, 1:-1] - tones[..., :-2, 1:-1]
    return torch.cat([across, down], dim=1) / 2


def _in_windows(values: Float[torch.Tensor, "batch 2 r c"]) -> Float[torch.Tensor, "batch 1 h w"]:
    """Means over windows, both directions together."""
    return nn.functional.avg_pool2d(values.sum(dim=1, keepdim=True), _WINDOW, _WINDOW // 2)
