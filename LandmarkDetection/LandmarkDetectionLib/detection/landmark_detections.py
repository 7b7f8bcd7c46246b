"""Landmarks as they were found in one X-ray."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

_LIKELY = 0.5


@dataclass(frozen=True, eq=False)
class LandmarkDetections:
    """Landmarks of one X-ray; those that the network's heads do not have are NaN.

    `pixels` are (u, v) of the image, also beyond its edges, with `pixel_covariance` (px²). `camera_points` are in the
    camera's frame (mm), with `camera_covariance` (mm²): how far along the beam the head lies follows from how large
    heads are, and is in the covariance. `visibility` is the probability of lying in the usable part of the image.
    `network_pixels` and `network_covariance` are the pixels before the shape of heads brought them together: their
    errors are each landmark's own. `mm_per_pixel` is a pixel's width at the head. `misfit` says how far, in standard
    deviations, the places are from any head's; `is_sure` whether this is a head as the network
    knows them, `words` why not. `is_registered` tells that places are the CT's, which was registered, and not the
    network's; `is_fitted` that they are those of a template head that was laid over the X-ray. `depth_told_mm` is how
    far the head's middle is from the source where that was told, and not found. `less_likely` is what
    else the network holds possible, where that was asked for: what it finds in the mirror image, where that is
    another place, and the head seen from other sides, where it is unsure from which; the likelier first.
    """

    names: tuple[str, ...]
    pixels: Float64[np.ndarray, "n 2"]
    pixel_covariance: Float64[np.ndarray, "n 2 2"]
    camera_points: Float64[np.ndarray, "n 3"]
    camera_covariance: Float64[np.ndarray, "n 3 3"]
    visibility: Float64[np.ndarray, "n"]
    is_in_image: Bool[np.ndarray, "n"]
    network_pixels: Float64[np.ndarray, "n 2"]
    network_covariance: Float64[np.ndarray, "n 2 2"]
    mm_per_pixel: float
    misfit: float
    is_sure: bool
    words: str
    is_registered: bool = False
    is_fitted: bool = False
    depth_told_mm: float | None = None
    less_likely: tuple[LandmarkDetections, ...] = ()

    @property
    def is_shown(self) -> Bool[np.ndarray, "n"]:
        """Whether each lies in the usable part of the image, and more likely than not is not covered there."""
        return self.is_in_image & (self.visibility >= _LIKELY)

    @property
    def uncertainty_mm(self) -> Float64[np.ndarray, "n"]:
        """Standard deviation along each axis of the image, at the head (mm)."""
        return self.mm_per_pixel * np.sqrt(np.trace(self.pixel_covariance, axis1=1, axis2=2) / 2)
