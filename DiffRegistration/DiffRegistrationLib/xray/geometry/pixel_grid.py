"""How cropping, binning and resampling change pixel coordinates, the same for every camera.

Pixel centres are integers, so a pixel covers [u − ½, u + ½]: the half pixels below are what off-by-half errors lack.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
from jaxtyping import Float64


def crop_matrix(first_row: int, first_column: int) -> Float64[np.ndarray, "3 3"]:
    """New homogeneous pixel from old pixel for an image that starts at (first_row, first_column)."""
    return np.array([[1.0, 0.0, -first_column], [0.0, 1.0, -first_row], [0.0, 0.0, 1.0]])


def scale_matrix(scale_x: float, scale_y: float) -> Float64[np.ndarray, "3 3"]:
    """New homogeneous pixel from old pixel when `scale` old pixels make a new one along each axis."""
    return np.array(
        [
            [1 / scale_x, 0.0, 0.5 / scale_x - 0.5],
            [0.0, 1 / scale_y, 0.5 / scale_y - 0.5],
            [0.0, 0.0, 1.0],
        ]
    )


def all_pixels(size: tuple[int, int]) -> Float64[np.ndarray, "n 2"]:
    """(u, v) of every pixel of an image of `size` (rows, columns), row by row."""
    v, u = np.mgrid[0 : size[0], 0 : size[1]]
    return np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float64)


class PixelGrid(ABC):
    """Cropping, binning and resampling for cameras that know what a change of pixel coordinates does to them."""

    size: tuple[int, int]

    @abstractmethod
    def _regridded(self, new_from_old: Float64[np.ndarray, "3 3"], size: tuple[int, int]) -> Self:
        """The camera of an image of `size` whose homogeneous pixels are `new_from_old` times the present ones."""

    def cropped(self, first_row: int, first_column: int, size: tuple[int, int]) -> Self:
        """Camera of the sub-image of `size` that starts at (first_row, first_column)."""
        return self._regridded(crop_matrix(first_row, first_column), size)

    def binned(self, factor: int) -> Self:
        """Camera of the image whose pixels are means of factor × factor pixels (incomplete ones dropped)."""
        return self._regridded(scale_matrix(factor, factor), (self.size[0] // factor, self.size[1] // factor))

    def resampled(self, size: tuple[int, int]) -> Self:
        """Camera of the same field of view on `size` (rows, columns) pixels."""
        return self._regridded(scale_matrix(self.size[1] / size[1], self.size[0] / size[0]), size)
