"""Levenberg–Marquardt on the pose, coarse to fine; the best pose seen is kept, never just the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..xray.geometry import rigid
from ..xray.projector import Projector
from .result import Iteration
from .similarity import Comparison
from .views import ViewLevel, compare_all

# A step is done with when it moves no pixel by more than this.
_CONVERGED_PIXELS = 0.02
# … or by this, if that is less than the noise lets anyone know.
_NOISE_PIXELS = 0.25
_MOST_REFUSALS = 4


@dataclass(frozen=True, eq=False)
class Refinement:
    """Where one level's iterations led, and the comparison there."""

    pose: Float64[np.ndarray, "4 4"]
    comparison: Comparison
    iterations: tuple[Iteration, ...]
    converged: bool


def refine(
    levels: Sequence[ViewLevel],
    projector: Projector,
    pose: Float64[np.ndarray, "4 4"],
    *,
    binning: int,
    most_iterations: int = 20,
    watch: Callable[[Iteration, Float64[np.ndarray, "4 4"]], None] | None = None,
) -> Refinement:
    """Minimise the views' summed cost from `pose` (world_from_ct) at one level.

    Marquardt's damping scales with the Hessian's diagonal, which makes rad and mm commensurable; a direction that the
    images do not show (the depth of a scout) has a small diagonal and is held back by the largest one.
    """
    current = compare_all(levels, projector, pose)
    iterations: list[Iteration] = []
    damping, refusals, converged = 1e-2, 0, False
    centre_of_ct = projector.ct.centre
    targets = projector.ct.corners(0.5)
    radius = float(np.linalg.norm(targets - centre_of_ct, axis=1).mean())
    for number in range(1, most_iterations + 1):
        centre = rigid.transform_points(pose, [centre_of_ct])[0]
        # Work in mm throughout: a rotation counts by the arc it draws at the CT's edge.
        scale = np.array([1 / radius] * 3 + [1.0] * 3)
        H = current.hessian * np.outer(scale, scale)
        g = current.gradient * scale
        diagonal = np.diag(H) + 1e-3 * np.diag(H).max()
        step = scale * np.linalg.solve(H + damping * np.diag(diagonal) + 1e-12 * np.eye(6), -g)
        candidate = rigid.orthonormalised(rigid.move_about(centre, step, pose))
        tried = compare_all(levels, projector, candidate)
        improved = tried.cost < current.cost
        iteration = Iteration(
            binning,
            number,
            tried.score,
            tried.residual,
            float(np.degrees(np.linalg.norm(step[:3]))),
            float(np.linalg.norm(step[3:])),
            improved,
        )
        iterations.append(iteration)
        pixels = _largest_pixel_motion(levels, candidate, pose, targets)
        # A sub-pixel step within its own uncertainty: what remains is noise, not motion.
        within_noise = step @ current.hessian @ step * current.samples < 1.5 * current.residual**2
        settled = pixels < _CONVERGED_PIXELS or (pixels < _NOISE_PIXELS and within_noise)
        if improved:
            pose, current = candidate, tried
            damping, refusals = max(damping / 5, 1e-6), 0
        else:
            damping, refusals = damping * 8, refusals + 1
        if watch is not None:
            watch(iteration, pose)
        converged = settled or refusals >= _MOST_REFUSALS
        if converged:
            break
    return Refinement(pose, current, tuple(iterations), converged)


def _largest_pixel_motion(
    levels: Sequence[ViewLevel],
    moved: Float64[np.ndarray, "4 4"],
    pose: Float64[np.ndarray, "4 4"],
    targets: Float64[np.ndarray, "n 3"],
) -> float:
    """How far (pixels) a step moves the images of `targets` (CT frame, mm): depth hardly counts, as it should."""
    before, after = rigid.transform_points(pose, targets), rigid.transform_points(moved, targets)
    motions = [np.linalg.norm(v.camera.project(after) - v.camera.project(before), axis=1) for v in levels]
    largest = float(np.max(motions))
    return largest if np.isfinite(largest) else np.inf
