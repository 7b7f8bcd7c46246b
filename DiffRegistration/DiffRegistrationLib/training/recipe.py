"""How a network is trained: its kind, its image, its loss and its pace, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..xray.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """`network` and `loss` are names in `pose_network.network` and `losses`; `size` is the image's in pixels.

    With a `close_up` of so many pixels a second network looks where the first one found the CT; 0 is none. `batch`
    images make a step of Adam, whose rate rises to `learning_rate` within `warm_up` (part of the whole training) and
    then falls along a cosine.
    """

    network: str
    size: int
    close_up: int
    batch: int
    loss: str
    learning_rate: float
    warm_up: float

    def changed(self, batch: int | None, size: int | None) -> Recipe:
        """With other `batch` images a step, or with `size` pixels along the side of the image that counts."""
        changed = replace(self, batch=batch or self.batch)
        if size is None:
            return changed
        return replace(changed, size=size // 2, close_up=size) if self.close_up else replace(changed, size=size)


DEFAULT_RECIPE = "compact"
RECIPES: Mapping[str, Recipe] = {
    "compact": Recipe("compact", 48, 64, 32, "default", 1.5e-3, 0.03),
    "resnet18": Recipe("resnet18", 96, 0, 32, "default", 1e-3, 0.03),
    # arXiv 2312.06358 and its authors' script: 256², 8 images, Adam 1e-3, 5 of 1000 epochs to warm up.
    "diffpose": Recipe("resnet18", 256, 0, 8, "diffpose", 1e-3, 0.005),
}


def recipe_named(name: str) -> Recipe:
    """The recipe of this name. InputError that lists the names for any other."""
    if name not in RECIPES:
        raise InputError(f"recipe {name!r}", "is not known", f"Use one of {', '.join(RECIPES)}.")
    return RECIPES[name]
