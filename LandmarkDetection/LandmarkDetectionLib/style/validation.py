"""How near translated X-rays come to the look of DRRs, and whether anything moved on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from .generator import Generator
from .structure_shift import structure_shift

_LEVELS = 64

Tones = Float[torch.Tensor, "n 1 size size"]


@dataclass(frozen=True)
class StyleValidation:
    """Over images that are not learnt from: mean shift of structures (px; NaN where nothing could be compared), and
    how far tones and strengths of edges are from those of DRRs, translated and before (mean distance of quantiles).
    """

    shift_px: float
    tones: float
    edges: float
    tones_before: float
    edges_before: float

    @property
    def words(self) -> str:
        """How far off, for a line of progress."""
        return f"{self.tones:.3f} in tones, structures moved {self.shift_px:.2f} px"


def validated(to_drr: Generator, xrays: Tones, drrs: Tones) -> StyleValidation:
    """Figures of a generator on X-rays, beside DRRs."""
    was = to_drr.training
    to_drr.eval()
    with torch.no_grad():
        translated = torch.cat([to_drr(part) for part in xrays.split(16)])
    to_drr.train(was)
    shifts = [
        structure_shift(*pair) for pair in zip(xrays[:, 0].cpu().numpy(), translated[:, 0].cpu().numpy(), strict=True)
    ]
    known = np.concatenate(shifts)
    return StyleValidation(
        float(known.mean()) if len(known) else float("nan"),
        _apart(translated, drrs),
        _apart(_edges(translated), _edges(drrs)),
        _apart(xrays, drrs),
        _apart(_edges(xrays), _edges(drrs)),
    )


def _apart(one: Tones, other: Tones) -> float:
    """Mean distance of both distributions' quantiles (Wasserstein-1)."""
    parts = np.linspace(0, 1, _LEVELS)
    first, second = (np.quantile(images.cpu().numpy(), parts) for images in (one, other))
    return float(np.abs(first - second).mean())


def _edges(tones: Tones) -> Tones:
    across, down = tones.diff(dim=-1)[..., 1:, :], tones.diff(dim=-2)[..., :, 1:]
    return (across**2 + down**2).sqrt()
