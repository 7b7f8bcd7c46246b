"""How far off a network is on heads and views that it never learns from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float

from ..network.close_up import aim_at
from ..network.fusion import PlacedLandmarks, fused, places_to_aim_at
from ..network.landmark_network import LandmarkNetwork, NetworkAnswer
from ..network.landmark_networks import LandmarkNetworks
from .training_views import Exposure, LandmarkBatch, TrainingViews

_AT_ONCE = 64
WITHIN_MM = 10.0


@dataclass(frozen=True)
class LandmarkValidation:
    """Over all landmarks of all validation images: mean distances (mm at the head's depth) in the image of those
    that are seen and of those that are not, parts within 10 mm in the image and in space.

    In space a landmark is placed at its depth relative to the landmarks' mean, whose true depth is given: what one
    image shows of the depth of an unknown head is its size, and heads differ.
    """

    seen_mm: float
    hidden_mm: float
    within_2d: float
    within_3d: float
    aspect: float

    @property
    def words(self) -> str:
        """How far off, for a line of progress."""
        return f"{self.seen_mm:.1f} mm where seen, {self.hidden_mm:.1f} mm where not"


def answered(network: LandmarkNetwork, images: LandmarkBatch) -> NetworkAnswer:
    """What the network says of all images."""
    was = network.training
    network.eval()
    with torch.no_grad():
        parts = [
            network(*(value[first : first + _AT_ONCE] for value in images.shown))
            for first in range(0, len(images.attenuation), _AT_ONCE)
        ]
    network.train(was)
    return NetworkAnswer(*(torch.cat(values) for values in zip(*parts, strict=True)))


def distances(
    found: PlacedLandmarks, images: LandmarkBatch
) -> tuple[Float[torch.Tensor, "batch n"], Float[torch.Tensor, "batch n"]]:
    """Distances of found from true landmarks in mm at the head's depth: in the image, and in space."""
    scale = images.scale_mm[:, None]
    in_image = scale * (found.places[..., :2] - images.places[..., :2]).norm(dim=-1)
    # On the ray through the place, at the depth that is said: rays spread with depth.
    part = scale / images.depth_mm[:, None]
    true = _in_space(images.places, part)
    return in_image, scale * (_in_space(found.places, part) - true).norm(dim=-1)


def _in_space(
    places: Float[torch.Tensor, "batch n 3"], part: Float[torch.Tensor, "batch 1"]
) -> Float[torch.Tensor, "batch n 3"]:
    z = places[..., 2]
    return torch.cat([places[..., :2] * (1 + z * part)[..., None], z[..., None]], dim=-1)


def looked_closely(
    networks: LandmarkNetworks, views: TrainingViews, exposure: Exposure
) -> tuple[NetworkAnswer, LandmarkBatch]:
    """What the second look says of X-rays, aimed by what the first one said, and the labels behind it."""
    first = places_to_aim_at(answered(networks.overview, views.whole(exposure))).double().cpu().numpy()
    aims = [aim_at(places, float(field)) for places, field in zip(first, exposure.fields, strict=True)]
    images = views.close_up(exposure, aims)
    return answered(networks.close_up, images), images


def validated(networks: LandmarkNetworks, views: TrainingViews, exposure: Exposure) -> LandmarkValidation:
    """Figures of `networks` on the X-rays of `exposure`, which `views` made."""
    answer, images = looked_closely(networks, views, exposure)
    in_image, in_space = distances(fused(answer), images)

    def mean(values: torch.Tensor, where: Bool[torch.Tensor, "batch n"]) -> float:
        return float(values[where].float().mean()) if where.any() else 0.0

    known, seen = images.known, images.visible
    return LandmarkValidation(
        mean(in_image, seen),
        mean(in_image, known & ~seen),
        mean((in_image < WITHIN_MM).float(), known),
        mean((in_space < WITHIN_MM).float(), known),
        float((answer.aspect.argmax(1) == images.aspect).float().mean()),
    )
