"""The projector: DRRs of a CT for any camera and any batch of poses, with or without their pose derivative."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64

from ..ct import CT
from ..geometry import Rays
from . import numba_kernel
from .casting import Casting, Integrals, Kernel
from .coverage import Coverage, coverage
from .volume import ProjectionVolume

if TYPE_CHECKING:
    from .device_projector import DeviceProjector

# CT levels: voxels of 1, 2, 4 and 8 original ones along each axis.
BINNINGS = (1, 2, 4, 8)


def numba_integrate(casting: Casting, wants_jacobian: bool) -> Integrals:
    """The compiled CPU kernel."""
    poses, rays, volume = len(casting.voxel_from_world), casting.rays, casting.volume
    image = np.empty((poses, len(rays)), dtype=casting.dtype)
    jacobian = np.empty((poses, len(rays) if wants_jacobian else 0, 6), dtype=casting.dtype)
    numba_kernel.integrate(
        volume.counts,
        volume.unit,
        volume.occupied,
        volume.lower,
        volume.upper,
        casting.voxel_from_world,
        casting.centres,
        rays.source,
        rays.target,
        casting.step_mm,
        casting.samples,
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
    differences. `on_device` is the same projector on a GPU, where it has one.
    """

    on_device: DeviceProjector | None = None

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

    def coverage(self, rays: Rays, pose: Float64[np.ndarray, "4 4"], least_mm: float = 10.0) -> Coverage:
        """Which rays cross at least `least_mm` of the CT's box, and which of them meet no tissue outside of it."""
        volume = self.volume(1)
        voxel_from_world = np.ascontiguousarray((volume.voxel_from_ct @ np.linalg.inv(pose))[:3])
        return coverage(volume, rays, voxel_from_world, least_mm)

    def _casting(
        self,
        rays: Rays,
        poses: Float64[np.ndarray, "*poses 4 4"],
        binning: int,
        step_mm: float | None,
        samples: int,
    ) -> Casting:
        poses = np.reshape(np.asarray(poses, dtype=np.float64), (-1, 4, 4))
        volume = self.volume(binning)
        centres = poses[:, :3, :3] @ self.ct.centre + poses[:, :3, 3]
        voxel_from_world = np.ascontiguousarray((volume.voxel_from_ct @ np.linalg.inv(poses))[:, :3])
        step = step_mm or volume.voxel_size_mm
        return Casting(volume, voxel_from_world, centres, rays, step, samples, self._dtype)

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
        return self._kernel(self._casting(rays, poses, binning, step_mm, samples), False)[0]

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
        image, jacobian = self._kernel(self._casting(rays, poses, binning, step_mm, samples), True)
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
        casting = self._casting(rays, poses, 1, step_mm, samples)
        volume = casting.volume
        image = np.empty((len(casting.voxel_from_world), self.structure_count, len(rays)), dtype=self._dtype)
        numba_kernel.integrate_structures(
            volume.counts,
            volume.unit,
            volume.labels,
            volume.lower,
            volume.upper,
            casting.voxel_from_world,
            rays.source,
            rays.target,
            casting.step_mm,
            samples,
            image,
        )
        return image
