"""`solver.py` for several poses in step, on a device: where it decides by `if`, `torch.where` chooses here.

Poses that have arrived stay where they are while the others go on. Nothing waits for the device; steps are written
down there, to be fetched when the level ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from ...xray.ct import CT
from .. import solver
from .device_correlation import Comparisons
from .repeated_steps import repeat
from .small_matrices import moved_about, solved

Vectors = Float64[torch.Tensor, "poses 6"]
Poses = Float64[torch.Tensor, "poses 4 4"]
# What is written down of a step: score, residual, rotation (rad), translation (mm), whether it was better, whether the
# pose was still on its way; then the pose, row by row.
STEP_NUMBERS = 6


@dataclass(frozen=True, eq=False)
class Standing:
    """Where each pose stands; of the last steps (oldest first) `steps` and the `changes` of the gradient are kept."""

    poses: Poses
    cost: Float64[torch.Tensor, "poses"]
    gradient: Vectors
    hessian: Float64[torch.Tensor, "poses 6 6"]
    score: Float64[torch.Tensor, "poses"]
    residual: Float64[torch.Tensor, "poses"]
    samples: Float64[torch.Tensor, "poses"]
    agreement: Float64[torch.Tensor, "poses"]
    damping: Float64[torch.Tensor, "poses"]
    refusals: Int64[torch.Tensor, "poses"]
    steps: Float64[torch.Tensor, "poses kept 6"]
    changes: Float64[torch.Tensor, "poses kept 6"]
    active: Bool[torch.Tensor, "poses"]
    converged: Bool[torch.Tensor, "poses"]

    @classmethod
    def at(cls, poses: Poses, found: Comparisons) -> Standing:
        """At the beginning."""
        count, device = len(poses), poses.device
        none = torch.zeros((count, solver.SECANTS, 6), dtype=torch.float64, device=device)
        return cls(
            poses=poses,
            damping=torch.full((count,), solver.DAMPING, dtype=torch.float64, device=device),
            refusals=torch.zeros(count, dtype=torch.int64, device=device),
            steps=none,
            changes=none.clone(),
            active=torch.ones(count, dtype=torch.bool, device=device),
            converged=torch.zeros(count, dtype=torch.bool, device=device),
            **{field.name: getattr(found, field.name) for field in fields(found)},
        )

    @property
    def comparisons(self) -> Comparisons:
        """Of the poses as they stand."""
        return Comparisons(*(getattr(self, field.name) for field in fields(Comparisons)))


class DeviceSolver:
    """Levenberg–Marquardt on poses (world_from_ct) of `ct` at one level, with the same rules as `refine`.

    `compare` gives the views' summed cost of poses; `projections` (3×4) are those of the views' cameras.
    """

    def __init__(
        self,
        ct: CT,
        compare: Callable[[Poses], Comparisons],
        projections: Sequence[Float64[np.ndarray, "3 4"]],
        device: torch.device,
    ) -> None:
        def there(values: np.ndarray) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float64, device=device)

        self._compare = compare
        targets = ct.corners(0.5)
        self._radius = float(np.linalg.norm(targets - ct.centre, axis=1).mean())
        # Work in mm throughout: a rotation counts by the arc it draws at the CT's edge.
        self._scale = there(np.array([1 / self._radius] * 3 + [1.0] * 3))
        self._centre = there(np.append(ct.centre, 1.0))
        self._targets = there(np.column_stack([targets, np.ones(len(targets))]).T)
        self._projections = there(np.stack(projections))
        self._tiny = 1e-12 * torch.eye(6, dtype=torch.float64, device=device)

    def solve(
        self, poses: Poses, most_iterations: int
    ) -> tuple[Standing, Float64[torch.Tensor, "iterations poses n"]]:
        """Where the poses end, and the steps (`STEP_NUMBERS` and 16 numbers each) that led there."""
        standing = Standing.at(poses.clone(), self._compare(poses))
        device = poses.device
        steps = torch.zeros((most_iterations, len(poses), STEP_NUMBERS + 16), dtype=torch.float64, device=device)
        number = torch.zeros(1, dtype=torch.int64, device=device)
        done = torch.zeros((), dtype=torch.bool, device=device)

        def step() -> None:
            after, written = self.stepped(standing)
            for field in fields(Standing):
                getattr(standing, field.name).copy_(getattr(after, field.name))
            steps.index_copy_(0, number, written[None])
            number.add_(1)
            done.copy_(~standing.active.any())

        repeat(step, most_iterations, done)
        return standing, steps

    def stepped(self, now: Standing) -> tuple[Standing, Float64[torch.Tensor, "poses n"]]:
        """One step of each pose that is still on its way, and what is written down of it."""
        centre = (now.poses @ self._centre)[:, :3]
        H = with_secants(now.hessian * self._scale[:, None] * self._scale, now.steps, now.changes)
        diagonal = H.diagonal(dim1=1, dim2=2)
        diagonal = diagonal + solver.HELD_BACK * diagonal.amax(dim=1, keepdim=True)
        damped = H + torch.diag_embed(now.damping[:, None] * diagonal) + self._tiny
        step = solved(damped, -now.gradient * self._scale)
        length = step.norm(dim=1, keepdim=True).clamp(min=1e-12)
        step = self._scale * step * (solver.LARGEST_STEP * self._radius / length).clamp(max=1.0)
        candidates = torch.where(now.active[:, None, None], moved_about(centre, step, now.poses), now.poses)
        tried = self._compare(candidates)
        improved = now.active & (tried.cost < now.cost)
        pixels = self._largest_pixel_motion(candidates, now.poses)
        # The step in units of its own uncertainty, squared: what remains below that is noise, not motion.
        squared = (step[:, None] @ now.hessian @ step[:, :, None])[:, 0, 0]
        surprise = squared * now.samples / (now.residual**2).clamp(min=1e-12)
        near = pixels < solver.NOISE_PIXELS
        settled = (pixels < solver.CONVERGED_PIXELS) | (near & (surprise < solver.SETTLED_SURPRISE))
        refusals = torch.where(improved, 0, now.refusals + 1)
        damping = torch.where(
            improved, (now.damping / solver.EASIER).clamp(min=solver.LEAST_DAMPING), now.damping * solver.HARDER
        )
        arrived = settled | (refusals >= solver.MOST_REFUSALS)
        converged = arrived | (near & (surprise < solver.BELIEVED_SURPRISE))
        change = (tried.gradient - now.gradient) * self._scale
        kept = {
            field.name: _chosen(improved, getattr(tried, field.name), getattr(now, field.name))
            for field in fields(Comparisons)
        }
        after = Standing(
            poses=_chosen(improved, candidates, now.poses),
            damping=_chosen(now.active, damping, now.damping),
            refusals=_chosen(now.active, refusals, now.refusals),
            steps=_chosen(improved, _pushed(now.steps, step / self._scale), now.steps),
            changes=_chosen(improved, _pushed(now.changes, change), now.changes),
            active=now.active & ~arrived,
            converged=_chosen(now.active, converged, now.converged),
            **kept,
        )
        numbers = [tried.score, tried.residual, step[:, :3].norm(dim=1), step[:, 3:].norm(dim=1), improved, now.active]
        written = torch.cat([torch.stack([n.double() for n in numbers], dim=1), after.poses.flatten(1)], dim=1)
        return after, written

    def _largest_pixel_motion(self, moved: Poses, poses: Poses) -> Float64[torch.Tensor, "poses"]:
        """How far a step moves the images of the CT's corners, in pixels: depth hardly counts."""

        def pixels(of: Poses) -> torch.Tensor:
            seen = self._projections @ (of @ self._targets)[:, None]
            return torch.where(seen[:, :, 2:] > 0, seen[:, :, :2] / seen[:, :, 2:], torch.inf)

        motion = (pixels(moved) - pixels(poses)).norm(dim=2)
        return torch.where(motion.isfinite(), motion, torch.inf).amax(dim=(1, 2))


def with_secants(
    H: Float64[torch.Tensor, "poses 6 6"],
    steps: Float64[torch.Tensor, "poses kept 6"],
    changes: Float64[torch.Tensor, "poses kept 6"],
) -> Float64[torch.Tensor, "poses 6 6"]:
    """As the solver's on the processor; steps of 0 have not been taken."""
    for step, change in zip(steps.unbind(dim=1), changes.unbind(dim=1), strict=True):
        expected = (H @ step[:, :, None])[:, :, 0]
        along, seen = (step * expected).sum(dim=1), (step * change).sum(dim=1)
        taken = along > 0
        along = torch.where(taken, along, 1.0)
        steep = seen >= solver.LEAST_CURVATURE * along
        part = torch.where(steep, 1.0, (1 - solver.LEAST_CURVATURE) * along / torch.where(steep, 1.0, along - seen))
        change = part[:, None] * change + (1 - part)[:, None] * expected
        curvature = torch.where(taken, (step * change).sum(dim=1), 1.0)
        corrected = (
            H
            - expected[:, :, None] * expected[:, None] / along[:, None, None]
            + change[:, :, None] * change[:, None] / curvature[:, None, None]
        )
        H = torch.where(taken[:, None, None], corrected, H)
    return H


def _pushed(kept: Float64[torch.Tensor, "poses kept 6"], new: Vectors) -> Float64[torch.Tensor, "poses kept 6"]:
    """The oldest gives way."""
    return torch.cat([kept[:, 1:], new[:, None]], dim=1)


def _chosen(which: Bool[torch.Tensor, "poses"], one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.where(which.reshape(-1, *[1] * (one.ndim - 1)), one, other)
