"""What the fused kernel reads, put on its device once: a CT level, and the rays of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float64, Int32, UInt8, UInt16

from ..geometry import Rays
from .ray_order import tile_order
from .volume import ProjectionVolume


@dataclass(frozen=True, eq=False)
class DeviceVolume:
    """A `ProjectionVolume` on `device`.

    µ = unit · counts. Counts take the room of half floats and keep 1/65535 of the densest voxel, where a half float
    would keep 1/2048 of each; sums are float32. A cell of zeros follows the last plane, from voxel `air` on: it is
    read where nothing is to be seen, and rounding may put a sample that far beyond the border. `geometry` is
    voxel_from_ct (3×3, row by row), the CT's centre in mm and in voxels, and the lower and upper bound of what can be
    seen, in voxels.
    """

    volume: ProjectionVolume
    counts: UInt16[torch.Tensor, "voxels"]
    occupied: UInt8[torch.Tensor, "bricks_k bricks_j bricks_i"]
    geometry: Float64[torch.Tensor, "21"]

    @classmethod
    def from_volume(
        cls, volume: ProjectionVolume, centre: Float64[np.ndarray, "3"], device: torch.device
    ) -> DeviceVolume:
        """`centre` is the CT's, in its own frame (mm): pose increments turn about it."""
        _, rows, columns = volume.counts.shape
        counts = np.concatenate([volume.counts.ravel(), np.zeros(rows * columns + columns + 2, np.uint16)])
        linear = volume.voxel_from_ct[:3, :3]
        centre_voxel = linear @ centre + volume.voxel_from_ct[:3, 3]
        geometry = np.concatenate([linear.ravel(), centre, centre_voxel, volume.lower, volume.upper])
        return cls(
            volume,
            torch.from_numpy(counts).to(device),
            torch.from_numpy(volume.occupied).to(device),
            torch.tensor(geometry, device=device),
        )

    @property
    def air(self) -> int:
        """Number of a voxel that with all its neighbours is 0."""
        return self.volume.counts.size

    @cached_property
    def labels(self) -> Int32[torch.Tensor, "depth rows columns"]:
        """Labels of the padded voxels; ValueError for a CT without any."""
        if self.volume.labels is None:
            raise ValueError("this CT has no label map")
        return torch.from_numpy(self.volume.labels.astype(np.int32)).to(self.counts.device)


@dataclass(frozen=True, eq=False)
class DeviceRays:
    """N rays on a device, tile by tile: ray `order[n]` of the camera starts at ends[:3, n] and ends at ends[3:, n]."""

    ends: Float64[torch.Tensor, "6 n"]
    order: Int32[torch.Tensor, "n"]

    @classmethod
    def from_rays(cls, rays: Rays, device: torch.device) -> DeviceRays:
        """World RAS mm, as `rays`."""
        order = tile_order(rays)
        ends = np.concatenate([rays.source[order], rays.target[order]], axis=1).T
        return cls(
            torch.tensor(np.ascontiguousarray(ends), device=device),
            torch.tensor(order, dtype=torch.int32, device=device),
        )

    def __len__(self) -> int:
        return self.ends.shape[1]
