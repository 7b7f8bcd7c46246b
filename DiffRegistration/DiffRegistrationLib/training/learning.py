"""Networks that learn: steps down their loss, and the running average of them that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .training_loop import pace
from .training_state import TrainingState

N = TypeVar("N", bound=nn.Module)

# What is kept averages over about so many steps: one can stop at any time.
_AVERAGED_STEPS = 100


class Learning(Generic[N]):
    """`networks` and their average, which `make` makes, moved by what `optimisers_of` gives for them, by name.

    `rate` is the highest learning rate, reached at the part `warm_up` of the time; gradients longer than
    `longest_gradient` are shortened. `state` is where they stand.
    """

    def __init__(
        self,
        make: Callable[[], N],
        optimisers_of: Callable[[N], Mapping[str, torch.optim.Optimizer]],
        state: TrainingState[Any],
        *,
        rate: float,
        warm_up: float,
        longest_gradient: float,
    ) -> None:
        self.networks, self.averaged = make(), make()
        self.averaged.load_state_dict(self.networks.state_dict())
        self._optimisers = optimisers_of(self.networks)
        self._state, self._rate, self._warm_up, self._longest = state, rate, warm_up, longest_gradient
        if state.step:
            self.networks.load_state_dict(state.weights)
            self.averaged.load_state_dict(state.averaged)
            for name, optimiser in self._optimisers.items():
                optimiser.load_state_dict(state.optimisers[name])

    def descend(self, loss: Float[torch.Tensor, ""], part: float) -> None:
        """One step down this loss, at this part of the time."""
        for optimiser in self._optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = self._rate * pace(part, self._warm_up)
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.networks.parameters(), self._longest)
        for optimiser in self._optimisers.values():
            optimiser.step()
        self._state.step += 1
        self._average()

    def _average(self) -> None:
        step = self._state.step
        keep = min(1 - 1 / _AVERAGED_STEPS, step / (step + 10))
        # All weights in one call: on a GPU each call of its own waits for Python.
        move = get_ema_multi_avg_fn(keep)
        move(list(self.averaged.parameters()), list(self.networks.parameters()), step)

    def store(self) -> None:
        """Into the state, all that changes."""
        self._state.weights = self.networks.state_dict()
        self._state.averaged = self.averaged.state_dict()
        self._state.optimisers = {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()}
