"""The scanning-slit camera of a CT localizer (scout): a fan across the table, parallel along it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float64

from . import rigid
from .arrays import frozen_float64
from .pixel_grid import PixelGrid, all_pixels
from .rays import Rays


@dataclass(frozen=True, eq=False)
class ScanningSlitCamera(PixelGrid):
    """Source and slit travel together along the image's y axis; every row has its own source.

    In the camera frame (x right along the fan, y down along the travel, z from the source line toward the detector)
    the source of row v is (0, (v − cᵥ)·dy, 0) and pixel (u, v) lies at ((u − cᵤ)·dx, (v − cᵥ)·dy, SOD).
    `camera_from_world` is rigid (RAS mm), `size` is (rows, columns), `pixel_spacing` is (dy, dx) in mm **at the
    isocentre**, `centre` is (cᵤ, cᵥ), distances are in mm. ValueError for values that cannot be.
    """

    camera_from_world: Float64[np.ndarray, "4 4"]
    size: tuple[int, int]
    pixel_spacing: tuple[float, float]
    centre: tuple[float, float]
    source_object_distance: float
    source_detector_distance: float

    def __post_init__(self) -> None:
        pose = frozen_float64(self.camera_from_world, (4, 4))
        if not rigid.is_rigid(pose):
            raise ValueError("camera_from_world must be a rotation and a translation")
        if min(self.size) < 1:
            raise ValueError(f"image size must be at least 1×1, got {self.size[0]}×{self.size[1]}")
        if not min(self.pixel_spacing) > 0:
            raise ValueError(f"pixel spacing must be positive, got {self.pixel_spacing} mm")
        if not 0 < self.source_object_distance <= self.source_detector_distance:
            raise ValueError(
                "expected 0 < source-object distance ≤ source-detector distance, got "
                f"{self.source_object_distance:g} and {self.source_detector_distance:g} mm"
            )
        object.__setattr__(self, "camera_from_world", pose)

    def _camera_points(
        self, pixels: Float64[np.ndarray, "n 2"], depth_mm: float | Float64[np.ndarray, "n"]
    ) -> Float64[np.ndarray, "n 3"]:
        pixels = np.asarray(pixels, dtype=np.float64)
        depth = np.broadcast_to(np.asarray(depth_mm, dtype=np.float64), len(pixels))
        x = (pixels[:, 0] - self.centre[0]) * self.pixel_spacing[1] * depth / self.source_object_distance
        y = (pixels[:, 1] - self.centre[1]) * self.pixel_spacing[0]
        return np.column_stack([x, y, depth])

    def back_project(
        self, pixels: Float64[np.ndarray, "n 2"], depth_mm: float | Float64[np.ndarray, "n"]
    ) -> Float64[np.ndarray, "n 3"]:
        """World points at `depth_mm` from the source line behind `pixels` (u, v)."""
        return rigid.transform_points(rigid.inverse(self.camera_from_world), self._camera_points(pixels, depth_mm))

    def rays(self, pixels: Float64[np.ndarray, "n 2"] | None = None) -> Rays:
        """Rays from each row's source to the detector through `pixels` (u, v), or through all in row-major order."""
        pixels = all_pixels(self.size) if pixels is None else pixels
        return Rays(self.back_project(pixels, 0.0), self.back_project(pixels, self.source_detector_distance))

    def project(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 2"]:
        """Pixels (u, v) of world points; NaN for points at or behind the source line."""
        x, y, z = rigid.transform_points(self.camera_from_world, points).T
        z = np.where(z > 0, z, np.nan)
        u = self.centre[0] + x * self.source_object_distance / (z * self.pixel_spacing[1])
        return np.column_stack([u, np.where(np.isnan(z), np.nan, self.centre[1] + y / self.pixel_spacing[0])])

    def pixel_footprint_mm(self, point: Float64[np.ndarray, "3"]) -> float:
        """Width in mm of a pixel (geometric mean of both sides) at the depth of a world point."""
        depth = rigid.transform_points(self.camera_from_world, np.reshape(point, (1, 3)))[0, 2]
        dx = self.pixel_spacing[1] * abs(depth) / self.source_object_distance
        return float(np.sqrt(dx * self.pixel_spacing[0]))

    def _regridded(self, new_from_old: Float64[np.ndarray, "3 3"], size: tuple[int, int]) -> Self:
        u, v, _ = new_from_old @ np.array([*self.centre, 1.0])
        spacing = (self.pixel_spacing[0] / new_from_old[1, 1], self.pixel_spacing[1] / new_from_old[0, 0])
        return replace(self, centre=(float(u), float(v)), size=size, pixel_spacing=spacing)

    def moved(self, new_world_from_world: Float64[np.ndarray, "4 4"]) -> Self:
        """The same camera in another world frame."""
        return replace(self, camera_from_world=self.camera_from_world @ rigid.inverse(new_world_from_world))
