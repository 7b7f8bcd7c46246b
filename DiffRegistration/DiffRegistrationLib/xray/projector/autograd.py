"""Rendering as one step of a torch graph: the backward pass is gradᵀ J, with J from the same pass as the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from ..geometry import Rays
from .device_projector import DeviceProjector
from .projector import Projector


def render(
    projector: Projector | DeviceProjector, rays: Rays, poses: Float[torch.Tensor, "poses 4 4"], **sampling: Any
) -> Float[torch.Tensor, "poses rays"]:
    """Line integrals, differentiable by rigid `poses` (world_from_ct, RAS mm). `sampling` is passed to the projector.

    The gradient by the matrix is the one along rigid motions, so any parametrisation that keeps poses rigid gets its
    exact gradient by the chain rule. With a `DeviceProjector` nothing leaves its device.
    """
    return _Render.apply(poses, projector, rays, sampling)


class _Render(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        poses: torch.Tensor,
        projector: Projector | DeviceProjector,
        rays: Rays,
        sampling: dict[str, Any],
    ) -> torch.Tensor:
        matrices: Any = poses.detach()
        if isinstance(projector, Projector):
            matrices = np.asarray(matrices.cpu().tolist(), dtype=np.float64)
        if poses.requires_grad:
            image, jacobian = projector.render_with_jacobian(rays, matrices, **sampling)
            context.save_for_backward(poses, torch.as_tensor(jacobian))
            context.centre = (
                projector.centre if isinstance(projector, DeviceProjector) else torch.tensor(projector.ct.centre)
            )
        else:
            image = projector.render(rays, matrices, **sampling)
        return torch.as_tensor(image).to(poses)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        poses, jacobian = context.saved_tensors
        jacobian = jacobian.to(poses)
        twist = torch.einsum("pn,pni->pi", gradients[0], jacobian)
        by_rotation, by_translation = twist[:, :3], twist[:, 3:]
        # The twist turns about the CT's centre, the matrix about the origin: move the rotational part's lever over.
        centre = context.centre.to(poses)
        lever = -(poses[:, :3, :3] @ centre)
        torque = by_rotation - torch.linalg.cross(lever, by_translation)
        # ⟨½[h]× R, [ω]× R⟩ = h·ω, so this is the matrix gradient that agrees with the twist gradient on rotations.
        zero = torch.zeros_like(torque[:, 0])
        x, y, z = torque.unbind(-1)
        skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(-1, 3, 3)
        matrix = torch.zeros_like(poses)
        matrix[:, :3, :3] = 0.5 * skew @ poses[:, :3, :3]
        matrix[:, :3, 3] = by_translation
        return matrix, None, None, None
