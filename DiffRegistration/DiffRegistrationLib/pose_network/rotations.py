"""Rotations in torch: a continuous representation for networks, and the logarithm for their errors."""

from __future__ import annotations

import torch
from jaxtyping import Float


def rotation_from_six(six: Float[torch.Tensor, "batch 6"]) -> Float[torch.Tensor, "batch 3 3"]:
    """Rotation whose first two columns are `six`, orthonormalised; continuous everywhere but on a null set.

    Zhou et al., "On the continuity of rotation representations in neural networks", CVPR 2019.
    """
    first = torch.nn.functional.normalize(six[:, :3], dim=1)
    second = six[:, 3:] - (first * six[:, 3:]).sum(1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=2)


def rotation_vector(rotation: Float[torch.Tensor, "batch 3 3"]) -> Float[torch.Tensor, "batch 3"]:
    """Rotation vectors (rad) of matrices; with finite gradients up to half a turn, which has no direction."""
    antisymmetric = 0.5 * torch.stack(
        [
            rotation[:, 2, 1] - rotation[:, 1, 2],
            rotation[:, 0, 2] - rotation[:, 2, 0],
            rotation[:, 1, 0] - rotation[:, 0, 1],
        ],
        dim=1,
    )
    # The least number keeps the square root's gradient finite at no rotation at all.
    sine = antisymmetric.square().sum(1).add(1e-12).sqrt()
    cosine = 0.5 * (rotation.diagonal(dim1=1, dim2=2).sum(1) - 1)
    return antisymmetric * (torch.atan2(sine, cosine) / sine)[:, None]
