"""Gauss–Newton's equations of robust correlation, summed up on the device: of a whole image, 6×6 and 6 numbers return.

An X-ray's features T are explained by the DRR's as a·I + b with residuals r and Cauchy weights w = 1/(1 + (r/s)²). One
pass sums w·xᵢ·xⱼ over x = (∂I/∂ξ (6), I, 1, r). What the line a·I + b explains is then taken out of the pose's part
(Schur complement), which is the variable projection of `registration/robust_correlation.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Float64

# Rows of the sums: 6 of the derivative, the DRR, 1, the residual; the cost stands in the next, alone.
_DRR, _ONE, _RESIDUAL, _COST = 6, 7, 8, 9
_ROWS = 16
_PIXELS = 64
# So many sums of their own each image is cut into, whatever its size: the same sums on every device.
_SHARES = 64


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Means over the pixels, as `registration`'s `Comparison` has them; tensors of the device.

    `line` is the gain a and offset b that fit best at these weights.
    """

    cost: Float64[torch.Tensor, "poses"]
    gradient: Float64[torch.Tensor, "poses 6"]
    hessian: Float64[torch.Tensor, "poses 6 6"]
    line: Float64[torch.Tensor, "poses 2"]


def normal_equations(
    drr: Float[torch.Tensor, "poses n"],
    jacobian: Float[torch.Tensor, "poses n 6"],
    xray: Float[torch.Tensor, "n"],
    line: Float[torch.Tensor, "poses 2"],
    scale: float,
) -> NormalEquations:
    """Cost, gradient and Hessian of each pose at the line (a, b) and the weights' scale s; s = ∞ weighs all alike.

    `drr` and `jacobian` are features and their derivative by the pose increment, as the projector leaves them.
    """
    poses, pixels = drr.shape
    columns = jacobian.transpose(1, 2)
    if columns.stride(2) != 1:
        columns = columns.contiguous()
    shares = min(_SHARES, triton.cdiv(pixels, _PIXELS))
    sums = torch.empty((poses, shares, _ROWS, _ROWS), device=drr.device)
    _sum[(poses * shares,)](
        drr.contiguous(),
        columns,
        xray.contiguous(),
        line.to(torch.float32).contiguous(),
        sums,
        pixels,
        columns.stride(0),
        columns.stride(1),
        shares,
        1.0 / scale,
        DRR=_DRR,
        ONE=_ONE,
        RESIDUAL=_RESIDUAL,
        COST=_COST,
        ROWS=_ROWS,
        PIXELS=_PIXELS,
    )
    total = sums.sum(dim=1, dtype=torch.float64) / pixels
    cost = total[:, _COST, _COST] * (0.5 * scale**2 if scale < float("inf") else 0.0)
    explained, pose = slice(_DRR, _RESIDUAL), slice(0, _DRR)
    # Solved by hand: a call of a solver would wait for the device.
    power, along, weight = total[:, _DRR, _DRR], total[:, _DRR, _ONE], total[:, _ONE, _ONE]
    inverse = torch.stack([weight, -along, -along, power], dim=1).reshape(-1, 2, 2)
    inverse = inverse / (power * weight - along**2).clamp(min=1e-30)[:, None, None]
    shared = total[:, pose, explained] @ inverse
    hessian = total[:, pose, pose] - shared @ total[:, explained, pose]
    slope = total[:, pose, _RESIDUAL] - (shared @ total[:, explained, _RESIDUAL, None])[..., 0]
    gain = line[:, 0].to(torch.float64)
    better = line.to(torch.float64) + (inverse @ total[:, explained, _RESIDUAL, None])[..., 0]
    return NormalEquations(cost, -gain[:, None] * slope, gain[:, None, None] ** 2 * hessian, better)


@triton.jit
def _sum(  # type: ignore[no-untyped-def]
    drr,
    jacobian,
    xray,
    line,
    sums,
    pixels,
    pose_stride,
    column_stride,
    shares,
    inverse_scale,
    DRR: tl.constexpr,
    ONE: tl.constexpr,
    RESIDUAL: tl.constexpr,
    COST: tl.constexpr,
    ROWS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """The sums of one share of one pose's pixels."""
    pose = tl.program_id(0) // shares
    share = tl.program_id(0) % shares
    gain = tl.load(line + 2 * pose)
    offset = tl.load(line + 2 * pose + 1)
    image = drr + pose.to(tl.int64) * pixels
    columns = jacobian + pose.to(tl.int64) * pose_stride
    row = tl.arange(0, ROWS)[:, None]
    total = tl.zeros([ROWS, ROWS], dtype=tl.float32)
    cost = tl.zeros([PIXELS], dtype=tl.float32)
    for start in range(share * PIXELS, pixels, shares * PIXELS):
        n = start + tl.arange(0, PIXELS)
        there = n < pixels
        moving = tl.load(image + n, mask=there, other=0.0)
        r = tl.where(there, tl.load(xray + n, mask=there, other=0.0) - gain * moving - offset, 0.0)
        misfit = r * inverse_scale * r * inverse_scale
        weight = tl.where(there, 1.0 / (1.0 + misfit), 0.0)
        cost += tl.log(1.0 + misfit)
        x = tl.load(columns + row * column_stride + n[None, :], mask=(row < DRR) & there[None, :], other=0.0)
        x = tl.where(row == DRR, moving[None, :], x)
        x = tl.where(row == ONE, 1.0, x)
        x = tl.where(row == RESIDUAL, r[None, :], x)
        total += tl.dot(x * weight[None, :], tl.trans(x), input_precision="ieee")
    corner = (row == COST) & (tl.arange(0, ROWS)[None, :] == COST)
    total = tl.where(corner, tl.sum(cost, axis=0), total)
    place = sums + tl.program_id(0).to(tl.int64) * ROWS * ROWS + row * ROWS + tl.arange(0, ROWS)[None, :]
    tl.store(place, total)
