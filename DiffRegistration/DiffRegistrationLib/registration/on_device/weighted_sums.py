"""The sums that robust correlation needs of a whole image, by tensor operations or, on GPUs, by one kernel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64

# Rows of the sums: 6 of the derivative, the DRR, 1, the residual.
DRR, ONE, RESIDUAL, ROWS = 6, 7, 8, 9


@dataclass(frozen=True, eq=False)
class WeightedSums:
    """Over all valid features: `products` Σ w xᵢ xⱼ of x = (∂I/∂ξ (6), I, 1, r), and `logarithms` Σ ln(1 + (r/s)²)."""

    products: Float64[torch.Tensor, "poses 9 9"]
    logarithms: Float64[torch.Tensor, "poses"]


def weighted_sums(
    drr: Float32[torch.Tensor, "poses n"],
    jacobian: Float32[torch.Tensor, "poses 6 n"] | None,
    xray: Float32[torch.Tensor, "poses n"],
    valid: Float32[torch.Tensor, "poses n"],
    line: Float64[torch.Tensor, "poses 2"],
    inverse_scale: Float64[torch.Tensor, "poses"],
    fused: bool,
) -> WeightedSums:
    """Residuals r = T − a·I − b are those of the line (a, b), Cauchy's weights w = 1/(1 + (r/s)²).

    1/s = 0 weighs all alike; without a derivative its rows are 0. `fused` takes the kernel.
    """
    if fused:
        from .triton_weighted_sums import fused_sums

        return WeightedSums(*fused_sums(drr, jacobian, xray, valid, line, inverse_scale))
    gain, offset = line.float()[:, :1], line.float()[:, 1:]
    r = (xray - gain * drr - offset) * valid
    misfit = (r * inverse_scale.float()[:, None]) ** 2
    weight = valid / (1 + misfit)
    rows = torch.stack([drr, torch.ones_like(drr), r], dim=1)
    if jacobian is not None:
        rows = torch.cat([jacobian, rows], dim=1)
    products = ((rows * weight[:, None]) @ rows.transpose(1, 2)).double()
    if jacobian is None:
        products = torch.nn.functional.pad(products, (DRR, 0, DRR, 0))
    return WeightedSums(products, torch.log1p(misfit).sum(dim=1, dtype=torch.float64))
