"""xvr's iterative pose refinement: Adam on multiscale and gradient NCC, from coarse to fine, until plateaus.

Gopalakrishnan et al., "Rapid patient-specific neural networks for intraoperative X-ray to volume registration" (arXiv
2503.16309), with the settings of github.com/eigenvivek/xvr: src/xvr/register/base.py in the version that runs on
nanodrr, and experiments/scripts/deepfluoro/register/finetuned.sh for what the paper's runs set otherwise. Its pose
network is left out: it only makes the start, and here every method has the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from nanodrr.metrics import GradientNormalizedCrossCorrelation2d, MultiscaleNormalizedCrossCorrelation2d
from nanodrr.registration import Registration

from ...xray.ct import CT
from ...xray.radiograph import Radiograph
from .field_of_view import cropped_to_field
from .image_preparation import image_tensor, normalised, one_flat_view, resized, size_of_area
from .nanodrr_renderer import NanodrrRenderer, camera_in_ct, ct_in_world, nanodrr_subject
from .peer_result import PeerResult


@dataclass(frozen=True)
class XvrSettings:
    """xvr's settings for DeepFluoro; where each stands is said in brackets (files of the authors' repository)."""

    image_sides: tuple[int, ...] = (64, 128, 256)
    """Pyramid: 1536 pixels over --scales 24 12 6 [finetuned.sh]; other shapes get as many pixels."""
    iterations: int = 500
    """At most, at each scale [--n-itrs in finetuned.sh, the default too]."""
    patience: int = 10
    """Steps without improvement before both rates fall [finetuned.sh; the default is 5]."""
    threshold: float = 1e-4
    """Relative gain that is an improvement [base.py]."""
    rate_factor: float = 0.1
    """Both rates fall by this on a plateau [base.py]."""
    most_plateaus: int = 2
    """The scale ends when the rates have fallen so often [base.py]; the last pose is kept, not the best."""
    rotation_rate: float = 1e-2
    """Adam's first step for rotation, rad [base.py]; halved with every scale."""
    translation_rate: float = 1.0
    """Adam's first step for translation, mm [base.py]; halved with every scale."""
    mncc_patch: int = 9
    """Patches of the multiscale NCC beside the whole image, weights 0.5 and 0.5 [losses/gmncc.py]."""
    gradient_patch: int = 11
    """Patches of the gradient NCC [losses/gmncc.py]."""
    gradient_sigma: float = 0.0
    """Blur before the gradient, px [losses/gmncc.py]."""
    beta: float = 0.5
    """Weight of the multiscale NCC; the gradient NCC has the rest [losses/gmncc.py]."""
    mean: float = 0.15
    """Of images scaled to [0, 1] [`XrayTransforms` in utils/preprocess.py]."""
    deviation: float = 0.1
    """Of the same [`XrayTransforms` in utils/preprocess.py]."""
    samples: int = 500
    """Along each ray: nanodrr's default, which xvr leaves [base.py]."""


def register_by_xvr(
    ct: CT,
    radiographs: Sequence[Radiograph],
    start: Float64[np.ndarray, "4 4"],
    settings: XvrSettings = XvrSettings(),
) -> PeerResult:
    """xvr's pose of the CT in one X-ray, from `start` (world_from_ct). InputError for several views.

    nanodrr's own `Registration` holds the pose: a rotation vector and a translation about the CT's centre. Our images
    are line integrals, so xvr's `linearize`, which makes something like them from grey values, has nothing to do.
    """
    radiograph, _ = one_flat_view(radiographs, "xvr")
    subject = nanodrr_subject(ct)
    began = time.perf_counter()
    radiograph, camera = one_flat_view([cropped_to_field(radiograph)], "xvr")
    image = normalised(image_tensor(radiograph.attenuation), settings.mean, settings.deviation)
    with torch.random.fork_rng():
        # It starts within 1e-8 of zero, at random.
        torch.manual_seed(0)
        whole = NanodrrRenderer(subject, camera, settings.samples)
        pose = Registration(
            subject,
            camera_in_ct(camera, start),
            whole.inverse_intrinsic,
            whole.source_detector_distance,
            *camera.size,
        )
    similarity = _Similarity(settings)
    losses: list[float] = []
    for stage, size in enumerate(dict.fromkeys(size_of_area(camera.size, side) for side in settings.image_sides)):
        renderer = NanodrrRenderer(subject, camera.resampled(size), settings.samples, torch.get_num_threads())
        losses += _refine(pose, renderer, resized(image, size), similarity, settings, stage)
    found = ct_in_world(camera, pose.pose)
    return PeerResult(found, time.perf_counter() - began, len(losses), tuple(losses))


class _Similarity(torch.nn.Module):
    def __init__(self, settings: XvrSettings) -> None:
        super().__init__()
        self._multiscale = MultiscaleNormalizedCrossCorrelation2d([None, settings.mncc_patch], [0.5, 0.5])
        self._gradient = GradientNormalizedCrossCorrelation2d(settings.gradient_patch, settings.gradient_sigma)
        self._beta = settings.beta

    def forward(
        self, fixed: Float[torch.Tensor, "1 1 rows columns"], moving: Float[torch.Tensor, "1 1 rows columns"]
    ) -> Float[torch.Tensor, "1"]:
        return self._beta * self._multiscale(fixed, moving) + (1 - self._beta) * self._gradient(fixed, moving)


def _refine(
    pose: Registration,
    renderer: NanodrrRenderer,
    fixed: Float[torch.Tensor, "1 1 rows columns"],
    similarity: _Similarity,
    settings: XvrSettings,
    stage: int,
) -> list[float]:
    """One scale of the pyramid; the similarity at the start of each step."""
    optimiser = torch.optim.Adam(
        [
            {"params": [pose._rot], "lr": settings.rotation_rate / 2**stage},
            {"params": [pose._xyz], "lr": settings.translation_rate / 2**stage},
        ],
        maximize=True,
    )
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, "max", settings.rate_factor, settings.patience, settings.threshold
    )
    lowest = min(schedule.get_last_lr())
    losses, plateaus = [], 0
    for _ in range(settings.iterations):
        optimiser.zero_grad()
        moving = normalised(renderer.render(pose.pose), settings.mean, settings.deviation)
        loss = similarity(fixed, moving)
        loss.backward()
        optimiser.step()
        schedule.step(loss.detach())
        losses.append(loss.item())
        rate = min(schedule.get_last_lr())
        if rate < lowest:
            lowest, plateaus = rate, plateaus + 1
        if plateaus >= settings.most_plateaus:
            break
    return losses
