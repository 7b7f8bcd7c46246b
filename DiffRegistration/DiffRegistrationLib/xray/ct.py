"""A CT as the projector wants it: attenuation on a regular grid, with its place in space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from jaxtyping import Float32, Float64, Int, Num

from .attenuation import attenuation_from_hounsfield
from .geometry import rigid
from .geometry.arrays import frozen_float64
from .provenance import Provenance


@dataclass(frozen=True, eq=False)
class CT:
    """Attenuation µ (mm⁻¹) on a regular grid; nothing outside it.

    `attenuation` is indexed [k, j, i]; `ct_from_voxel` maps voxel centres (i, j, k) to the CT's own frame (RAS mm) and
    may be rotated and anisotropic but never sheared; `labels` names the structure of each voxel (0 = none).
    """

    attenuation: Float32[np.ndarray, "depth rows columns"]
    ct_from_voxel: Float64[np.ndarray, "4 4"]
    labels: Int[np.ndarray, "depth rows columns"] | None = None
    provenance: tuple[Provenance, ...] = ()

    def __post_init__(self) -> None:
        attenuation = np.ascontiguousarray(self.attenuation, dtype=np.float32)
        if attenuation.ndim != 3:
            raise ValueError(f"expected a volume, got an array of shape {attenuation.shape}")
        if self.labels is not None and self.labels.shape != attenuation.shape:
            raise ValueError(f"labels have shape {self.labels.shape}, the CT {attenuation.shape}")
        matrix = frozen_float64(self.ct_from_voxel, (4, 4))
        direction = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
        if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-3):
            raise ValueError("the CT's grid is sheared; resample it onto a right-angled one")
        attenuation.flags.writeable = False
        object.__setattr__(self, "attenuation", attenuation)
        object.__setattr__(self, "ct_from_voxel", matrix)

    @classmethod
    def from_hounsfield(
        cls,
        hounsfield: Num[np.ndarray, "depth rows columns"],
        ct_from_voxel: Float64[np.ndarray, "4 4"],
        labels: Int[np.ndarray, "depth rows columns"] | None = None,
        provenance: tuple[Provenance, ...] = (),
    ) -> Self:
        """CT from Hounsfield units by `attenuation_from_hounsfield`."""
        return cls(attenuation_from_hounsfield(hounsfield), ct_from_voxel, labels, provenance)

    @property
    def size(self) -> tuple[int, int, int]:
        """Number of voxels along i, j, k."""
        k, j, i = self.attenuation.shape
        return i, j, k

    @property
    def voxel_size(self) -> Float64[np.ndarray, "3"]:
        """Voxel edges along i, j, k in mm."""
        return np.linalg.norm(self.ct_from_voxel[:3, :3], axis=0)

    @cached_property
    def centre(self) -> Float64[np.ndarray, "3"]:
        """Centre of the grid in the CT's frame (mm): the point that increments turn about."""
        return rigid.transform_points(self.ct_from_voxel, [(np.array(self.size) - 1) / 2])[0]

    def corners(self, part: float = 1.0) -> Float64[np.ndarray, "8 3"]:
        """Corners (mm, the CT's frame) of the box about the centre that is `part` of the CT's along each axis."""
        ends = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T * part * np.array(self.size)
        return self.centre + ends @ self.ct_from_voxel[:3, :3].T

    def binned(self, factor: int) -> Self:
        """CT whose voxels are means of factor³ voxels; what sticks out past the grid counts as air, none is lost."""
        if factor == 1:
            return self
        blocks = self.attenuation
        for axis in range(3):
            blocks = np.add.reduceat(blocks, np.arange(0, blocks.shape[axis], factor), axis=axis)
        shift = np.full(3, (factor - 1) / 2)
        matrix = self.ct_from_voxel @ np.block(
            [[factor * np.eye(3), shift[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]]
        )
        # Labels do not average, and no coarse level is rendered by structure.
        return replace(self, attenuation=blocks / np.float32(factor**3), ct_from_voxel=matrix, labels=None)

    def masked(self, label: int) -> Self:
        """CT of one structure alone: air wherever `labels` is something else. ValueError without labels."""
        if self.labels is None:
            raise ValueError("this CT has no label map")
        return replace(self, attenuation=np.where(self.labels == label, self.attenuation, 0), labels=None)
