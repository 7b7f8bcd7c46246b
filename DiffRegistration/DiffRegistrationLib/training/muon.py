"""Steps along orthogonal matrices: every direction of a layer's weights learns at the same pace.

Muon (Jordan et al., 2024), in the scale of Adam's steps (Liu et al., arXiv 2502.16982). With it landmark networks get
as far in three minutes as with Adam in eight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float

from .training_device import multiplies_bfloat16

# Five rounds of this polynomial bring all singular values near one.
_ROUNDS, _A, _B, _C = 5, 3.4445, -4.7750, 2.0315
_LIKE_ADAM = 0.2
_MOMENTUM = 0.95
# Matrices so many times as long as short are worth their square.
_LONG = 2


class Muon(torch.optim.Optimizer):
    """For weights of convolutions and of layers between others; what lies at a network's ends is for Adam."""

    def __init__(self, weights: Iterable[torch.nn.Parameter], rate: float) -> None:
        super().__init__(weights, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step."""
        for group in self.param_groups:
            ahead: dict[tuple[int, ...], list[tuple[torch.Tensor, torch.Tensor]]] = {}
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                momentum = self.state[weights].setdefault("momentum", torch.zeros_like(weights))
                momentum.lerp_(weights.grad, 1 - _MOMENTUM)
                looked_ahead = weights.grad.lerp(momentum, _MOMENTUM).flatten(1)
                ahead.setdefault(tuple(looked_ahead.shape), []).append((weights, looked_ahead))
            # Matrices of one shape together: small ones take longer to call for than to compute.
            for shape, alike in ahead.items():
                scale = _LIKE_ADAM * max(shape) ** 0.5
                for (weights, _), step in zip(alike, orthogonal(torch.stack([m for _, m in alike])), strict=True):
                    weights.add_(step.reshape(weights.shape), alpha=-group["lr"] * scale)


def orthogonal(matrices: Float[torch.Tensor, "count rows columns"]) -> Float[torch.Tensor, "count rows columns"]:
    """The matrices with singular values near one, by Newton–Schulz iteration, in half precision where that is fast."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    if multiplies_bfloat16(x.device):
        x = _round_by_round(x.bfloat16())
    else:
        x = _by_square(x) if x.shape[2] > _LONG * x.shape[1] else _round_by_round(x)
    return (x.mT if is_tall else x).to(matrices.dtype)


def _round_by_round(x: Float[torch.Tensor, "count short long"]) -> Float[torch.Tensor, "count short long"]:
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=_B, alpha=_C), x, beta=_A)
    return x


def _by_square(x: Float[torch.Tensor, "count short long"]) -> Float[torch.Tensor, "count short long"]:
    """The same with half the work: every round multiplies x by a polynomial of x xᵀ, and all of these commute, so that
    the rounds are taken with short matrices alone.
    """
    square = x @ x.mT
    factor = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).expand_as(square)
    for _ in range(_ROUNDS):
        step = torch.baddbmm(square, square, square, beta=_B, alpha=_C)
        step.diagonal(dim1=1, dim2=2).add_(_A)
        factor = step @ factor
        square = step @ square @ step
    return factor @ x
