"""The cone-beam camera: a point source and a flat detector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float64

from . import rigid
from .arrays import frozen_float64
from .pixel_grid import PixelGrid, all_pixels
from .rays import Rays

# Where rays end when the detector's distance is unknown: behind any patient, so nothing is cut.
_FAR_MM = 4000.0


@dataclass(frozen=True, eq=False)
class PinholeCamera(PixelGrid):
    """x ~ K [R | t] X (Hartley & Zisserman): x right, y down, z from the source toward the detector.

    `intrinsic` is K in pixels (upper triangular, K[2, 2] = 1; skew allowed), `camera_from_world` is [R | t] as a
    4×4 rigid matrix (RAS mm), `size` is (rows, columns), `pixel_spacing` is (between rows, between columns) in mm on
    the detector, None where only K is known. ValueError for a K or a pose that is none.
    """

    intrinsic: Float64[np.ndarray, "3 3"]
    camera_from_world: Float64[np.ndarray, "4 4"]
    size: tuple[int, int]
    pixel_spacing: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        K = frozen_float64(self.intrinsic, (3, 3))
        if K[0, 0] <= 0 or K[1, 1] <= 0:
            raise ValueError(f"focal lengths must be positive, got {K[0, 0]:g} and {K[1, 1]:g} px")
        if not np.allclose(K[[1, 2, 2], [0, 0, 1]], 0, atol=1e-9) or not np.isclose(K[2, 2], 1):
            raise ValueError("K must be upper triangular with K[2, 2] = 1")
        pose = frozen_float64(self.camera_from_world, (4, 4))
        if not rigid.is_rigid(pose):
            raise ValueError("camera_from_world must be a rotation and a translation")
        if min(self.size) < 1:
            raise ValueError(f"image size must be at least 1×1, got {self.size[0]}×{self.size[1]}")
        if self.pixel_spacing is not None and not min(self.pixel_spacing) > 0:
            raise ValueError(f"pixel spacing must be positive, got {self.pixel_spacing} mm")
        object.__setattr__(self, "intrinsic", K)
        object.__setattr__(self, "camera_from_world", pose)

    @classmethod
    def from_distances(
        cls,
        source_detector_distance: float,
        pixel_spacing: tuple[float, float],
        size: tuple[int, int],
        camera_from_world: Float64[np.ndarray, "4 4"],
        principal_point: tuple[float, float] | None = None,
    ) -> Self:
        """Camera from SDD (mm), pixel spacing (rows, columns; mm) and principal point (u, v; image centre if None)."""
        if not source_detector_distance > 0:
            raise ValueError(f"source-detector distance must be positive, got {source_detector_distance} mm")
        if not min(pixel_spacing) > 0:
            raise ValueError(f"pixel spacing must be positive, got {pixel_spacing} mm")
        u, v = principal_point if principal_point is not None else ((size[1] - 1) / 2, (size[0] - 1) / 2)
        K = [
            [source_detector_distance / pixel_spacing[1], 0, u],
            [0, source_detector_distance / pixel_spacing[0], v],
            [0, 0, 1],
        ]
        return cls(np.array(K, dtype=np.float64), camera_from_world, size, pixel_spacing)

    @property
    def source(self) -> Float64[np.ndarray, "3"]:
        """Position of the focal spot in world mm."""
        return rigid.inverse(self.camera_from_world)[:3, 3]

    @property
    def source_detector_distance(self) -> float | None:
        """SDD in mm, None where the pixel spacing is unknown."""
        return None if self.pixel_spacing is None else float(self.intrinsic[0, 0] * self.pixel_spacing[1])

    @property
    def projection_matrix(self) -> Float64[np.ndarray, "3 4"]:
        """P = K [R | t]."""
        return self.intrinsic @ self.camera_from_world[:3]

    def back_project(
        self, pixels: Float64[np.ndarray, "n 2"], depth_mm: float | Float64[np.ndarray, "n"]
    ) -> Float64[np.ndarray, "n 3"]:
        """World points at `depth_mm` along z behind `pixels` (u, v)."""
        inverse = np.linalg.inv(self.intrinsic)
        points = np.einsum("nj,ij->ni", np.asarray(pixels, dtype=np.float64), inverse[:, :2]) + inverse[:, 2]
        points *= np.reshape(depth_mm, (-1, 1))
        return rigid.transform_points(rigid.inverse(self.camera_from_world), points)

    def rays(self, pixels: Float64[np.ndarray, "n 2"] | None = None) -> Rays:
        """Rays from the focal spot to the detector through `pixels` (u, v), or through all in row-major order."""
        pixels = all_pixels(self.size) if pixels is None else pixels
        target = self.back_project(pixels, self.source_detector_distance or _FAR_MM)
        return Rays(np.repeat(self.source[None], len(target), axis=0), target)

    def project(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 2"]:
        """Pixels (u, v) of world points; NaN for points at or behind the source."""
        image = np.einsum("nj,ij->ni", rigid.transform_points(self.camera_from_world, points), self.intrinsic)
        depth = np.where(image[:, 2:] > 0, image[:, 2:], np.nan)
        return image[:, :2] / depth

    def pixel_footprint_mm(self, point: Float64[np.ndarray, "3"]) -> float:
        """Width in mm of a pixel (geometric mean of both sides) at the depth of a world point."""
        depth = rigid.transform_points(self.camera_from_world, np.reshape(point, (1, 3)))[0, 2]
        return float(abs(depth) / np.sqrt(self.intrinsic[0, 0] * self.intrinsic[1, 1]))

    def _regridded(self, new_from_old: Float64[np.ndarray, "3 3"], size: tuple[int, int]) -> Self:
        spacing = self.pixel_spacing
        if spacing is not None:
            spacing = (spacing[0] / new_from_old[1, 1], spacing[1] / new_from_old[0, 0])
        return replace(self, intrinsic=new_from_old @ self.intrinsic, size=size, pixel_spacing=spacing)

    def moved(self, new_world_from_world: Float64[np.ndarray, "4 4"]) -> Self:
        """The same camera in another world frame."""
        return replace(self, camera_from_world=self.camera_from_world @ rigid.inverse(new_world_from_world))
