"""`robust_correlation.py` on a device: DRRs of several poses against one X-ray, each pose with a mask of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64

from ..robust_correlation import (
    CAUCHY,
    LEAST_GAIN,
    LEAST_SAMPLES,
    LEAST_SCALE,
    MOST_LIKENESS,
    REWEIGHTINGS,
    Comparison,
)
from ..tone import TRIED
from ..views import LEAST_PIXELS, nothing_in_view
from .device_features import DeviceFeatures, FeatureJacobians, Features, GridJacobians, Grids
from .weighted_sums import DRR, ONE, RESIDUAL, WeightedSums, weighted_sums

_POSE, _LINE = slice(0, DRR), slice(DRR, RESIDUAL)


@dataclass(frozen=True, eq=False)
class Comparisons:
    """`Comparison`s of several poses."""

    cost: Float64[torch.Tensor, "poses"]
    gradient: Float64[torch.Tensor, "poses 6"]
    hessian: Float64[torch.Tensor, "poses 6 6"]
    score: Float64[torch.Tensor, "poses"]
    residual: Float64[torch.Tensor, "poses"]
    samples: Float64[torch.Tensor, "poses"]
    agreement: Float64[torch.Tensor, "poses"]

    def on_host(self) -> list[Comparison]:
        """Each of them; waits for the device."""
        columns = [getattr(self, field.name).cpu().numpy() for field in fields(self)]
        return [
            Comparison(float(cost), gradient, hessian, *map(float, rest))
            for cost, gradient, hessian, *rest in zip(*columns, strict=True)
        ]


class DeviceCorrelation:
    """Compares DRRs with one X-ray; tone and scale of the weights come from the DRRs given to `begin` and stay."""

    def __init__(self, xray: Float32[torch.Tensor, "rows columns"], features: DeviceFeatures, fused: bool) -> None:
        self._features, self._fused = features, fused
        self._valid = features.valid
        self._count = self._valid.sum(dim=1)
        poses = len(self._valid)
        values, _ = features(xray.expand(poses, *xray.shape), None)
        self._xray = self._standardised(values)[0] * self._valid
        self._usual = self._median(self._xray.abs()).clamp(min=LEAST_SCALE)
        unexplained = self._logarithms(self._xray)
        self._unexplained = torch.where(unexplained > 0, unexplained, 1.0)
        self._next, self._has_next = _next_valid(self._valid)
        self._flattening = torch.zeros(poses, device=xray.device)
        self._inverse_scale = torch.zeros(poses, dtype=torch.float64, device=xray.device)
        self._identity = torch.tensor([[1.0, 0.0]] * poses, dtype=torch.float64, device=xray.device)
        nothing = nothing_in_view(np.zeros((0, 0), np.float32), np.zeros((6, 0, 0), np.float32))
        self._nothing = [
            torch.tensor(getattr(nothing, field.name), dtype=torch.float64, device=xray.device)
            for field in fields(Comparisons)
        ]

    def begin(self, drr: Grids) -> None:
        """Choose each pose's tone and scale by its DRR."""
        _, inverse_scale = self._line_and_scale(self._moving(drr))
        flattenings = [torch.full_like(self._flattening, s) for s in TRIED]
        costs = torch.stack([self._cost(self._toned(drr, s), inverse_scale) for s in flattenings])
        self._flattening = _lowest(costs)
        _, self._inverse_scale = self._line_and_scale(self._moving(self._toned(drr, self._flattening)))

    def compare(self, drr: Grids, jacobian: GridJacobians) -> Comparisons:
        """Each pose's DRR with the X-ray."""
        moving, J = self._features(*_in_tone(drr, jacobian, self._flattening))
        assert J is not None
        moving, deviation = self._standardised(moving)
        J = J / deviation[:, :, None]
        line = self._line(moving, self._inverse_scale)
        sums = self._sums(moving, J, line, self._inverse_scale)
        count = self._count.double().clamp(min=1)
        gradient, hessian = _normal_equations(sums, line[:, 0], count)
        r = self._residuals(moving, line)
        found = Comparisons(
            0.5 / self._inverse_scale**2 * sums.logarithms / count,
            gradient,
            hessian,
            (self._xray * moving).sum(dim=1, dtype=torch.float64) / count,
            (sums.products[:, RESIDUAL, RESIDUAL].clamp(min=0) / count).sqrt(),
            self._independent_samples(r),
            1 - self._logarithms(r) / self._unexplained,
        )
        # A view that hardly shows the CT says nothing about the pose.
        shows = self._count >= LEAST_PIXELS
        values = [
            torch.where(shows.reshape(-1, *[1] * none.ndim), getattr(found, field.name), none)
            for field, none in zip(fields(found), self._nothing, strict=True)
        ]
        return Comparisons(*values)

    def _toned(self, drr: Grids, flattening: Float32[torch.Tensor, "poses"]) -> Grids:
        return _in_tone(drr, None, flattening)[0]

    def _moving(self, drr: Grids) -> Features:
        return self._standardised(self._features(drr, None)[0])[0]

    def _standardised(self, values: Features) -> tuple[Features, Float32[torch.Tensor, "poses 1"]]:
        """Of mean 0 and deviation 1 where valid, and the deviation before."""
        count = self._count.clamp(min=1)[:, None]
        centred = values - (values * self._valid).sum(dim=1, keepdim=True) / count
        square = (centred**2 * self._valid).sum(dim=1, keepdim=True) / count
        deviation = torch.where(square > 0, square, 1.0).sqrt()
        return centred / deviation, deviation

    def _sums(
        self,
        moving: Features,
        J: FeatureJacobians | None,
        line: Float64[torch.Tensor, "poses 2"],
        inverse_scale: Float64[torch.Tensor, "poses"],
    ) -> WeightedSums:
        return weighted_sums(moving, J, self._xray, self._valid, line, inverse_scale, self._fused)

    def _residuals(self, moving: Features, line: Float64[torch.Tensor, "poses 2"]) -> Features:
        return (self._xray - line.float()[:, :1] * moving - line.float()[:, 1:]) * self._valid

    def _line(
        self, moving: Features, inverse_scale: Float64[torch.Tensor, "poses"]
    ) -> Float64[torch.Tensor, "poses 2"]:
        """Gain and offset of the robust line through (DRR, X-ray): the first of all pixels alike."""
        alike = torch.zeros_like(inverse_scale)
        line = _better_line(self._sums(moving, None, self._identity, alike), self._identity)
        for _ in range(REWEIGHTINGS - 1):
            line = _better_line(self._sums(moving, None, line, inverse_scale), line)
        return line

    def _line_and_scale(
        self, moving: Features
    ) -> tuple[Float64[torch.Tensor, "poses 2"], Float64[torch.Tensor, "poses"]]:
        """The same where the weights' scale is not known yet, and its inverse."""
        line, inverse = self._identity, torch.zeros_like(self._inverse_scale)
        for _ in range(REWEIGHTINGS):
            line = _better_line(self._sums(moving, None, line, inverse), line)
            inverse = 1 / (CAUCHY * self._median(self._residuals(moving, line).abs())).clamp(min=LEAST_SCALE).double()
        return line, inverse

    def _cost(self, drr: Grids, inverse_scale: Float64[torch.Tensor, "poses"]) -> Float64[torch.Tensor, "poses"]:
        moving = self._moving(drr)
        sums = self._sums(moving, None, self._line(moving, inverse_scale), inverse_scale)
        return 0.5 / inverse_scale**2 * sums.logarithms / self._count.double().clamp(min=1)

    def _median(self, values: Features) -> Float32[torch.Tensor, "poses"]:
        """Of the valid ones; `values` are not negative."""
        ordered = torch.where(self._valid > 0, values, torch.inf).sort(dim=1).values
        last = (self._count.long() - 1).clamp(min=0)
        middle = torch.stack([last // 2, (last + 1) // 2], dim=1)
        found = ordered.gather(1, middle).mean(dim=1)
        return torch.where(self._count > 0, found, 0.0)

    def _logarithms(self, residuals: Features) -> Float64[torch.Tensor, "poses"]:
        return torch.log1p((residuals / self._usual[:, None]) ** 2).sum(dim=1, dtype=torch.float64)

    def _independent_samples(self, residuals: Features) -> Float64[torch.Tensor, "poses"]:
        """How many independent values they are worth: neighbours are alike, both ways (AR(1))."""
        power = (residuals**2).sum(dim=1, dtype=torch.float64)
        alike = (residuals * residuals.gather(1, self._next) * self._has_next).sum(dim=1, dtype=torch.float64)
        likeness = torch.where(power > 0, alike / power, 0.0).clamp(0.0, MOST_LIKENESS)
        return (self._count.double() * ((1 - likeness) / (1 + likeness)) ** 2).clamp(min=LEAST_SAMPLES)


def _next_valid(valid: Features) -> tuple[Int64[torch.Tensor, "poses n"], Bool[torch.Tensor, "poses n"]]:
    """The place of the next valid feature after each, and whether there is one."""
    n = valid.shape[1]
    places = torch.where(valid > 0, torch.arange(n, device=valid.device), n)
    from_here = places.flip(1).cummin(dim=1).values.flip(1)
    after = torch.cat([from_here[:, 1:], torch.full_like(from_here[:, :1], n)], dim=1)
    return after.clamp(max=n - 1), after < n


def _in_tone(
    drr: Grids, jacobian: GridJacobians | None, flattening: Float32[torch.Tensor, "poses"]
) -> tuple[Grids, GridJacobians | None]:
    """As `Tone.applied`, a tone for each pose."""
    s = flattening[:, None, None]
    flattens = s > 0
    passed = torch.where(flattens, torch.exp(-s * drr), 1.0)
    toned = torch.where(flattens, (1 - passed) / torch.where(flattens, s, 1.0), drr)
    return toned, None if jacobian is None else jacobian * passed[:, None]


def _lowest(costs: Float64[torch.Tensor, "tried poses"]) -> Float32[torch.Tensor, "poses"]:
    """As `best_tone`: where the parabola through the best and its neighbours is lowest, at an end that itself."""
    tried = torch.tensor(TRIED, dtype=torch.float64, device=costs.device)
    best = costs.argmin(dim=0)
    inner = best.clamp(1, len(TRIED) - 2)
    x0, x1, x2 = (tried[inner + step] for step in (-1, 0, 1))
    y0, y1, y2 = (costs.gather(0, (inner + step)[None])[0] for step in (-1, 0, 1))
    left, right = (y0 - y1) / (x0 - x1), (y2 - y1) / (x2 - x1)
    curvature = (right - left) / (x2 - x0)
    bends = curvature > 0
    bottom = torch.where(bends, 0.5 * (x0 + x1 - left / torch.where(bends, curvature, 1.0)), x1)
    return torch.where(best == inner, bottom, tried[best]).float()


def _better_line(sums: WeightedSums, line: Float64[torch.Tensor, "poses 2"]) -> Float64[torch.Tensor, "poses 2"]:
    """The best line at the weights of these sums, whose residuals are those of `line`."""
    S = sums.products
    gain, offset = line.unbind(dim=1)
    weight = S[:, ONE, ONE].clamp(min=1e-30)
    mean, mean_r = S[:, DRR, ONE] / weight, S[:, RESIDUAL, ONE] / weight
    power = S[:, DRR, DRR] - mean * S[:, DRR, ONE]
    along = S[:, DRR, RESIDUAL] - mean * S[:, RESIDUAL, ONE]
    better = (gain + along / torch.where(power > 0, power, 1.0)).clamp(min=LEAST_GAIN)
    return torch.stack([better, mean_r + offset + (gain - better) * mean], dim=1)


def _normal_equations(
    sums: WeightedSums, gain: Float64[torch.Tensor, "poses"], count: Float64[torch.Tensor, "poses"]
) -> tuple[Float64[torch.Tensor, "poses 6"], Float64[torch.Tensor, "poses 6 6"]]:
    """Gradient and Hessian of the pose alone: what the line explains is taken out (Schur complement), which is the
    variable projection of the processor's."""
    S = sums.products
    power, along, weight = S[:, DRR, DRR], S[:, DRR, ONE], S[:, ONE, ONE]
    # Solved by hand: a call of a solver would wait for the device.
    inverse = torch.stack([weight, -along, -along, power], dim=1).reshape(-1, 2, 2)
    inverse = inverse / (power * weight - along**2).clamp(min=1e-30)[:, None, None]
    shared = S[:, _POSE, _LINE] @ inverse
    hessian = S[:, _POSE, _POSE] - shared @ S[:, _LINE, _POSE]
    slope = S[:, _POSE, RESIDUAL] - (shared @ S[:, _LINE, RESIDUAL, None])[..., 0]
    return -(gain / count)[:, None] * slope, (gain**2 / count)[:, None, None] * hessian
