"""One place for each landmark from the two that the network gives: by how sure each is, and whether it is seen."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float

from .heat_map import peaks
from .landmark_network import NetworkAnswer

# A peak is known to no better than this part of a cell.
_FINEST_CELL = 0.12
# Measured on heads that networks had not seen: with these, stated errors hold, and places are best.
_AS_MUCH_AS, _ALIKE = 8.0, 2.0
# Networks state less than the variance that there is: measured where 1.9 times as much was true.
_VARIANCE = 1.5
# Networks that have learnt for half an hour ask for 1.23 at most; what has hardly learnt would look ever wider.
_MOST_LARGER = 1.25
# A standard deviation for the mean absolute error of a Laplace distribution.
_DEVIATION = 2.0**0.5


class PlacedLandmarks(NamedTuple):
    """Places as in `NetworkAnswer` with standard deviations (in the image along x and y, and in depth), and the
    probability of lying in the usable part of the image.
    """

    places: Float[torch.Tensor, "batch landmarks 3"]
    across: Float[torch.Tensor, "batch landmarks"]
    depth: Float[torch.Tensor, "batch landmarks"]
    visibility: Float[torch.Tensor, "batch landmarks"]


def regressed(answer: NetworkAnswer) -> PlacedLandmarks:
    """What the look at the whole image says, for the likeliest aspect."""
    places, log_error = answer.of_aspect(answer.aspect.argmax(1))
    deviation = _DEVIATION * log_error.exp()
    return PlacedLandmarks(places, deviation[..., 0], deviation[..., 1], torch.sigmoid(answer.visibility))


def fused(answer: NetworkAnswer) -> PlacedLandmarks:
    """Means of both weighted by their precision; a peak counts as much as its landmark is likely to be seen."""
    return _weighted(answer, 1.0)


def places_to_aim_at(answer: NetworkAnswer) -> Float[torch.Tensor, "batch landmarks 3"]:
    """The fused places, drawn apart until they are as far from their middle as a head's landmarks are.

    Means over what is possible lie nearer to each other than landmarks do, the more so the less is seen: the square of
    true distances is on average that of the means and the variance together. Aimed at the means, the next look sees a
    head that is too large for it, and believes in one that is farther away: of a quarter of a head by a half.
    """
    places, whole = fused(answer).places, regressed(answer)
    off = places - places.mean(dim=1, keepdim=True)
    square = off.square().sum(dim=-1).mean(dim=1)
    variance = (2 * whole.across.square() + whole.depth.square()).mean(dim=1)
    larger = (1 + _VARIANCE * variance / square).sqrt().clamp(max=_MOST_LARGER)
    return places + (larger - 1)[:, None, None] * off


def measured(answer: NetworkAnswer) -> PlacedLandmarks:
    """The same as measurements that are independent of each other, for a shape to be fitted to.

    What the look at the whole image gets wrong it gets wrong for all landmarks together: all that it says counts as
    much as a few landmarks' peaks would. Peaks err alike near each other; that is why they count as less sure.
    """
    one = _weighted(answer, _AS_MUCH_AS / answer.heat.shape[1])
    return PlacedLandmarks(one.places, _ALIKE * one.across, _ALIKE * one.depth, one.visibility)


def _weighted(answer: NetworkAnswer, part: float) -> PlacedLandmarks:
    """Means in which the precision of the whole image's places counts by `part`."""
    whole = regressed(answer)
    peak, spread = peaks(answer.heat)
    finest = _FINEST_CELL * 2 / answer.heat.shape[-1]
    # The blob that a map was trained to show stays in its spread: no map is taken for surer than that.
    by_map = whole.visibility / (spread.square() + finest**2)
    by_whole = part * whole.across.square().reciprocal()
    total = by_map + by_whole
    place = (by_map[..., None] * peak + by_whole[..., None] * whole.places[..., :2]) / total[..., None]
    return PlacedLandmarks(
        torch.cat([place, whole.places[..., 2:]], dim=-1), total.rsqrt(), whole.depth * part**-0.5, whole.visibility
    )
