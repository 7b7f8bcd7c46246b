"""What of an image is compared: brightness, brightness normalised in a sliding window, or edges.

Each prepares the X-ray once and then turns every DRR and its derivative by the pose increment ξ into the same kind of
feature vector, one value a usable pixel (two for edges). All steps are differentiated exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float32
from scipy import ndimage

# Half-width of the sliding window, in pixels of the level: wide enough for a skull suture to be a feature of its own.
WINDOW_RADIUS = 6
# Windows flatter than this part of the whole image's deviation are noise and fade out.
FLATNESS = 0.1
# Edges are smoothed so much first (pixels), as an average of usable pixels that counts no less than this.
EDGE_SIGMA, LEAST_WEIGHT = 1.0, 1e-3
# Fewer inner pixels are not enough to go by.
_LEAST_INNER = 16

Grid = Float32[np.ndarray, "rows columns"]
GridJacobian = Float32[np.ndarray, "parameters rows columns"]
Features = Float32[np.ndarray, "n"]
FeatureJacobian = Float32[np.ndarray, "parameters n"]
# What gives the features of a DRR with their derivative; and the features of the X-ray, together with it.
Extract = Callable[[Grid, GridJacobian], tuple[Features, FeatureJacobian]]
Extraction = tuple[Features, Extract]


def brightness(xray: Grid, mask: Bool[np.ndarray, "rows columns"]) -> Extraction:
    """The images as they are."""
    return xray[mask], lambda drr, jacobian: (drr[mask], jacobian[:, mask])


def window_of(size: tuple[int, ...]) -> int:
    """Width of the sliding window in images of this size (rows, columns)."""
    return 2 * min(WINDOW_RADIUS, max(1, min(size) // 4)) + 1


def inner_of(mask: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """Where edges are measured: their derivative reaches beyond a pixel, what touches a masked one is left out."""
    inner = ndimage.binary_erosion(mask, iterations=2, border_value=0)
    return inner if inner.sum() >= _LEAST_INNER else mask


def local_contrast(xray: Grid, mask: Bool[np.ndarray, "rows columns"]) -> Extraction:
    """Mean 0 and deviation 1 in a window about each pixel: blind to scatter, beam hardening and slow shading."""
    weight = mask.astype(np.float32)
    window = window_of(mask.shape)

    def box(stack: np.ndarray) -> np.ndarray:
        size = (1,) * (stack.ndim - 2) + (window, window)
        return ndimage.uniform_filter(stack, size=size, mode="constant")

    count = np.maximum(box(weight), 0.5 / window**2)

    def normalised(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        # A constant is taken out first: variances are differences of squares.
        shifted = (image - image[mask].mean()) * weight
        mean = box(shifted) / count
        floor = (FLATNESS * (float(image[mask].std()) or 1.0)) ** 2
        variance = np.maximum(box(shifted**2) / count - mean**2, 0) + floor
        return shifted, mean, variance, (shifted - mean) / np.sqrt(variance)

    def extract(drr: Grid, jacobian: GridJacobian) -> tuple[Features, FeatureJacobian]:
        shifted, mean, variance, unit = normalised(drr)
        J = jacobian * weight
        mean_J = box(J) / count
        slope = box(J * shifted) / count - mean * mean_J
        J = (J - mean_J) / np.sqrt(variance) - unit * slope / variance
        return unit[mask], J[:, mask]

    return normalised(xray)[3][mask], extract


def edges(xray: Grid, mask: Bool[np.ndarray, "rows columns"]) -> Extraction:
    """Horizontal and vertical derivatives of the slightly smoothed image."""
    inner = inner_of(mask)

    def smooth(stack: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(stack, sigma=(0,) * (stack.ndim - 2) + (EDGE_SIGMA,) * 2)

    # Normalised convolution: an average of usable pixels alone, so that the mask draws no edge of its own.
    weight = np.maximum(smooth(mask.astype(np.float32)), np.float32(LEAST_WEIGHT))

    def derivatives(stack: np.ndarray) -> np.ndarray:
        gy, gx = np.gradient(smooth(stack * mask) / weight, axis=(-2, -1))
        return np.concatenate([gx[..., inner], gy[..., inner]], axis=-1)

    return derivatives(xray), lambda drr, jacobian: (derivatives(drr), derivatives(jacobian))
