"""What every camera offers, whatever its rays look like."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
from jaxtyping import Float64

from .rays import Rays


class Camera(Protocol):
    """Maps world points (RAS mm) to pixels (u right, v down, centres at integers) and pixels to rays.

    All operations return a new camera; sizes are (rows, columns).
    """

    @property
    def camera_from_world(self) -> Float64[np.ndarray, "4 4"]:
        """Rigid motion from world (RAS mm) to the camera frame."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Number of rows and columns of the image."""
        ...

    def rays(self, pixels: Float64[np.ndarray, "n 2"] | None = None) -> Rays:
        """Rays through `pixels` (u, v), or through all of them in row-major order."""
        ...

    def project(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 2"]:
        """Pixels (u, v) of world points; NaN for points at or behind the source."""
        ...

    def back_project(
        self, pixels: Float64[np.ndarray, "n 2"], depth_mm: float | Float64[np.ndarray, "n"]
    ) -> Float64[np.ndarray, "n 3"]:
        """World points at `depth_mm` along the camera's z from the source."""
        ...

    def pixel_footprint_mm(self, point: Float64[np.ndarray, "3"]) -> float:
        """Width in mm of a pixel (geometric mean of both sides) at the depth of a world point."""
        ...

    def cropped(self, first_row: int, first_column: int, size: tuple[int, int]) -> Self:
        """Camera of the sub-image that starts at (first_row, first_column)."""
        ...

    def binned(self, factor: int) -> Self:
        """Camera of the image whose pixels are means of factor × factor pixels (incomplete ones dropped)."""
        ...

    def resampled(self, size: tuple[int, int]) -> Self:
        """Camera of the same field of view on another number of pixels."""
        ...

    def moved(self, new_world_from_world: Float64[np.ndarray, "4 4"]) -> Self:
        """The same camera in another world frame."""
        ...
