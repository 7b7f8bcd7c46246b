"""What X-rays are translated to: rendered images of CTs, as clean as a network that learns from them could want."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from DiffRegistrationLib.pose_network.network_camera import NetworkCamera
from DiffRegistrationLib.training.training_volumes import ENERGIES_KEV, TrainingVolumes
from DiffRegistrationLib.xray.ct import CT
from jaxtyping import Float

from ..population.drawn_views import drawn_view
from ..population.view_ranges import ViewRanges
from .style_tones import style_tones

# Images that are rendered and kept; of so many a look is learnt.
_STOCK = 384
_FOOTPRINT_MM = 2.0


class DrrLooks:
    """`size`² images of CTs seen from `ranges`. Same seed, same images."""

    def __init__(self, cts: Sequence[CT], ranges: ViewRanges, size: int, seed: int, stock: int = _STOCK) -> None:
        random = np.random.default_rng([seed, *b"looks of DRRs"])
        volumes = [TrainingVolumes(ct, _FOOTPRINT_MM) for ct in cts]
        images = []
        for number in range(stock):
            ct, volume = cts[number % len(cts)], volumes[number % len(cts)]
            _, pose, field = drawn_view(ranges, ct.corners(0.5), np.eye(3), random)
            rays = NetworkCamera(size, field).camera().rays()
            energy = np.array([number % len(ENERGIES_KEV)])
            images.append(volume.render(rays, pose[None], energy).reshape(size, size))
        shown = torch.from_numpy(np.stack(images))
        self.images: Float[torch.Tensor, "stock 1 size size"] = style_tones(
            shown, torch.ones_like(shown, dtype=torch.bool)
        )

    def drawn(self, count: int, random: np.random.Generator) -> Float[torch.Tensor, "count 1 size size"]:
        """Tones (−1 … 1) of some of them."""
        chosen = self.images[torch.from_numpy(random.integers(len(self.images), size=count))]
        return chosen.flip(-1) if random.uniform() < 0.5 else chosen
