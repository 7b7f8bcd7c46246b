"""Landmark networks in the making: their views, their loss, their steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from DiffRegistrationLib.training.learning import Learning
from DiffRegistrationLib.training.muon import Muon
from DiffRegistrationLib.training.training_device import autocast
from DiffRegistrationLib.training.training_loop import Budget, Progress, train_within
from DiffRegistrationLib.training.training_state import TrainingState
from DiffRegistrationLib.training.workers import Workers
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float
from torch import nn

from ..network.close_up import aim_at
from ..network.landmark_network import NetworkForm
from ..network.landmark_networks import LandmarkNetworks
from ..network.model_file import TrainedDetector
from ..population.drawn_views import drawn_view
from ..population.view_ranges import ViewRanges
from .aspects import ASPECTS, aspect_of
from .losses import landmark_loss
from .training_heads import TrainingHeads
from .training_views import TrainingViews, projected_places
from .validation import LandmarkValidation, validated

VALIDATION_IMAGES = 192
# Streams of heads and views that never meet: to learn from, and to be judged by.
TO_JUDGE_BY = 1_000_003
_LONGEST_GRADIENT = 10.0
# Until this part of the training looks grow from plain to all that there are.
_PLAIN_UNTIL = 0.3
_WARM_UP = 0.03
# What another network has learnt goes lost at the full rate: after two minutes 62 instead of 64 % within 10 mm.
_BEGUN_RATE = 0.4
_MEAN_OF = 400


@dataclass(frozen=True)
class Recipe:
    """Whole images of `overview`² pixels and close-ups of `size`², `batch` of each a step, whose rate is
    `learning_rate` at most. `plain` ones are as they are rendered: for X-rays that are translated to that look.
    """

    overview: int = 64
    size: int = 96
    batch: int = 32
    learning_rate: float = 2.5e-3
    plain: bool = False


class LandmarkTrainer:
    """A network for `heads` seen in `ranges`; `state` is where it stands, from the beginning or from a file.

    `unseen` are heads to be judged by; `begun_with` is what knows other heads, or other views; `is_begun` tells that a
    training goes on which once began so. Same arguments, same network. ValueError where its networks are of another
    form.
    """

    def __init__(
        self,
        heads: TrainingHeads,
        unseen: TrainingHeads,
        ranges: ViewRanges,
        recipe: Recipe,
        state: TrainingState[LandmarkValidation],
        *,
        begun_with: TrainedDetector | None = None,
        is_begun: bool = False,
        seed: int = 0,
        device: torch.device | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.device, self.workers, self.state = device or torch.device("cpu"), workers or Workers(), state
        self._recipe = recipe
        is_begun = is_begun or begun_with is not None
        rate = recipe.learning_rate * (_BEGUN_RATE if is_begun else 1.0)
        # What knows looks already needs no plain ones first.
        knows_drrs_alone = begun_with is not None and begun_with.knows_drrs_alone
        self._first_ease = 0.0 if is_begun and not knows_drrs_alone else 1.0
        self._part = self.workers.share(recipe.batch)
        torch.manual_seed(seed)
        sizes = recipe.overview, recipe.size
        means = mean_places(heads, ranges)
        count = means[0].shape[1]
        forms = forms_of(recipe, count)
        if begun_with is not None and begun_with.networks.forms != forms:
            raise ValueError(f"networks of forms {begun_with.networks.forms} to begin with, expected {forms}")
        fused = self.device.type in ("cpu", "cuda")

        def optimisers(networks: LandmarkNetworks) -> dict[str, torch.optim.Optimizer]:
            inner = [weights for network in networks.all for weights in network.inner_weights]
            others = [w for w in networks.parameters() if not any(w is weights for weights in inner)]
            return {"muon": Muon(inner, rate), "adam": torch.optim.Adam(others, rate, fused=fused)}

        def begun() -> LandmarkNetworks:
            made = LandmarkNetworks(forms, means)
            if begun_with is not None:
                made.load_state_dict(begun_with.networks.state_dict())
                for network, mean in zip(made.all, means, strict=True):
                    network.expect_where_nothing_was_seen(mean)
            return made.to(self.device)

        self._learning = Learning(
            begun,
            optimisers,
            state,
            rate=rate,
            warm_up=_WARM_UP,
            longest_gradient=_LONGEST_GRADIENT,
        )
        self._views, self._to_judge_by = (
            TrainingViews(of, ranges, sizes, seed=seed + other, device=self.device, plain=recipe.plain)
            for of, other in ((heads, 0), (unseen, TO_JUDGE_BY))
        )
        self._judged_by = self._to_judge_by.exposure(0, VALIDATION_IMAGES)

    @property
    def networks(self) -> LandmarkNetworks:
        """What learns."""
        return self._learning.networks

    @property
    def averaged(self) -> LandmarkNetworks:
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
        save: Callable[[TrainingState[LandmarkValidation]], None] = lambda _: None,
        tell: Callable[[Progress[LandmarkValidation]], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Progress[LandmarkValidation]:
        """As `train_within`."""
        return train_within(self, budget, save=save, tell=tell, stopped=stopped)

    def step(self, networks: nn.Module, part: float) -> float:
        """One step through `networks`, which every process has; the loss of this process's share."""
        ease = self._first_ease * max(0.0, 1 - part / _PLAIN_UNTIL)
        exposure = self._views.exposure(self.state.step, self._recipe.batch, self._part, ease)
        aims = self._views.near_aims(exposure, self.state.step)
        batches = [self._views.whole(exposure), self._views.close_up(exposure, aims)]
        with autocast(self.device, on_processors=True):
            answers = networks([batch.shown for batch in batches])
        loss = torch.stack([landmark_loss(*both) for both in zip(answers, batches, strict=True)]).sum()
        self._learning.descend(loss, part)
        return float(loss.detach())

    def validated(self) -> LandmarkValidation:
        """Errors of the averaged network on heads and views that it never learns from."""
        return validated(self.averaged, self._to_judge_by, self._judged_by)

    def kept(self) -> TrainingState[LandmarkValidation]:
        """The state to go on from."""
        self._learning.store()
        return self.state


def forms_of(recipe: Recipe, landmarks: int) -> tuple[NetworkForm, NetworkForm]:
    """What the two networks of a recipe look at: the second look must be sharp, the first one only find the head."""
    return (
        NetworkForm(recipe.overview, landmarks, ASPECTS, 32, 1),
        NetworkForm(recipe.size, landmarks, ASPECTS, 48, 2),
    )


def mean_places(
    heads: TrainingHeads, ranges: ViewRanges
) -> tuple[Float[torch.Tensor, "aspects n 3"], Float[torch.Tensor, "aspects n 3"]]:
    """Mean places of the first head's landmarks for each aspect, in whole images from `ranges` and in close-ups."""
    head = heads.of_view(0)
    random = np.random.default_rng([*b"mean places"])
    points = np.where(np.isfinite(head.points), head.points, head.middle)
    sums = np.zeros((2, ASPECTS, len(points), 3))
    counts = np.zeros(ASPECTS)
    for _ in range(_MEAN_OF):
        _, pose, field = drawn_view(ranges, head.points[head.known], head.axes, random)
        placed, middle = rigid.transform_points(pose, points), head.middle_at(pose)
        places = projected_places(placed, middle, field)
        aim = aim_at(places, field)
        aspect = aspect_of(head.axes.T @ pose[2, :3])
        sums[0, aspect] += places
        sums[1, aspect] += projected_places(placed @ aim.turn.T, aim.turn @ middle, aim.field)
        counts[aspect] += 1
    first, second = torch.from_numpy(sums / np.maximum(counts, 1)[:, None, None])
    return first, second
