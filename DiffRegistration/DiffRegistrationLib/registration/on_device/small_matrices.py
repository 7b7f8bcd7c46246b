"""Small matrices, many at once, by sums and products alone: a linear algebra library may wait for the device."""

from __future__ import annotations

import torch
from jaxtyping import Float64


def solved(
    A: Float64[torch.Tensor, "batch n n"], b: Float64[torch.Tensor, "batch n"]
) -> Float64[torch.Tensor, "batch n"]:
    """x with A x = b, for positive definite A, which need no pivots."""
    rows = torch.cat([A, b[:, :, None]], dim=2)
    n = A.shape[1]
    one = torch.eye(n, dtype=A.dtype, device=A.device)
    for column in range(n):
        pivot = rows[:, column] / rows[:, column, column, None]
        # Less 1 for its own row, which becomes the pivot.
        rows = rows - (rows[:, :, column] - one[column])[:, :, None] * pivot[:, None]
    return rows[:, :, n]


def rotation_exp(omega: Float64[torch.Tensor, "batch 3"]) -> Float64[torch.Tensor, "batch 3 3"]:
    """Rotation matrices of rotation vectors (rad): Rodrigues' formula, exact near zero as well."""
    square = (omega**2).sum(dim=1)
    small = square < 1e-8
    safe = torch.where(small, 1.0, square)
    angle = safe.sqrt()
    a = torch.where(small, 1 - square / 6, torch.sin(angle) / angle)
    b = torch.where(small, 0.5 - square / 24, (1 - torch.cos(angle)) / safe)
    x, y, z = omega.unbind(dim=1)
    zero = torch.zeros_like(x)
    W = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).reshape(-1, 3, 3)
    a, b = a[:, None, None], b[:, None, None]
    return a * W + b * (W @ W) + torch.diag_embed(torch.ones_like(omega))


def moved_about(
    centres: Float64[torch.Tensor, "batch 3"],
    twists: Float64[torch.Tensor, "batch 6"],
    poses: Float64[torch.Tensor, "batch 4 4"],
) -> Float64[torch.Tensor, "batch 4 4"]:
    """`rigid.move_about` and `rigid.orthonormalised`: poses turned about `centres` (world mm), then moved."""
    turn = rotation_exp(twists[:, :3])
    rotation = turn @ poses[:, :3, :3]
    # Rounding alone has to be undone: one step of Newton's does it.
    rotation = 1.5 * rotation - 0.5 * rotation @ rotation.transpose(1, 2) @ rotation
    lever = (poses[:, :3, 3] - centres)[:, :, None]
    translation = (turn @ lever)[:, :, 0] + centres + twists[:, 3:]
    moved = poses.clone()
    moved[:, :3, :3] = rotation
    moved[:, :3, 3] = translation
    return moved
