"""A known head and the ways in which heads of the population differ from it, as places that space comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from DiffRegistrationLib.xray.geometry import Rays, rigid
from jaxtyping import Bool, Float32, Float64

from ..population.anatomy import Anatomy
from ..population.jaw import Jaw
from ..population.origin_field import OriginField
from .deformed_casting import FIXED, cast_deformed

# Of a HeadShape, before the coefficients.
OWN = FIXED - 6
_WIDEST_DEG, _MOST_DENSITY = 12.0, 0.5
_STEP_DEG = 1.0


@dataclass(frozen=True, eq=False)
class HeadShape:
    """One head against its template: the mouth's opening (degrees), bone's density (a part more) and the coefficients
    of the modes (variance 1).
    """

    opening_deg: float
    density: float
    coefficients: Float64[np.ndarray, "m"]

    @property
    def numbers(self) -> Float64[np.ndarray, "2+m"]:
        """All of them."""
        return np.array([self.opening_deg, self.density, *self.coefficients])

    def moved(self, step: Float64[np.ndarray, "2+m"]) -> Self:
        """With a step of all numbers added, kept to what jaws and bones do."""
        opening = float(np.clip(self.opening_deg + step[0], 0.0, _WIDEST_DEG))
        density = float(np.clip(self.density + step[1], -_MOST_DENSITY, _MOST_DENSITY))
        return type(self)(opening, density, self.coefficients + step[2:])


@dataclass(frozen=True, eq=False)
class DeformableTemplate:
    """A head in its Frankfurt frame (mm) that deforms.

    `volume` (mm⁻¹) has a border of zeros, and `voxel_from_head` leads to its indices. Nodes `spacing` mm apart from
    `first` come from `mean`, which `modes` change, in the template with its mouth open. `points` are its landmarks,
    NaN where not known. Below `end_mm` (z), between the corners `neck` (x, y), it is not known how the body goes on.
    """

    name: str
    volume: Float32[np.ndarray, "k j i"]
    voxel_from_head: Float64[np.ndarray, "3 4"]
    bone_above: float
    mean: Float32[np.ndarray, "nodes_k nodes_j nodes_i 3"]
    modes: Float32[np.ndarray, "nodes_k nodes_j nodes_i 3 m"]
    first: Float64[np.ndarray, "3"]
    spacing: float
    anatomy: Anatomy
    points: Float64[np.ndarray, "n 3"]
    end_mm: float
    neck: Float64[np.ndarray, "2 2"]

    @property
    def mode_count(self) -> int:
        """How many modes there are."""
        return self.modes.shape[-1]

    @property
    def usual_shape(self) -> HeadShape:
        """The mean of the population, its mouth shut."""
        return HeadShape(0.0, 0.0, np.zeros(self.mode_count))

    def cast(
        self,
        shape: HeadShape,
        world_from_head: Float64[np.ndarray, "4 4"],
        rays: Rays,
        step_mm: float,
        *,
        with_jacobian: bool = True,
    ) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n p"]]:
        """Line integrals along rays of the world, sampled every `step_mm`, and their derivatives by a twist about the
        head's origin in its own axes (rad, mm) and by the shape's numbers; no rows of these without `with_jacobian`.
        """
        head_from_world = rigid.inverse(world_from_head)
        image = np.empty(len(rays))
        jacobian = np.empty((len(rays) if with_jacobian else 0, FIXED + self.mode_count))
        cast_deformed(
            self.volume,
            self.voxel_from_head,
            self._origin(shape),
            self.modes,
            self.first,
            self.spacing,
            Jaw(shape.opening_deg, self.anatomy).parameters,
            Jaw(shape.opening_deg + _STEP_DEG, self.anatomy).parameters,
            self.bone_above,
            shape.density,
            rigid.transform_points(head_from_world, rays.source),
            rigid.transform_points(head_from_world, rays.target),
            step_mm,
            image,
            jacobian,
        )
        return image, jacobian

    def ends_on(self, rays: Rays, world_from_head: Float64[np.ndarray, "4 4"]) -> Bool[np.ndarray, "n"]:
        """Rays that pass where it is not known how the body goes on."""
        head_from_world = rigid.inverse(world_from_head)
        start = rigid.transform_points(head_from_world, rays.source)
        way = rigid.transform_points(head_from_world, rays.target) - start
        enter, leave = np.zeros(len(rays)), np.ones(len(rays))
        for axis in range(2):
            along = np.where(np.abs(way[:, axis]) < 1e-9, 1e-9, way[:, axis])
            one, other = ((self.neck[end, axis] - start[:, axis]) / along for end in range(2))
            enter = np.maximum(enter, np.minimum(one, other))
            leave = np.minimum(leave, np.maximum(one, other))
        lowest = np.minimum(start[:, 2] + enter * way[:, 2], start[:, 2] + leave * way[:, 2])
        return np.asarray((leave > enter) & (lowest < self.end_mm))

    def landmarks(self, shape: HeadShape) -> Float64[np.ndarray, "n 3"]:
        """In the deformed head's frame (mm); NaN where the template does not know them."""
        return self._landmarks(shape.opening_deg, self._field(shape))

    def landmarks_with_jacobian(
        self, shape: HeadShape
    ) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3 2+m"]]:
        """The landmarks (mm) and how they move with the shape's numbers."""
        field = self._field(shape)
        points = self._landmarks(shape.opening_deg, field)
        J = np.zeros((*points.shape, OWN + self.mode_count))
        J[:, :, 0] = (self._landmarks(shape.opening_deg + _STEP_DEG, field) - points) / _STEP_DEG
        known = np.isfinite(points).all(axis=1)
        at = points[known]
        # What comes from a landmark of the template stays it: origin(p(c), c) is constant.
        J[known, :, OWN:] = -np.linalg.solve(field.slope_at(at), self._change_at(at))
        return points, J

    def _landmarks(self, opening_deg: float, field: OriginField) -> Float64[np.ndarray, "n 3"]:
        """Those of a mouth open so far, where `field` tells what deforms."""
        known = np.isfinite(self.points).all(axis=1)
        opened = Jaw(opening_deg, self.anatomy).opened(self.points[known])
        moved = np.full_like(self.points, np.nan)
        moved[known] = field.inverse_at(opened, opened)[0]
        return moved

    def _origin(self, shape: HeadShape) -> Float32[np.ndarray, "nodes_k nodes_j nodes_i 3"]:
        """Where the nodes come from."""
        if not shape.coefficients.any():
            return self.mean
        return np.asarray(self.mean + self.modes @ shape.coefficients.astype(np.float32))

    def _field(self, shape: HeadShape) -> OriginField:
        return OriginField(self._origin(shape).astype(np.float64), self.first, self.spacing)

    def _change_at(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 m"]:
        """How the origins of points change with the coefficients."""
        place = (points - self.first) / self.spacing
        low = np.clip(np.floor(place).astype(int), 0, np.array(self.mean.shape[2::-1]) - 2)
        part = place - low
        change = np.zeros((len(points), 3, self.mode_count))
        for corner in range(8):
            up = np.array([corner & 1, (corner >> 1) & 1, corner >> 2])
            i, j, k = (low + up).T
            change += np.where(up, part, 1 - part).prod(axis=1)[:, None, None] * self.modes[k, j, i]
        return change
