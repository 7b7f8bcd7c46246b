"""The networks by name, and what belongs to each of them: camera, middle pose, form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import nn

from ..xray.errors import InputError
from .compact import CompactFeatures
from .features import Features
from .network_camera import NetworkCamera
from .network_input import network_input
from .pose_estimate import PoseHypotheses
from .pose_head import PoseHead
from .resnet18 import ResNet18Features

FEATURES: Mapping[str, Callable[[int], Features]] = {"compact": CompactFeatures, "resnet18": ResNet18Features}


@dataclass(frozen=True, eq=False)
class NetworkForm:
    """All that a network is besides its weights: kind by name, camera, and the poses it begins from.

    `rotations` (camera_from_ct), one for each aspect, and `depth_mm` are those of the middles of the views it is
    trained on.
    """

    kind: str
    camera: NetworkCamera
    rotations: Float64[np.ndarray, "aspects 3 3"]
    depth_mm: float


class PoseNetwork(nn.Module):
    """Image and mask before the network's camera to a pose for each aspect. InputError for an unknown kind."""

    def __init__(self, form: NetworkForm) -> None:
        super().__init__()
        if form.kind not in FEATURES:
            raise InputError(f"network {form.kind!r}", "is not known", f"Use one of {', '.join(FEATURES)}.")
        self.form = form
        self.features = FEATURES[form.kind](form.camera.size)
        rotations = torch.tensor(np.asarray(form.rotations), dtype=torch.float32)
        self.head = PoseHead(self.features.count, rotations, form.depth_mm, form.camera.field)

    def forward(
        self, attenuation: Float[torch.Tensor, "batch size size"], mask: Bool[torch.Tensor, "batch size size"]
    ) -> PoseHypotheses:
        """Poses of line-integral images, of which `mask` is usable."""
        hypotheses: PoseHypotheses = self.head(self.features(network_input(attenuation, mask)))
        return hypotheses

    def last_maps(
        self, attenuation: Float[torch.Tensor, "batch size size"], mask: Bool[torch.Tensor, "batch size size"]
    ) -> Float[torch.Tensor, "batch c h w"]:
        """The last feature maps, without gradients: where in the images the network looks."""
        with torch.no_grad():
            return self.features.maps(network_input(attenuation, mask))
