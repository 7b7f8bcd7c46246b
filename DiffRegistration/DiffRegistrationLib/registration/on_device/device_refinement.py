"""Candidates of one level refined together on the projector's device; what the solver found comes back at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64

from ..result import Iteration
from ..solver import Refinement, WatchSteps
from ..task import Task
from .device_solver import STEP_NUMBERS, DeviceSolver
from .device_view import compared, device_view


def refined_together(
    task: Task,
    binnings: Sequence[int],
    poses: Sequence[Float64[np.ndarray, "4 4"]],
    *,
    most_iterations: int,
    watch: WatchSteps,
) -> list[Refinement]:
    """Each of `poses` (world_from_ct) refined with the X-rays binned by `binnings`, by correlation.

    `watch` is told of all steps once they are done.
    """
    projector = task.projector.on_device
    assert projector is not None
    views = [
        device_view(radiograph, binning, task.projector, poses, similarity, task.others, weight)
        for radiograph, binning, similarity, weight in zip(
            task.radiographs, binnings, task.similarities, task.weights, strict=True
        )
    ]
    begin = torch.tensor(np.stack(poses), dtype=torch.float64, device=projector.device)
    for view in views:
        view.begin(projector, begin)
    solver = DeviceSolver(
        projector.ct,
        lambda poses: compared(views, projector, poses),
        [view.camera.projection_matrix for view in views],
        projector.device,
    )
    standing, steps = solver.solve(begin, most_iterations)
    written = steps.cpu().numpy()
    ends = zip(standing.poses.cpu().numpy(), standing.comparisons.on_host(), standing.converged.tolist(), strict=True)
    found = []
    for candidate, (pose, comparison, converged) in enumerate(ends):
        taken = [
            (_iteration(binnings[0], number, numbers), numbers[STEP_NUMBERS:].reshape(4, 4))
            for number, numbers in enumerate(written[:, candidate], 1)
            if numbers[STEP_NUMBERS - 1]
        ]
        for iteration, moved in taken:
            watch(iteration, moved)
        found.append(Refinement(pose, comparison, tuple(iteration for iteration, _ in taken), converged))
    return found


def _iteration(binning: int, number: int, numbers: Float64[np.ndarray, "n"]) -> Iteration:
    score, residual, turned, moved, improved = map(float, numbers[: STEP_NUMBERS - 1])
    return Iteration(binning, number, score, residual, float(np.degrees(turned)), moved, bool(improved))
