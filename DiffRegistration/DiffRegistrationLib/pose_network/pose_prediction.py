"""A patient's networks asked about an X-ray: the pose in the world, and how sure of it they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64

from ..xray.errors import InputError
from ..xray.geometry import rigid
from ..xray.radiograph import Radiograph
from .close_up import turn_toward
from .network import PoseNetwork
from .network_camera import NetworkImage
from .pose_networks import PoseNetworks

# The second close look begins where the first one ended.
_CLOSE_LOOKS = 2
# An aspect that is less likely is not looked at.
_LEAST_PROBABILITY = 0.1


@dataclass(frozen=True, eq=False)
class PosePrediction:
    """`pose` is world_from_ct (RAS mm) of a CT whose centre lies at `centre` (world mm).

    `scale` are the errors to be expected: of the rotation about the camera's x, y and z axes (rad), of the centre
    along them (mm). `axes` has these axes as rows, in the world. `probability` is that of the `aspect` (by its
    number) that it shows.
    """

    pose: Float64[np.ndarray, "4 4"]
    centre: Float64[np.ndarray, "3"]
    scale: Float64[np.ndarray, "6"]
    axes: Float64[np.ndarray, "3 3"]
    probability: float = 1.0
    aspect: int = 0

    @property
    def rotation_deg(self) -> float:
        """The largest expected error of the rotation."""
        return float(np.degrees(self.scale[:3].max()))

    @property
    def across_mm(self) -> float:
        """The larger expected error across the beam."""
        return float(self.scale[3:5].max())

    @property
    def depth_mm(self) -> float:
        """The expected error along the beam."""
        return float(self.scale[5])

    def sample(self, random: np.random.Generator) -> Float64[np.ndarray, "4 4"]:
        """A pose that the network holds for possible: each part by a Laplace distribution of its scale."""
        step = random.laplace(size=6) * self.scale
        twist = [*(self.axes.T @ step[:3]), *(self.axes.T @ step[3:])]
        return rigid.move_about(self.centre, twist, self.pose)


def predict(
    networks: PoseNetworks, radiograph: Radiograph, ct_centre: Float64[np.ndarray, "3"]
) -> list[PosePrediction]:
    """Where `networks` see their CT, of which `ct_centre` is the centre (mm, the CT's frame): the likeliest pose, and
    those of other aspects that are not much less likely.

    InputError for a camera that the networks cannot be brought before.
    """
    beam = networks.overview.form.camera.image_of(radiograph)
    seen = _looked(networks.overview, beam, ct_centre)
    if networks.close_up is None:
        return seen
    looked_at: list[PosePrediction] = []
    for first in seen:
        looked_at += _looked_closely(networks.close_up, radiograph, first, beam.camera_from_world, ct_centre)
    # Close-ups of different aspects may come to the same one: then the first of them, which was likelier, counts.
    likeliest: dict[int, PosePrediction] = {}
    for found in sorted(looked_at, key=lambda p: -p.probability):
        likeliest.setdefault(found.aspect, found)
    return list(likeliest.values())


def _looked_closely(
    network: PoseNetwork,
    radiograph: Radiograph,
    first: PosePrediction,
    beam_from_world: Float64[np.ndarray, "4 4"],
    ct_centre: Float64[np.ndarray, "3"],
) -> list[PosePrediction]:
    """What close looks make of what the first one found; probabilities are the products of both."""
    found = [replace(first, probability=1.0)]
    for _ in range(_CLOSE_LOOKS):
        turn = turn_toward(beam_from_world @ found[0].pose, ct_centre)
        try:
            image = network.form.camera.image_of(radiograph, turn)
        except InputError:
            # The X-ray shows too little of where the CT was seen: the look before is all there is.
            break
        found = _looked(network, image, ct_centre)
    return [replace(one, probability=first.probability * one.probability) for one in found]


def _looked(network: PoseNetwork, image: NetworkImage, ct_centre: Float64[np.ndarray, "3"]) -> list[PosePrediction]:
    """The poses of all aspects that are likely enough, the likeliest first."""
    with torch.no_grad():
        said = network(torch.from_numpy(image.attenuation)[None], torch.from_numpy(image.mask)[None])
    probability = said.log_probability[0].exp().double().numpy()
    world_from_camera = rigid.inverse(image.camera_from_world)
    found: list[PosePrediction] = []
    for aspect in np.argsort(-probability):
        if found and probability[aspect] < _LEAST_PROBABILITY:
            break
        rotation, placed = (part[0, aspect].double().numpy() for part in (said.rotation, said.centre))
        camera_from_ct = rigid.orthonormalised(rigid.rigid(rotation, placed - rotation @ ct_centre))
        found.append(
            PosePrediction(
                world_from_camera @ camera_from_ct,
                rigid.transform_points(world_from_camera, [placed])[0],
                np.exp(said.log_scale[0, aspect].double().numpy()),
                image.camera_from_world[:3, :3],
                float(probability[aspect]),
                int(aspect),
            )
        )
    return found
