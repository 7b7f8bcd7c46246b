"""Images at the found pose against images at the true one: multiscale NCC on patches, through the projector.

Gopalakrishnan et al., CVPR 2024 (arXiv 2312.06358): mean of NCC over patches and over all of them together, each
patch rendered alone. Where patches lie is drawn from how strongly the network's last maps respond.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64, Int

from ..pose_network.network_camera import NetworkCamera
from ..pose_network.pose_estimate import PoseEstimate
from ..xray.geometry.pixel_grid import all_pixels
from ..xray.projector import Projector
from ..xray.projector.autograd import render

_PATCH, _PATCHES = 11, 12
# Patches flatter than this (line integrals) are air: two of them agree.
_FLAT = 1e-2


class ImageLoss:
    """1 − multiscale NCC between DRRs at estimated and true poses, on patches before `camera`."""

    def __init__(self, projector: Projector, camera: NetworkCamera, binning: int) -> None:
        self._projector, self._camera, self._binning = projector, camera, binning
        self._rays = camera.camera().rays(all_pixels((camera.size, camera.size)))

    def __call__(
        self,
        estimate: PoseEstimate,
        true_poses: Float64[np.ndarray, "batch 4 4"],
        maps: Float[torch.Tensor, "batch c h w"],
        random: np.random.Generator,
    ) -> Float[torch.Tensor, "batch"]:
        """One number an image; `true_poses` are camera_from_ct (mm)."""
        centre = torch.tensor(self._projector.ct.centre).to(estimate.rotation)
        poses = torch.zeros(len(true_poses), 4, 4).to(estimate.rotation)
        poses[:, 3, 3] = 1
        poses[:, :3, :3] = estimate.rotation
        poses[:, :3, 3] = estimate.centre - estimate.rotation @ centre
        looks = maps.detach().float().abs().mean(1)
        found, true = [], []
        for number in range(len(true_poses)):
            rays = self._rays[self._pixels(looks[number].cpu().numpy(), random)]
            sampling = {"binning": self._binning}
            found.append(render(self._projector, rays, poses[number : number + 1], **sampling)[0])
            true.append(torch.from_numpy(self._projector.render(rays, true_poses[number], **sampling)[0]))
        shape = (len(true_poses), _PATCHES, _PATCH**2)
        return 1 - _multiscale_ncc(torch.stack(found).reshape(shape), torch.stack(true).reshape(shape).to(poses))

    def _pixels(self, weight: Float[np.ndarray, "h w"], random: np.random.Generator) -> Int[np.ndarray, "pixels"]:
        """Numbers of the pixels of all patches, one patch after the other."""
        size, reach = self._camera.size, _PATCH // 2
        share = weight.ravel() / weight.sum() if weight.sum() > 0 else np.full(weight.size, 1 / weight.size)
        cells = random.choice(weight.size, size=_PATCHES, p=share / share.sum())
        cell = size / np.array(weight.shape)
        centres = (np.column_stack(np.unravel_index(cells, weight.shape)) + random.uniform(size=(_PATCHES, 2))) * cell
        centres = np.clip(centres.astype(int), reach, size - 1 - reach)
        around = np.arange(-reach, reach + 1)
        rows = centres[:, 0, None, None] + around[:, None]
        columns = centres[:, 1, None, None] + around
        return (rows * size + columns).ravel()


def _multiscale_ncc(
    found: Float[torch.Tensor, "batch patches n"], true: Float[torch.Tensor, "batch patches n"]
) -> Float[torch.Tensor, "batch"]:
    def ncc(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        a, b = a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)
        scale = (a.square().mean(-1) + _FLAT**2).sqrt() * (b.square().mean(-1) + _FLAT**2).sqrt()
        return ((a * b).mean(-1) + _FLAT**2) / scale

    return 0.5 * (ncc(found, true).mean(1) + ncc(found.flatten(1), true.flatten(1)))
