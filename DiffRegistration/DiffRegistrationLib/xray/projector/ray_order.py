"""Rays in an order in which neighbours on the detector are neighbours in memory: those of a tile share the cache."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Int64

from ..geometry import Rays

_CELLS = 1 << 16


def tile_order(rays: Rays) -> Int64[np.ndarray, "n"]:
    """Numbers of the rays along a Z-shaped curve over the detector (Morton 1966).

    Any 2ᵏ consecutive ones of a whole image make about a square; of a subset of pixels those that lie together do.
    """
    if len(rays) < 3:
        return np.arange(len(rays))
    steps = np.diff(rays.target, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    # Rays come pixel by pixel along the rows, as a rule: the usual step is a pixel, and tiles are whole pixels.
    usual = int(np.argsort(lengths)[len(lengths) // 2])
    pitch = float(lengths[usual])
    if pitch == 0:
        return np.arange(len(rays))
    along = steps[usual] / pitch
    centred = rays.target - rays.target.mean(axis=0)
    across = centred - np.outer(centred @ along, along)
    # What is left of the farthest target beside the row points across the rows.
    farthest = across[int(np.argmax(np.linalg.norm(across, axis=1)))]
    down = farthest / (np.linalg.norm(farthest) or 1.0)
    places = np.column_stack([centred @ along, centred @ down]) / pitch
    places -= places.min(axis=0) - 0.5
    # Fractions of a pixel, for rays that come in no order; a power of two of them, so that tiles end between pixels.
    finest = 2.0 ** np.floor(np.log2(_CELLS / (places.max() + 1)))
    columns, rows = (places * finest).astype(np.int64).clip(0, _CELLS - 1).T
    return np.argsort(_spread(columns) | _spread(rows) << 1, kind="stable")


def _spread(numbers: Int[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """A zero before each of the 16 lowest bits."""
    spread = numbers
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        spread = (spread | spread << shift) & mask
    return spread
