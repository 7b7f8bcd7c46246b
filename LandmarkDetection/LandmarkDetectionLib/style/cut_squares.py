"""Squares of images, brought to one size: what looks are learnt from, of X-rays as of DRRs."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float

# Squares are this part of the usable extent at least, and so much of them is usable; so many are tried.
_SMALLEST, _USABLE, _TRIES = 0.5, 0.9, 12


def usable_square(mask: Bool[np.ndarray, "rows columns"], random: np.random.Generator) -> tuple[slice, slice]:
    """A square of the image, half as wide as its usable part or wider: the most usable of some."""
    usable = np.argwhere(mask)
    low, high = usable.min(axis=0), usable.max(axis=0) + 1
    best: tuple[float, tuple[slice, slice]] | None = None
    for _ in range(_TRIES):
        side = max(int(random.uniform(_SMALLEST, 1) * (high - low).min()), 1)
        first = [int(random.integers(a, b - side + 1)) for a, b in zip(low, high, strict=True)]
        square = slice(first[0], first[0] + side), slice(first[1], first[1] + side)
        share = float(mask[square].mean())
        if best is None or share > best[0]:
            best = share, square
        if share >= _USABLE:
            break
    assert best is not None
    return best[1]


def brought_to(
    size: int, values: Float[np.ndarray, "rows columns"], square: tuple[slice, slice], *, mirrored: bool
) -> Float[torch.Tensor, "1 size size"]:
    """The square's pixels averaged, or interpolated, to `size`²."""
    part = torch.from_numpy(np.ascontiguousarray(values[square]))[None, None]
    part = part.flip(-1) if mirrored else part
    return torch.nn.functional.interpolate(part, (size, size), mode="bilinear", align_corners=False, antialias=True)[0]
