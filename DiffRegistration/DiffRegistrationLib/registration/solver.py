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
CONVERGED_PIXELS = 0.02
# … or by this, if that is less than the noise lets anyone know: its square in units of its uncertainty is below the
# first number. Below the second it is good enough to be believed if the iterations end here.
NOISE_PIXELS, SETTLED_SURPRISE, BELIEVED_SURPRISE = 0.25, 0.2, 6.0
MOST_REFUSALS = 4
SECANTS = 3
# Beyond this part of the CT's own size no linearisation holds.
LARGEST_STEP = 0.5
# Marquardt's damping at first, what a refused and an accepted step make of it, and what it never falls below; and
# the part of the largest diagonal that holds back directions which the images do not show.
DAMPING, HARDER, EASIER, LEAST_DAMPING, HELD_BACK = 1e-2, 8.0, 5.0, 1e-6, 1e-3
# Curvature of less than this part of the expected one is taken for it (Powell).
LEAST_CURVATURE = 0.25


# Told of each step, and the pose (world_from_ct) after it.
WatchSteps = Callable[[Iteration, Float64[np.ndarray, "4 4"]], None]


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
    watch: WatchSteps | None = None,
) -> Refinement:
    """Minimise the views' summed cost from `pose` (world_from_ct) at one level.

    Marquardt's damping scales with the Hessian's diagonal, which makes rad and mm commensurable; a direction that the
    images do not show (the depth of a scout) has a small diagonal and is held back by the largest one.
    """
    current = compare_all(levels, projector, pose)
    iterations: list[Iteration] = []
    secants: list[tuple[np.ndarray, np.ndarray]] = []
    damping, refusals, converged = DAMPING, 0, False
    centre_of_ct = projector.ct.centre
    targets = projector.ct.corners(0.5)
    radius = float(np.linalg.norm(targets - centre_of_ct, axis=1).mean())
    for number in range(1, most_iterations + 1):
        centre = rigid.transform_points(pose, [centre_of_ct])[0]
        # Work in mm throughout: a rotation counts by the arc it draws at the CT's edge.
        scale = np.array([1 / radius] * 3 + [1.0] * 3)
        H = _with_secants(current.hessian * np.outer(scale, scale), secants)
        g = current.gradient * scale
        diagonal = np.diag(H) + HELD_BACK * np.diag(H).max()
        step = np.linalg.solve(H + damping * np.diag(diagonal) + 1e-12 * np.eye(6), -g)
        step = scale * step * min(1.0, LARGEST_STEP * radius / max(float(np.linalg.norm(step)), 1e-12))
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
        # The step in units of its own uncertainty, squared: what remains below that is noise, not motion.
        surprise = step @ current.hessian @ step * current.samples / max(current.residual**2, 1e-12)
        settled = pixels < CONVERGED_PIXELS or (pixels < NOISE_PIXELS and surprise < SETTLED_SURPRISE)
        if improved:
            secants = [*secants, (step / scale, (tried.gradient - current.gradient) * scale)][-SECANTS:]
            pose, current = candidate, tried
            damping, refusals = max(damping / EASIER, LEAST_DAMPING), 0
        else:
            damping, refusals = damping * HARDER, refusals + 1
        if watch is not None:
            watch(iteration, pose)
        converged = settled or refusals >= MOST_REFUSALS
        if converged:
            break
        # Good enough to be believed if the iterations end here, but worth another step if they do not.
        converged = pixels < NOISE_PIXELS and surprise < BELIEVED_SURPRISE
    return Refinement(pose, current, tuple(iterations), converged)


def _with_secants(
    H: Float64[np.ndarray, "6 6"], secants: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Float64[np.ndarray, "6 6"]:
    """Gauss–Newton's Hessian, corrected by how the gradient really changed over the last steps (BFGS).

    Fine structure makes the cost flatten within a pixel or two, where Gauss–Newton alone believes in a far steeper
    bowl and creeps; the gradients are at hand anyway.
    """
    for step, change in secants:
        along, seen = step @ H @ step, step @ change
        if along <= 0:
            continue
        # Powell's damping: curvature that is negative or tiny is taken for a quarter of the expected one.
        part = 1.0 if seen >= LEAST_CURVATURE * along else (1 - LEAST_CURVATURE) * along / (along - seen)
        change = part * change + (1 - part) * H @ step
        H = H - np.outer(H @ step, H @ step) / along + np.outer(change, change) / (step @ change)
    return H


def _largest_pixel_motion(
    levels: Sequence[ViewLevel],
    moved: Float64[np.ndarray, "4 4"],
    pose: Float64[np.ndarray, "4 4"],
    targets: Float64[np.ndarray, "n 3"],
) -> float:
    """How far a step moves the images of `targets` (CT frame, mm), in pixels: depth hardly counts."""
    before, after = rigid.transform_points(pose, targets), rigid.transform_points(moved, targets)
    motions = [np.linalg.norm(v.camera.project(after) - v.camera.project(before), axis=1) for v in levels]
    largest = float(np.max(motions))
    return largest if np.isfinite(largest) else np.inf
