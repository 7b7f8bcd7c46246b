"""What the networks say about an X-ray: a look at all of it finds the head, closer ones its landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from ..network.close_up import aim_at
from ..network.fusion import fused, measured, places_to_aim_at
from ..network.landmark_network import LandmarkNetwork, NetworkAnswer
from ..network.model_file import TrainedDetector
from ..shape_prior.shape_fit import MeasuredPlaces
from .network_image import SeenByNetwork, seen_by_network, seen_closely

# Each is aimed by what the one before it found.
_CLOSE_LOOKS = 3


@dataclass(frozen=True, eq=False)
class CloseLook:
    """`places` of all landmarks in what was `seen`, and how likely each is in the usable part of that."""

    seen: SeenByNetwork
    places: MeasuredPlaces
    visibility: Float64[np.ndarray, "n"]


def overview(trained: TrainedDetector, radiograph: Radiograph) -> tuple[SeenByNetwork, NetworkAnswer]:
    """The whole X-ray, and the first answer to it. InputError where too little of it can be used."""
    whole = seen_by_network(radiograph, trained.networks.overview.form.size, trained.field)
    return whole, _answered(trained.networks.overview, whole)


def looked_closely(
    trained: TrainedDetector, radiograph: Radiograph, whole: SeenByNetwork, first: NetworkAnswer
) -> CloseLook:
    """The last of some looks, of which the `first` answer aims the first. InputError where too little can be used."""
    aim = aim_at(places_to_aim_at(first)[0].double().numpy(), whole.field)
    network = trained.networks.close_up
    for look in range(_CLOSE_LOOKS):
        seen = seen_closely(radiograph, whole, network.form.size, aim)
        answer = _answered(network, seen)
        if look < _CLOSE_LOOKS - 1:
            # Not drawn apart again: a look that is wider is less sure, and would make the next one wider still.
            aim = aim_at(fused(answer).places[0].double().numpy(), seen.field).after(aim)
    placed = measured(answer)
    places = MeasuredPlaces(
        placed.places[0].double().numpy(),
        placed.across[0].double().numpy(),
        placed.depth[0].double().numpy(),
        seen.field,
    )
    return CloseLook(seen, places, placed.visibility[0].double().numpy())


def _answered(network: LandmarkNetwork, seen: SeenByNetwork) -> NetworkAnswer:
    attenuation, mask = (
        torch.from_numpy(np.ascontiguousarray(i))[None] for i in (seen.image.attenuation, seen.image.mask)
    )
    with torch.no_grad():
        answer: NetworkAnswer = network(attenuation, mask)
    return answer
