"""All candidates of one level, refined: one by one on the processor, or together on the projector's device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from ..xray.geometry import PinholeCamera
from .similarity import CORRELATED_FEATURES
from .solver import Refinement, WatchSteps, refine
from .task import Task
from .views import view_level


def refined_at_level(
    task: Task,
    binnings: Sequence[int],
    poses: Sequence[Float64[np.ndarray, "4 4"]],
    *,
    most_iterations: int,
    watch: WatchSteps,
) -> list[Refinement]:
    """Each of `poses` (world_from_ct) refined with the X-rays binned by `binnings`.

    Together on a device, `watch` is told of the steps when all are done.
    """
    if poses and is_solved_on_device(task):
        # Torch, which only programs with a device have to have.
        from .on_device.device_refinement import refined_together

        return refined_together(task, binnings, poses, most_iterations=most_iterations, watch=watch)
    return [_refined(task, binnings, pose, most_iterations, watch) for pose in poses]


def is_solved_on_device(task: Task) -> bool:
    """Whether the projector has a device, and all views can be compared there: cone beams, by correlation."""
    return (
        task.projector.on_device is not None
        and all(isinstance(radiograph.camera, PinholeCamera) for radiograph in task.radiographs)
        and all(name in CORRELATED_FEATURES for name in task.similarities)
    )


def _refined(
    task: Task, binnings: Sequence[int], pose: Float64[np.ndarray, "4 4"], most_iterations: int, watch: WatchSteps
) -> Refinement:
    views = [
        view_level(radiograph, binning, task.projector, pose, similarity, task.others, weight)
        for radiograph, binning, similarity, weight in zip(
            task.radiographs, binnings, task.similarities, task.weights, strict=True
        )
    ]
    return refine(views, task.projector, pose, binning=binnings[0], most_iterations=most_iterations, watch=watch)
