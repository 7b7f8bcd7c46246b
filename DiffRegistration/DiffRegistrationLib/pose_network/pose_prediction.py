"""A patient's networks asked about an X-ray: the pose in the world, and how sure of it they are."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class PosePrediction:
    """`pose` is world_from_ct (RAS mm) of a CT whose centre lies at `centre` (world mm).

    `scale` are the errors to be expected: of the rotation about the camera's x, y and z axes (rad), of the centre
    along them (mm). `axes` has these axes as rows, in the world.
    """

    pose: Float64[np.ndarray, "4 4"]
    centre: Float64[np.ndarray, "3"]
    scale: Float64[np.ndarray, "6"]
    axes: Float64[np.ndarray, "3 3"]

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


def predict(networks: PoseNetworks, radiograph: Radiograph, ct_centre: Float64[np.ndarray, "3"]) -> PosePrediction:
    """Where `networks` see their CT, of which `ct_centre` is the centre (mm, the CT's frame).

    InputError for a camera that the networks cannot be brought before.
    """
    beam = networks.overview.form.camera.image_of(radiograph)
    found = _looked(networks.overview, beam, ct_centre)
    if networks.close_up is None:
        return found
    for _ in range(_CLOSE_LOOKS):
        turn = turn_toward(beam.camera_from_world @ found.pose, ct_centre)
        try:
            image = networks.close_up.form.camera.image_of(radiograph, turn)
        except InputError:
            # The X-ray shows too little of where the CT was seen: the first look is all there is.
            break
        found = _looked(networks.close_up, image, ct_centre)
    return found


def _looked(network: PoseNetwork, image: NetworkImage, ct_centre: Float64[np.ndarray, "3"]) -> PosePrediction:
    with torch.no_grad():
        estimate = network(torch.from_numpy(image.attenuation)[None], torch.from_numpy(image.mask)[None])
    rotation, placed = (part[0].double().numpy() for part in (estimate.rotation, estimate.centre))
    world_from_camera = rigid.inverse(image.camera_from_world)
    camera_from_ct = rigid.orthonormalised(rigid.rigid(rotation, placed - rotation @ ct_centre))
    return PosePrediction(
        world_from_camera @ camera_from_ct,
        rigid.transform_points(world_from_camera, [placed])[0],
        np.exp(estimate.log_scale[0].double().numpy()),
        image.camera_from_world[:3, :3],
    )
