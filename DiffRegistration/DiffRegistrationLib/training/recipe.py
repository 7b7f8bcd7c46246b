"""How a network is trained: its kind, its image, its loss and its pace, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..xray.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """`network` and `loss` are names in `pose_network.network` and `losses`; `size` is the image's in pixels.

    `batch` images make a step of Adam, whose rate rises to `learning_rate` within `warm_up` (part of the whole
    training) and then falls along a cosine.
    """

    network: str
    size: int
    batch: int
    loss: str
    learning_rate: float
    warm_up: float


DEFAULT_RECIPE = "compact"
RECIPES: Mapping[str, Recipe] = {
    "compact": Recipe("compact", 96, 32, "default", 1.5e-3, 0.03),
    "resnet18": Recipe("resnet18", 96, 32, "default", 1e-3, 0.03),
    # arXiv 2312.06358 and its authors' script: 256², 8 images, Adam 1e-3, 5 of 1000 epochs to warm up.
    "diffpose": Recipe("resnet18", 256, 8, "diffpose", 1e-3, 0.005),
}


def recipe_named(name: str) -> Recipe:
    """The recipe of this name. InputError that lists the names for any other."""
    if name not in RECIPES:
        raise InputError(f"recipe {name!r}", "is not known", f"Use one of {', '.join(RECIPES)}.")
    return RECIPES[name]
