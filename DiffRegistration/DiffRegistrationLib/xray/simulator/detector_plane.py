"""Where pixels lie on the detector: mm about the image's centre, x to the right, y down.

`pixel_mm` is the distance (between rows, between columns), as everywhere.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from ..geometry.pixel_grid import all_pixels


def detector_points(size: tuple[int, int], pixel_mm: tuple[float, float]) -> Float64[np.ndarray, "n 2"]:
    """(x, y) in mm of every pixel of an image of `size` (rows, columns), row by row."""
    return points_from_pixels(all_pixels(size), size, pixel_mm)


def points_from_pixels(
    pixels: Float64[np.ndarray, "n 2"], size: tuple[int, int], pixel_mm: tuple[float, float]
) -> Float64[np.ndarray, "n 2"]:
    """(x, y) in mm of pixels (u, v) of an image of `size` (rows, columns)."""
    return (pixels - _centre(size)) * pixel_mm[::-1]


def pixels_from_points(
    points_mm: Float64[np.ndarray, "n 2"], size: tuple[int, int], pixel_mm: tuple[float, float]
) -> Float64[np.ndarray, "n 2"]:
    """Pixels (u, v) of points (x, y) in mm; they may lie outside the image."""
    return points_mm / pixel_mm[::-1] + _centre(size)


def _centre(size: tuple[int, int]) -> Float64[np.ndarray, "2"]:
    return np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
