"""Translated images of earlier steps, so that a discriminator does not forget them (Shrivastava et al., CVPR 2017)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

_SIZE = 50


class ImagePool:
    """Keeps `_SIZE` images; of those asked about half are exchanged for kept ones."""

    def __init__(self) -> None:
        self._kept: list[torch.Tensor] = []

    def exchanged(
        self, images: Float[torch.Tensor, "batch 1 rows columns"], random: np.random.Generator
    ) -> Float[torch.Tensor, "batch 1 rows columns"]:
        """As many images, some of them from earlier."""
        given = []
        for image in images.detach():
            if len(self._kept) < _SIZE:
                self._kept.append(image.clone())
                given.append(image)
            elif random.uniform() < 0.5:
                at = int(random.integers(_SIZE))
                given.append(self._kept[at])
                self._kept[at] = image.clone()
            else:
                given.append(image)
        return torch.stack(given)
