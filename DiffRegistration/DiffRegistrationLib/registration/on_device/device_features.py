"""`image_features.py` on a device, for several masks of one X-ray at once.

All that these features do beyond single pixels is linear along rows and along columns: two products of matrices, which
are made of the same filters as on the processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float32
from scipy import ndimage

from ..image_features import EDGE_SIGMA, FLATNESS, LEAST_WEIGHT, inner_of, window_of

Grids = Float32[torch.Tensor, "poses rows columns"]
GridJacobians = Float32[torch.Tensor, "poses 6 rows columns"]
Features = Float32[torch.Tensor, "poses n"]
FeatureJacobians = Float32[torch.Tensor, "poses 6 n"]
Masks = Bool[np.ndarray, "poses rows columns"]


class DeviceFeatures(Protocol):
    """Features of DRRs, one mask a pose; `valid` (0 or 1) says which of them are any."""

    valid: Features

    def __call__(self, drr: Grids, jacobian: GridJacobians | None) -> tuple[Features, FeatureJacobians | None]: ...


class Brightness:
    """The images as they are."""

    def __init__(self, masks: Masks, device: torch.device) -> None:
        self.valid = _on(device, masks).flatten(1)

    def __call__(self, drr: Grids, jacobian: GridJacobians | None) -> tuple[Features, FeatureJacobians | None]:
        return drr.flatten(1), None if jacobian is None else jacobian.flatten(2)


class LocalContrast:
    """Mean 0 and deviation 1 in a window about each pixel."""

    def __init__(self, masks: Masks, device: torch.device) -> None:
        size = masks.shape[1:]
        window = window_of(size)
        self._box = _Separable(
            lambda line: ndimage.uniform_filter1d(line, window, axis=0, mode="constant"), size, device
        )
        self._weight = _on(device, masks)
        self._count = self._box(self._weight).clamp(min=0.5 / window**2)
        self.valid = self._weight.flatten(1)
        self._pixels = self.valid.sum(dim=1).clamp(min=1)[:, None, None]

    def __call__(self, drr: Grids, jacobian: GridJacobians | None) -> tuple[Features, FeatureJacobians | None]:
        weight, count = self._weight, self._count
        middle = (drr * weight).sum(dim=(1, 2), keepdim=True) / self._pixels
        # A constant is taken out first: variances are differences of squares.
        shifted = (drr - middle) * weight
        square = (shifted**2).sum(dim=(1, 2), keepdim=True) / self._pixels
        floor = FLATNESS**2 * torch.where(square > 0, square, 1.0)
        mean = self._box(shifted) / count
        variance = (self._box(shifted**2) / count - mean**2).clamp(min=0) + floor
        deviation = variance.sqrt()
        unit = (shifted - mean) / deviation
        if jacobian is None:
            return unit.flatten(1), None
        J = jacobian * weight[:, None]
        mean_J = self._box(J) / count[:, None]
        slope = self._box(J * shifted[:, None]) / count[:, None] - mean[:, None] * mean_J
        J = (J - mean_J) / deviation[:, None] - (unit / variance)[:, None] * slope
        return unit.flatten(1), J.flatten(2)


class Edges:
    """Horizontal and vertical derivatives of the slightly smoothed image."""

    def __init__(self, masks: Masks, device: torch.device) -> None:
        size = masks.shape[1:]
        self._smooth = _Separable(lambda line: ndimage.gaussian_filter1d(line, EDGE_SIGMA, axis=0), size, device)
        self._slope = _Separable(lambda line: np.gradient(line, axis=0), size, device)
        self._weight = _on(device, masks)
        self._smooth_weight = self._smooth(self._weight).clamp(min=LEAST_WEIGHT)
        inner = _on(device, np.stack([inner_of(mask) for mask in masks])).flatten(1)
        self.valid = torch.cat([inner, inner], dim=1)

    def __call__(self, drr: Grids, jacobian: GridJacobians | None) -> tuple[Features, FeatureJacobians | None]:
        features = self._derivatives(drr, self._weight, self._smooth_weight)
        if jacobian is None:
            return features, None
        return features, self._derivatives(jacobian, self._weight[:, None], self._smooth_weight[:, None])

    def _derivatives(self, stack: torch.Tensor, weight: torch.Tensor, smooth_weight: torch.Tensor) -> torch.Tensor:
        smooth = self._smooth(stack * weight) / smooth_weight
        return torch.cat([self._slope.along_rows(smooth).flatten(-2), self._slope.down(smooth).flatten(-2)], dim=-1)


# By the names of similarities.
DEVICE_FEATURES: dict[str, Callable[[Masks, torch.device], DeviceFeatures]] = {
    "local-ncc": LocalContrast,
    "global-ncc": Brightness,
    "gradient-ncc": Edges,
}


class _Separable:
    """A linear filter that works along columns and rows alike, given by what it does down the columns of a matrix."""

    def __init__(
        self, filtered: Callable[[np.ndarray], np.ndarray], size: tuple[int, ...], device: torch.device
    ) -> None:
        rows, columns = (torch.tensor(filtered(np.eye(n)), dtype=torch.float32, device=device) for n in size)
        self._rows, self._columns = rows, columns.T.contiguous()

    def __call__(self, stack: torch.Tensor) -> torch.Tensor:
        return self.along_rows(self.down(stack))

    def down(self, stack: torch.Tensor) -> torch.Tensor:
        """Along each column alone."""
        return self._rows @ stack

    def along_rows(self, stack: torch.Tensor) -> torch.Tensor:
        """Along each row alone."""
        return stack @ self._columns


def _on(device: torch.device, masks: Masks) -> Grids:
    return torch.from_numpy(masks.astype(np.float32)).to(device)
