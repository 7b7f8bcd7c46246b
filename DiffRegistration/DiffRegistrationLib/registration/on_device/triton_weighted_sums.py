"""The kernel of `weighted_sums`: one pass over the features, of which 10×16 numbers a share of the image remain."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from jaxtyping import Float32, Float64

from .weighted_sums import DRR, ONE, RESIDUAL, ROWS

# Tensor cores want 16 rows; the logarithms stand in a row of their own, alone.
_PADDED, _LOGARITHMS = 16, 9
_PIXELS = 64
# So many sums of their own each image is cut into, whatever its size: the same sums on every device.
_SHARES = 64


def fused_sums(
    drr: Float32[torch.Tensor, "poses n"],
    jacobian: Float32[torch.Tensor, "poses 6 n"] | None,
    xray: Float32[torch.Tensor, "poses n"],
    valid: Float32[torch.Tensor, "poses n"],
    line: Float64[torch.Tensor, "poses 2"],
    inverse_scale: Float64[torch.Tensor, "poses"],
) -> tuple[Float64[torch.Tensor, "poses 9 9"], Float64[torch.Tensor, "poses"]]:
    """As `weighted_sums`."""
    poses, pixels = drr.shape
    columns = drr if jacobian is None else jacobian
    if columns.stride(-1) != 1:
        columns = columns.contiguous()
    shares = min(_SHARES, triton.cdiv(pixels, _PIXELS))
    sums = torch.empty((poses, shares, _PADDED, _PADDED), device=drr.device)
    _sum[(poses * shares,)](
        drr.contiguous(),
        columns,
        xray.contiguous(),
        valid.contiguous(),
        line.to(torch.float32).contiguous(),
        inverse_scale.to(torch.float32).contiguous(),
        sums,
        pixels,
        columns.stride(0),
        columns.stride(-2),
        shares,
        DERIVATIVE=jacobian is not None,
        DRR=DRR,
        ONE=ONE,
        RESIDUAL=RESIDUAL,
        LOGARITHMS=_LOGARITHMS,
        ROWS=_PADDED,
        PIXELS=_PIXELS,
    )
    total = sums.sum(dim=1, dtype=torch.float64)
    return total[:, :ROWS, :ROWS], total[:, _LOGARITHMS, _LOGARITHMS]


@triton.jit
def _sum(  # type: ignore[no-untyped-def]
    drr,
    jacobian,
    xray,
    valid,
    line,
    inverse_scale,
    sums,
    pixels,
    pose_stride,
    column_stride,
    shares,
    DERIVATIVE: tl.constexpr,
    DRR: tl.constexpr,
    ONE: tl.constexpr,
    RESIDUAL: tl.constexpr,
    LOGARITHMS: tl.constexpr,
    ROWS: tl.constexpr,
    PIXELS: tl.constexpr,
):
    """The sums of one share of one pose's features."""
    pose = tl.program_id(0) // shares
    share = tl.program_id(0) % shares
    gain = tl.load(line + 2 * pose)
    offset = tl.load(line + 2 * pose + 1)
    sharpness = tl.load(inverse_scale + pose)
    image = pose.to(tl.int64) * pixels
    columns = jacobian + pose.to(tl.int64) * pose_stride
    row = tl.arange(0, ROWS)[:, None]
    total = tl.zeros([ROWS, ROWS], dtype=tl.float32)
    logarithms = tl.zeros([PIXELS], dtype=tl.float32)
    for start in range(share * PIXELS, pixels, shares * PIXELS):
        n = start + tl.arange(0, PIXELS)
        there = n < pixels
        counts = tl.load(valid + image + n, mask=there, other=0.0)
        moving = tl.load(drr + image + n, mask=there, other=0.0)
        r = counts * (tl.load(xray + image + n, mask=there, other=0.0) - gain * moving - offset)
        misfit = r * sharpness * r * sharpness
        weight = counts / (1.0 + misfit)
        logarithms += tl.log(1.0 + misfit)
        x = tl.where(row == DRR, moving[None, :], 0.0)
        if DERIVATIVE:
            derivative = tl.load(
                columns + row * column_stride + n[None, :], mask=(row < DRR) & there[None, :], other=0.0
            )
            x = tl.where(row < DRR, derivative, x)
        x = tl.where(row == ONE, 1.0, x)
        x = tl.where(row == RESIDUAL, r[None, :], x)
        total += tl.dot(x * weight[None, :], tl.trans(x), input_precision="ieee")
    corner = (row == LOGARITHMS) & (tl.arange(0, ROWS)[None, :] == LOGARITHMS)
    total = tl.where(corner, tl.sum(logarithms, axis=0), total)
    place = sums + tl.program_id(0).to(tl.int64) * ROWS * ROWS + row * ROWS + tl.arange(0, ROWS)[None, :]
    tl.store(place, total)
