"""The projector: DRRs of a CT for any camera and any batch of poses, with or without their pose derivative."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Float, Float64

from ..ct import CT
from ..geometry import Rays
from . import numba_kernel
from .volume import ProjectionVolume

# CT levels: voxels of 1, 2, 4 and 8 original ones along each axis.
BINNINGS = (1, 2, 4, 8)


class Kernel(Protocol):
    """One way to integrate rays. All take the same arguments and agree to 1e-4."""

    def __call__(
        self,
        volume: ProjectionVolume,
        voxel_from_world: Float64[np.ndarray, "poses 3 4"],
        centres: Float64[np.ndarray, "poses 3"],
        rays: Rays,
        step_mm: float,
        samples: int,
        wants_jacobian: bool,
        dtype: type[np.floating],
    ) -> tuple[Float[np.ndarray, "poses rays"], Float[np.ndarray, "poses rays 6"] | None]: ...


def numba_integrate(
    volume: ProjectionVolume,
    voxel_from_world: Float64[np.ndarray, "poses 3 4"],
    centres: Float64[np.ndarray, "poses 3"],
    rays: Rays,
    step_mm: float,
    samples: int,
    wants_jacobian: bool,
    dtype: type[np.floating],
) -> tuple[Float[np.ndarray, "poses rays"], Float[np.ndarray, "poses rays 6"] | None]:
    """The compiled CPU kernel."""
    poses = len(voxel_from_world)
    image = np.empty((poses, len(rays)), dtype=dtype)
    jacobian = np.empty((poses, len(rays) if wants_jacobian else 0, 6), dtype=dtype)
    numba_kernel.integrate(
        volume.counts,
        volume.unit,
        volume.occupied,
        volume.lower,
        volume.upper,
        voxel_from_world,
        centres,
        rays.source,
        rays.target,
        step_mm,
        samples,
        image,
        jacobian,
    )
    return image, jacobian if wants_jacobian else None


class Projector:
    """Renders line integrals (−ln I/I₀) of one CT.

    Poses are world_from_ct (RAS mm), one 4×4 matrix or a batch (P, 4, 4); results keep the batch axis. Rays come from
    a camera and may be any subset of its pixels. `binning` picks a level of the CT pyramid. Along a ray samples lie
    `step_mm` apart (default: the edge of a cube as large as a voxel of the level), or there are `samples` of them
    inside the occupied volume. `dtype` is that of results and arithmetic; float64 is for checks against finite
    differences.
    """

    def __init__(self, ct: CT, kernel: Kernel = numba_integrate, dtype: type[np.floating] = np.float32) -> None:
        self.ct = ct
        self._kernel = kernel
        self._dtype = dtype
        self._volumes: dict[int, ProjectionVolume] = {}
        self._levels: dict[int, CT] = {}

    def volume(self, binning: int = 1) -> ProjectionVolume:
        """The prepared CT level, made on first use."""
        if binning not in self._volumes:
            self._volumes[binning] = ProjectionVolume.from_ct(self._level(binning))
        return self._volumes[binning]

    def _level(self, binning: int) -> CT:
        """Each level from the one below it, which is eight times less work than from the CT."""
        if binning == 1:
            return self.ct
        if binning not in self._levels:
            self._levels[binning] = self._level(binning // 2).binned(2)
        return self._levels[binning]

    def binning_for(self, footprint_mm: float) -> int:
        """The coarsest CT level whose voxels are still no larger than a pixel's footprint at the patient."""
        size = float(np.cbrt(np.prod(self.ct.voxel_size)))
        return max((b for b in BINNINGS if b * size <= 1.1 * footprint_mm), default=1)

    def _matrices(
        self, volume: ProjectionVolume, poses: Float64[np.ndarray, "*poses 4 4"]
    ) -> tuple[Float64[np.ndarray, "poses 3 4"], Float64[np.ndarray, "poses 3"]]:
        poses = np.reshape(np.asarray(poses, dtype=np.float64), (-1, 4, 4))
        centres = poses[:, :3, :3] @ self.ct.centre + poses[:, :3, 3]
        voxel_from_world = volume.voxel_from_ct @ np.linalg.inv(poses)
        return np.ascontiguousarray(voxel_from_world[:, :3]), centres

    def render(
        self,
        rays: Rays,
        poses: Float64[np.ndarray, "*poses 4 4"],
        *,
        binning: int = 1,
        step_mm: float | None = None,
        samples: int = 0,
    ) -> Float[np.ndarray, "poses rays"]:
        """Line integrals of every ray under every pose."""
        volume = self.volume(binning)
        voxel_from_world, centres = self._matrices(volume, poses)
        step = step_mm or volume.voxel_size_mm
        return self._kernel(volume, voxel_from_world, centres, rays, step, samples, False, self._dtype)[0]

    def render_with_jacobian(
        self,
        rays: Rays,
        poses: Float64[np.ndarray, "*poses 4 4"],
        *,
        binning: int = 1,
        step_mm: float | None = None,
        samples: int = 0,
    ) -> tuple[Float[np.ndarray, "poses rays"], Float[np.ndarray, "poses rays 6"]]:
        """Line integrals and their derivative by the left increment ξ = (ω rad, v mm) about the CT's centre."""
        volume = self.volume(binning)
        voxel_from_world, centres = self._matrices(volume, poses)
        step = step_mm or volume.voxel_size_mm
        image, jacobian = self._kernel(volume, voxel_from_world, centres, rays, step, samples, True, self._dtype)
        assert jacobian is not None
        return image, jacobian

    @cached_property
    def structure_count(self) -> int:
        """Channels of `render_structures`: the largest label and 0, which takes what has no name."""
        if self.ct.labels is None:
            raise ValueError("this CT has no label map")
        return int(self.ct.labels.max()) + 1

    def render_structures(
        self,
        rays: Rays,
        poses: Float64[np.ndarray, "*poses 4 4"],
        *,
        step_mm: float | None = None,
        samples: int = 0,
    ) -> Float[np.ndarray, "poses structures rays"]:
        """One channel per label (nearest voxel of each sample); the channels add up to `render`.

        ValueError without labels. For the pose derivative of one structure, render `CT.masked(label)`.
        """
        volume = self.volume()
        voxel_from_world, _ = self._matrices(volume, poses)
        image = np.empty((len(voxel_from_world), self.structure_count, len(rays)), dtype=self._dtype)
        numba_kernel.integrate_structures(
            volume.counts,
            volume.unit,
            volume.labels,
            volume.lower,
            volume.upper,
            voxel_from_world,
            rays.source,
            rays.target,
            step_mm or volume.voxel_size_mm,
            samples,
            image,
        )
        return image
