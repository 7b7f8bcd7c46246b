"""The fallback for any device that torch knows: the same samples as the CPU kernel, by plain tensor operations."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64

from .casting import Casting, Integrals, Kernel
from .volume import ProjectionVolume

# Samples in flight at once: bounds memory to some hundred MB whatever the image.
_CHUNK = 2_000_000


def torch_kernel(device: str = "cpu") -> Kernel:
    """A kernel for `Projector` that runs on `device`; keeps each CT level there."""
    on_device: dict[int, tuple[ProjectionVolume, torch.Tensor]] = {}

    def integrate(casting: Casting, wants_jacobian: bool) -> Integrals:
        volume = casting.volume
        if id(volume) not in on_device:
            on_device[id(volume)] = (volume, torch.tensor(volume.counts.astype(np.int32), device=device))
        _, counts = on_device[id(volume)]
        results = [
            _integrate_pose(counts, casting, matrix, centre, wants_jacobian)
            for matrix, centre in zip(casting.voxel_from_world, casting.centres, strict=True)
        ]
        image = np.stack([image for image, _ in results]).astype(casting.dtype)
        return image, np.stack([J for _, J in results]).astype(casting.dtype) if wants_jacobian else None

    return integrate


def _integrate_pose(
    counts: torch.Tensor,
    casting: Casting,
    voxel_from_world: Float64[np.ndarray, "3 4"],
    centre: Float64[np.ndarray, "3"],
    wants_jacobian: bool,
) -> tuple[Float64[np.ndarray, "rays"], Float64[np.ndarray, "rays 6"]]:
    volume, rays, samples = casting.volume, casting.rays, casting.samples
    real = torch.float64 if casting.dtype is np.float64 else torch.float32
    # Ray set-up is cheap and wants float64, which not every device has: numpy does it.
    A = voxel_from_world[:, :3]
    way = rays.target - rays.source
    length = np.linalg.norm(way, axis=1)
    origin = rays.source @ A.T + voxel_from_world[:, 3]
    direction = way @ A.T
    with np.errstate(divide="ignore", invalid="ignore"):
        ta, tb = (volume.lower - origin) / direction, (volume.upper - origin) / direction
    # A ray along a slab meets its planes nowhere: it lies between them or it misses.
    inside = (origin >= volume.lower) & (origin <= volume.upper)
    parallel = np.abs(direction) < 1e-12
    enter = np.where(parallel, np.where(inside, 0.0, 1.0), np.minimum(ta, tb)).max(axis=1).clip(0, 1)
    leave = np.where(parallel, np.where(inside, 1.0, 0.0), np.maximum(ta, tb)).min(axis=1).clip(0, 1)
    span = np.maximum(leave - enter, 0)
    count = np.full(len(rays), samples) if samples > 0 else np.ceil(span * length / casting.step_mm).astype(int)
    count = np.where(span > 0, np.maximum(count, 1), 0)

    dt = span / np.maximum(count, 1)
    first = enter + 0.5 * dt
    image = np.zeros(len(rays))
    g0, g1 = np.zeros((len(rays), 3)), np.zeros((len(rays), 3))
    # Rays of like length share a chunk, so that little is computed for nothing.
    order = np.argsort(count)
    order = order[count[order] > 0]
    while len(order):
        most = int(count[order[-1]])
        chosen, order = order[-max(1, _CHUNK // most) :], order[: -max(1, _CHUNK // most)]
        begin = origin[chosen] + first[chosen, None] * direction[chosen]
        step = dt[chosen, None] * direction[chosen]
        sums = _sums(counts, begin, step, count[chosen], real)
        weight = (dt * length)[chosen] * volume.unit
        image[chosen] = sums[:, 0] * weight
        if wants_jacobian:
            zeroth, first_moment = sums[:, 1:4] * weight[:, None], sums[:, 4:7] * weight[:, None]
            g0[chosen] = zeroth @ A
            g1[chosen] = (first[chosen, None] * zeroth + dt[chosen, None] * first_moment) @ A
    rotation = -(np.cross(rays.source - centre, g0) + np.cross(way, g1))
    return image, np.concatenate([rotation, -g0], axis=1)


def _sums(
    counts: torch.Tensor,
    begin: Float64[np.ndarray, "n 3"],
    step: Float64[np.ndarray, "n 3"],
    count: np.ndarray,
    real: torch.dtype,
) -> Float64[np.ndarray, "n 7"]:
    """Per ray: Σ counts, Σ ∇counts (3) and Σ n·∇counts (3) over its samples n."""
    device = counts.device
    n = torch.arange(int(count.max()), device=device, dtype=real)
    points = (
        torch.tensor(begin, device=device, dtype=real)[:, None]
        + n[None, :, None] * torch.tensor(step, device=device, dtype=real)[:, None]
    )
    limits = torch.tensor(count, device=device)[:, None]
    live = (n[None] < limits).to(real)
    # Samples past a ray's end may lie outside; they weigh nothing, but must not be read from there.
    sizes = torch.tensor([s - 1.001 for s in reversed(counts.shape)], device=device, dtype=real)
    points = torch.minimum(points.clamp(min=0), sizes)
    base = points.floor()
    fx, fy, fz = (points - base).unbind(-1)
    i, j, k = base.long().unbind(-1)
    stride_y, stride_z = counts.shape[2], counts.shape[1] * counts.shape[2]
    flat, o = counts.reshape(-1), k * stride_z + j * stride_y + i

    def along_x(offset: int) -> tuple[torch.Tensor, torch.Tensor]:
        here, there = flat[o + offset].to(real), flat[o + offset + 1].to(real)
        return here + fx * (there - here), there - here

    c00, x00 = along_x(0)
    c01, x01 = along_x(stride_y)
    c10, x10 = along_x(stride_z)
    c11, x11 = along_x(stride_z + stride_y)
    low, high = c00 + fy * (c01 - c00), c10 + fy * (c11 - c10)
    slope_z = high - low
    slope_y = (c01 - c00) + fz * ((c11 - c10) - (c01 - c00))
    x_low, x_high = x00 + fy * (x01 - x00), x10 + fy * (x11 - x10)
    slope_x = x_low + fz * (x_high - x_low)
    terms = [low + fz * slope_z, slope_x, slope_y, slope_z, n * slope_x, n * slope_y, n * slope_z]
    sums = torch.stack([(term * live).sum(dim=1) for term in terms], dim=1)
    return sums.cpu().double().numpy()
