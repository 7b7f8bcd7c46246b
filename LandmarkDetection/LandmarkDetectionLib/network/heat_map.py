"""From heat maps to places: where a map peaks, to a part of a cell, and how wide it is there."""

from __future__ import annotations

import torch
from jaxtyping import Float

# Cells to each side of the highest one that its place is a mean over.
_REACH = 2
# Width (standard deviation, in cells) of the blob that a map is trained to show.
BLOB_CELLS = 0.8


def cell_centres(cells: int, device: torch.device | str = "cpu") -> Float[torch.Tensor, "cells"]:
    """Places of the cells along a side, in half widths of the image."""
    return (2 * torch.arange(cells, device=device, dtype=torch.float32) + 1) / cells - 1


def target_maps(
    places: Float[torch.Tensor, "batch landmarks 2"], cells: int
) -> Float[torch.Tensor, "batch landmarks cells cells"]:
    """The probability that a map should show for each place, summing to one."""
    centres = cell_centres(cells, places.device)
    width = BLOB_CELLS * 2 / cells
    across, down = (
        torch.softmax(-0.5 * ((places[..., axis, None] - centres) / width) ** 2, dim=-1) for axis in (0, 1)
    )
    return down[..., :, None] * across[..., None, :]


def peaks(
    heat: Float[torch.Tensor, "batch landmarks cells cells"],
) -> tuple[Float[torch.Tensor, "batch landmarks 2"], Float[torch.Tensor, "batch landmarks"]]:
    """Place of each map's peak (half widths of the image), and the spread of the map about it (along each axis).

    The place is the mean over the cells about the highest one; the spread is over the whole map, so that a second
    peak far away makes the first one unsure.
    """
    batch, landmarks, cells, _ = heat.shape
    chance = torch.softmax(heat.reshape(batch, landmarks, -1), dim=-1).reshape(heat.shape)
    centres = cell_centres(cells, heat.device)
    highest = chance.flatten(2).argmax(-1)
    row, column = highest // cells, highest % cells
    line = torch.arange(cells, device=heat.device)
    near_row = (line - row[..., None]).abs() <= _REACH
    near_column = (line - column[..., None]).abs() <= _REACH
    window = chance * near_row[..., :, None] * near_column[..., None, :]
    total = window.sum((2, 3)).clamp(min=1e-9)
    x = (window.sum(2) * centres).sum(-1) / total
    y = (window.sum(3) * centres).sum(-1) / total
    off = (centres - x[..., None])[..., None, :] ** 2 + (centres - y[..., None])[..., :, None] ** 2
    variance = (chance * off).sum((2, 3)) / 2
    return torch.stack([x, y], dim=-1), variance.clamp(min=1e-8).sqrt()
