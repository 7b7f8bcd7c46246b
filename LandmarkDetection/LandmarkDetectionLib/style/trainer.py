"""A translation in the making: its images, its steps, and the average that is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from DiffRegistrationLib.training.learning import Learning
from DiffRegistrationLib.training.training_state import TrainingState
from DiffRegistrationLib.training.workers import Workers
from jaxtyping import Float
from torch import nn

from .drr_looks import DrrLooks
from .generator import Generator, GeneratorForm
from .translators import METHODS, CycleGan, Translator
from .validation import StyleValidation, validated
from .xray_folder import XrayLooks

_VALIDATION_IMAGES = 48
_WARM_UP, _BETAS = 0.02, (0.5, 0.999)
# Two networks that work against each other have no gradient that is too long.
_LONGEST_GRADIENT = 1e6


@dataclass(frozen=True)
class StyleRecipe:
    """`method` is one of `METHODS`; images of `size`² pixels, `batch` of each look a step."""

    method: str = "cut"
    size: int = 128
    batch: int = 2
    learning_rate: float = 1e-3
    channels: int = 16
    blocks: int = 4


class StyleTrainer:
    """Learns to translate `xrays` to the look of `drrs`; `state` is where it stands. One process alone."""

    def __init__(
        self,
        xrays: XrayLooks,
        drrs: DrrLooks,
        recipe: StyleRecipe,
        state: TrainingState[StyleValidation],
        *,
        seed: int = 0,
        device: torch.device | None = None,
    ) -> None:
        self.device, self.workers, self.state = device or torch.device("cpu"), Workers(), state
        self._xrays, self._drrs, self._recipe, self._seed = xrays, drrs, recipe, seed
        torch.manual_seed(seed)
        form = GeneratorForm(recipe.channels, recipe.blocks)
        self._learning: Learning[nn.Module] = Learning(
            lambda: METHODS[recipe.method](form).to(self.device),
            lambda networks: {"adam": torch.optim.Adam(networks.parameters(), recipe.learning_rate, _BETAS)},
            state,
            rate=recipe.learning_rate,
            warm_up=_WARM_UP,
            longest_gradient=_LONGEST_GRADIENT,
        )
        random = np.random.default_rng([seed, *b"looks to judge by"])
        # Cuts of the same X-rays as are learnt from: of those that there are, none can be spared.
        shown, mask = xrays.cut(_VALIDATION_IMAGES, recipe.size, random)
        self.judged_by: Float[torch.Tensor, "n 1 size size"] = shown
        self.beside: Float[torch.Tensor, "n 1 size size"] = drrs.behind(mask, random)

    @property
    def networks(self) -> nn.Module:
        """What learns."""
        return self._learning.networks

    @property
    def to_drr(self) -> Generator:
        """What is kept: the running average of the network from X-rays to DRRs."""
        kept = self._learning.averaged.to_drr
        assert isinstance(kept, Generator)
        return kept

    @property
    def to_xray(self) -> Generator | None:
        """The same of the way back, where that is learnt."""
        averaged = self._learning.averaged
        return averaged.to_xray if isinstance(averaged, CycleGan) else None

    @property
    def batch(self) -> int:
        """Images of a step."""
        return self._recipe.batch

    def step(self, networks: nn.Module, part: float) -> float:
        """One step of all networks."""
        random = np.random.default_rng([self._seed, self.state.step])
        xrays, mask = self._xrays.cut(self.batch, self._recipe.size, random)
        # Behind the same shutters, which are no matter of look.
        drrs = self._drrs.behind(mask, random)
        translator: Translator = networks  # type: ignore[assignment]
        loss = translator.loss(xrays.to(self.device), drrs.to(self.device), random)
        self._learning.descend(loss, part)
        return float(loss.detach())

    def validated(self) -> StyleValidation:
        """Figures of what is kept."""
        return validated(self.to_drr, self.judged_by.to(self.device), self.beside.to(self.device))

    def kept(self) -> TrainingState[StyleValidation]:
        """The state to go on from."""
        self._learning.store()
        return self.state
