"""What X-rays are translated to: rendered images of CTs, as clean as a network that learns from them could want."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.training.training_volumes import ENERGIES_KEV, TrainingVolumes
from DiffRegistrationLib.xray.ct import CT
from jaxtyping import Bool, Float, Float32

from ..population.drawn_views import drawn_view
from ..population.view_ranges import ViewRanges
from .cut_squares import brought_to, usable_square
from .style_tones import style_tones

# Images that are rendered and kept; of so many a look is learnt.
_STOCK = 384
_FOOTPRINT_MM = 2.0
# They are rendered finer than they are shown, for squares that are cut from them.
_FINER = 1.5


class DrrLooks:
    """Images of CTs seen from `ranges`, and squares of them. Same seed, same images."""

    def __init__(self, cts: Sequence[CT], ranges: ViewRanges, size: int, seed: int, stock: int = _STOCK) -> None:
        random = np.random.default_rng([seed, *b"looks of DRRs"])
        volumes = [TrainingVolumes(ct, _FOOTPRINT_MM) for ct in cts]
        side, images = round(_FINER * size), []
        for number in range(stock):
            ct, volume = cts[number % len(cts)], volumes[number % len(cts)]
            _, pose, field = drawn_view(ranges, ct.corners(0.5), np.eye(3), random)
            rays = NetworkCamera(side, field).camera().rays()
            energy = np.array([number % len(ENERGIES_KEV)])
            images.append(volume.render(rays, pose[None], energy).reshape(side, side))
        self._line_integrals: Float32[np.ndarray, "stock side side"] = np.stack(images)
        self._whole = np.ones((side, side), dtype=bool)
        everything = np.s_[:, :]
        shown = torch.cat([brought_to(size, image, everything, mirrored=False) for image in self._line_integrals])
        self.images: Float[torch.Tensor, "stock 1 size size"] = style_tones(
            shown, torch.ones_like(shown, dtype=torch.bool)
        )

    def behind(
        self, masks: Bool[torch.Tensor, "count 1 size size"], random: np.random.Generator
    ) -> Float[torch.Tensor, "count 1 size size"]:
        """Tones (−1 … 1) of squares of some of them, cut as X-rays are, behind the shutters of these."""
        cuts = []
        for which in random.integers(len(self._line_integrals), size=len(masks)):
            square, mirrored = usable_square(self._whole, random), bool(random.uniform() < 0.5)
            cuts.append(brought_to(masks.shape[-1], self._line_integrals[which], square, mirrored=mirrored))
        return style_tones(torch.cat(cuts), masks[:, 0])
