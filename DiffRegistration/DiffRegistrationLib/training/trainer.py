"""A pose network in the making: its images, its losses, its steps of Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from ..pose_network.network import NetworkForm
from ..pose_network.network_camera import NetworkCamera
from ..pose_network.pose_estimate import PoseHypotheses, aspect_of
from ..pose_network.pose_networks import PoseNetworks
from ..xray.ct import CT
from ..xray.projector import Projector
from .image_loss import ImageLoss
from .learning import Learning
from .losses import LOSSES, double_geodesic, geodesic, point_distance, stated_error
from .preset import Preset
from .recipe import Recipe
from .training_device import autocast
from .training_images import Batch, TrainingImages
from .training_loop import Budget, Progress, train_within
from .training_state import TrainingState
from .validation import Validation, Validator
from .workers import Workers

VALIDATION_IMAGES = 128
# Streams of images that never meet: to learn from, and to be judged by.
_TO_JUDGE_BY = 1_000_003
_LONGEST_GRADIENT = 20.0
# Points in whose distances a pose is judged: the corners of a box half the size of the CT.
_BOX = 0.5
# Width of close-ups in parts of the CT's box.
_CLOSE_UP_PART = 0.85
# Until this part of the training looks grow from plain to all that there are.
_PLAIN_UNTIL = 0.35


class Trainer:
    """A network for `ct` and `preset` in the making; `state` is where it stands, from the beginning or from a file."""

    def __init__(
        self,
        ct: CT,
        preset: Preset,
        recipe: Recipe,
        state: TrainingState[Validation],
        *,
        seed: int = 0,
        device: torch.device | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.device, self.workers, self.state = device or torch.device("cpu"), workers or Workers(), state
        self._recipe, self._seed = recipe, seed
        self._part = self.workers.share(recipe.batch)
        torch.manual_seed(seed)
        forms = network_forms(ct, preset, recipe)
        fused = self.device.type in ("cpu", "cuda")
        self._learning = Learning(
            lambda: PoseNetworks(*forms).to(self.device),
            lambda networks: {"adam": torch.optim.Adam(networks.parameters(), lr=recipe.learning_rate, fused=fused)},
            state,
            rate=recipe.learning_rate,
            warm_up=recipe.warm_up,
            longest_gradient=_LONGEST_GRADIENT,
        )

        def images(number: int, seed: int) -> TrainingImages:
            form = forms[number]
            assert form is not None
            return TrainingImages(
                ct, form.camera, preset.poses, preset.field, close_up=number == 1, seed=seed, device=self.device
            )

        self._images = [images(number, seed) for number in range(len(self.networks.all))]
        self._points = torch.tensor(ct.corners(_BOX) - ct.centre, dtype=torch.float32, device=self.device)
        to_judge_by = images(0, seed + _TO_JUDGE_BY).batch(0, VALIDATION_IMAGES)
        self._validator = Validator(to_judge_by, self._images[1] if forms[1] else None, self._points)
        projector = Projector(ct)
        self._image_losses = [
            ImageLoss(projector, form.camera, projector.binning_for(form.camera.pixel_angle * form.depth_mm))
            for form in forms
            if form is not None
        ]

    @property
    def networks(self) -> PoseNetworks:
        """What learns."""
        return self._learning.networks

    @property
    def averaged(self) -> PoseNetworks:
        """Its running average: what is kept."""
        return self._learning.averaged

    @property
    def batch(self) -> int:
        """Images of a step."""
        return self._recipe.batch

    def train(
        self,
        budget: Budget,
        *,
        save: Callable[[TrainingState[Validation]], None] = lambda _: None,
        tell: Callable[[Progress[Validation]], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Progress[Validation]:
        """As `train_within`."""
        return train_within(self, budget, save=save, tell=tell, stopped=stopped)

    def step(self, networks: nn.Module, part: float) -> float:
        """One step of Adam through `networks`, which every process has; the loss of this process's share."""
        ease = max(0.0, 1 - part / _PLAIN_UNTIL)
        batches = [i.batch(self.state.step, self._recipe.batch, self._part, ease) for i in self._images]
        with autocast(self.device):
            estimates = networks([(batch.attenuation, batch.mask) for batch in batches])
        loss = torch.stack([self._loss(n, *both) for n, both in enumerate(zip(estimates, batches, strict=True))]).sum()
        self._learning.descend(loss, part)
        return float(loss.detach())

    def _loss(self, number: int, hypotheses: PoseHypotheses, batch: Batch) -> Float[torch.Tensor, ""]:
        """Mean loss of the network of this number: of the pose for the true aspect, and of not choosing that one."""
        weights, truth = LOSSES[self._recipe.loss], batch.truth
        aspect = aspect_of(truth.rotation, self.networks.all[number].head.get_buffer("middles"))
        estimate = hypotheses.of(aspect)
        not_chosen = -hypotheses.log_probability.gather(1, aspect[:, None])[:, 0]
        # Without a weight of its own the stated error is learnt, but does not pull at the pose.
        stated = estimate if weights.stated_error else estimate.detached_pose()
        total = (weights.stated_error or 1.0) * stated_error(stated, truth)
        if weights.point_distance:
            total = total + weights.point_distance * point_distance(estimate, truth, self._points)
        if weights.geodesic:
            total = total + weights.geodesic * geodesic(estimate, truth)
        if weights.double_geodesic:
            total = total + weights.double_geodesic * double_geodesic(estimate, truth)
        if weights.image:
            random = np.random.default_rng([self._seed, self.state.step, 2 + number, self.workers.rank])
            maps = self.networks.all[number].last_maps(batch.attenuation, batch.mask)
            total = total + weights.image * self._image_losses[number](estimate, batch.poses, maps, random)
        return (total + not_chosen).mean()

    def validated(self) -> Validation:
        """Errors of the averaged network on images that it never learns from."""
        return self._validator.validate(self.averaged)

    def kept(self) -> TrainingState[Validation]:
        """The state to go on from."""
        self._learning.store()
        return self.state


def network_forms(ct: CT, preset: Preset, recipe: Recipe) -> tuple[NetworkForm, NetworkForm | None]:
    """What the networks for a CT, a preset and a recipe look through, and where they begin."""
    rotations, depth_mm = preset.poses.aspects, float(preset.poses.middle[2, 3])
    overview = NetworkForm(recipe.network, NetworkCamera(recipe.size, preset.field), rotations, depth_mm)
    if not recipe.close_up:
        return overview, None
    across_mm = _CLOSE_UP_PART * float(np.cbrt(np.prod(ct.size * ct.voxel_size)))
    camera = NetworkCamera(recipe.close_up, min(across_mm / depth_mm, preset.field))
    return overview, NetworkForm(recipe.network, camera, rotations, depth_mm)


def identity_of(ct_fingerprint: str, preset: Preset, recipe: Recipe, seed: int) -> Mapping[str, Any]:
    """What makes two trainings the same."""
    return {"ct": ct_fingerprint, "preset": dict(preset.content), "recipe": asdict(recipe), "seed": seed}
