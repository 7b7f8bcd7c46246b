"""A template in its place before a camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from DiffRegistrationLib.xray.geometry import Camera, rigid
from jaxtyping import Float64

from .deformable_template import DeformableTemplate, HeadShape


@dataclass(frozen=True, eq=False)
class PlacedTemplate:
    """`template` in this `shape` at the pose `world_from_head`."""

    template: DeformableTemplate
    world_from_head: Float64[np.ndarray, "4 4"]
    shape: HeadShape

    def moved(self, step: Float64[np.ndarray, "p"]) -> Self:
        """By a twist about the head's origin in its own axes (rad, mm), and by the shape's numbers."""
        pose = self.world_from_head @ rigid.rigid(rigid.rotation_exp(step[:3]), step[3:6])
        return type(self)(self.template, rigid.orthonormalised(pose), self.shape.moved(step[6:]))

    def landmarks(self) -> Float64[np.ndarray, "n 3"]:
        """In the world (mm); NaN where the template does not know them."""
        return rigid.transform_points(self.world_from_head, self.template.landmarks(self.shape))

    def middle_and_source(self, camera: Camera) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
        """The landmarks' mean, and where the ray through it comes from (world, mm)."""
        points = self.landmarks_with_jacobian[0]
        middle = points[np.isfinite(points).all(axis=1)].mean(axis=0)
        return middle, camera.rays(camera.project(middle[None])).source[0]

    @cached_property
    def landmarks_with_jacobian(self) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3 p"]]:
        """The same, and how they move with a step; several terms ask for it."""
        points, by_shape = self.template.landmarks_with_jacobian(self.shape)
        J = np.zeros((len(points), 3, 6 + by_shape.shape[2]))
        for axis in range(3):
            J[:, :, axis] = np.cross(np.eye(3)[axis], points)
            J[:, axis, 3 + axis] = 1
        J[:, :, 6:] = by_shape
        turn = self.world_from_head[:3, :3]
        return rigid.transform_points(self.world_from_head, points), np.einsum("ij,njk->nik", turn, J)
