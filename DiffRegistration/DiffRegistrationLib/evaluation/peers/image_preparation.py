"""What both recipes do to an image before they compare it, and which images they can take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32

from ...xray.errors import InputError
from ...xray.geometry import PinholeCamera
from ...xray.radiograph import Radiograph


def one_flat_view(radiographs: Sequence[Radiograph], peer: str) -> tuple[Radiograph, PinholeCamera]:
    """The only X-ray and its camera; InputError for several views or a camera that is no pinhole."""
    if len(radiographs) != 1:
        raise InputError(peer, f"registers one X-ray at a time, got {len(radiographs)}", "Give it single views.")
    camera = radiographs[0].camera
    if not isinstance(camera, PinholeCamera):
        raise InputError(peer, "knows only point sources and flat detectors", "Leave scanner localizers to ours.")
    return radiographs[0], camera


def size_of_area(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(rows, columns) with the shape of `size` and about side² pixels, never more than it has."""
    factor = min(1.0, side / np.sqrt(size[0] * size[1]))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def image_tensor(image: Float32[np.ndarray, "rows columns"]) -> Float[torch.Tensor, "1 1 rows columns"]:
    """The image as torch wants it."""
    return torch.from_numpy(np.array(image, dtype=np.float32))[None, None]


def resized(
    image: Float[torch.Tensor, "1 1 old_rows old_columns"], size: tuple[int, int]
) -> Float[torch.Tensor, "1 1 rows columns"]:
    """Bilinear with antialiasing, which is what torchvision's Resize does to tensors in both recipes."""
    return torch.nn.functional.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)


def normalised(
    image: Float[torch.Tensor, "1 1 rows columns"], mean: float, deviation: float
) -> Float[torch.Tensor, "1 1 rows columns"]:
    """Grey values to [0, 1], then (x − mean) / deviation with a data set's constants."""
    lowest, highest = image.min(), image.max()
    return ((image - lowest) / (highest - lowest + 1e-6) - mean) / deviation
