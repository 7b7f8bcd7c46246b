"""The CT as training renders it, rendered where the network learns: images are tensors there from the beginning."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int

from ..xray.geometry import Rays
from ..xray.projector.device_projector import DeviceProjector, has_fused_kernel
from .training_volumes import TrainingVolumes, step_mm


class DeviceTrainingVolumes:
    """`volumes` on `device`: by the fused kernel of GPUs, where there is none by the processor."""

    def __init__(self, volumes: TrainingVolumes, device: torch.device) -> None:
        self._volumes, self._device = volumes, device
        self._projectors: tuple[DeviceProjector, ...] = ()
        if has_fused_kernel(device):
            self._projectors = tuple(DeviceProjector(p.ct, device, p) for p in volumes.projectors)

    def __len__(self) -> int:
        return len(self._volumes)

    def render(
        self, rays: Rays, poses: Float64[np.ndarray, "n 4 4"], energies: Int[np.ndarray, "n"]
    ) -> Float32[torch.Tensor, "n rays"]:
        """As `TrainingVolumes.render`."""
        if not self._projectors:
            return torch.from_numpy(self._volumes.render(rays, poses, energies)).to(self._device)
        images = torch.empty((len(poses), len(rays)), device=self._device)
        for number, projector in enumerate(self._projectors):
            chosen = np.flatnonzero(energies == number)
            if len(chosen):
                # Numbers, not a mask, whose count a GPU would have to tell first.
                places = torch.from_numpy(chosen).to(self._device)
                images[places] = projector.render(rays, poses[chosen], step_mm=step_mm(projector.on_host))
        return images
