"""What a kernel is asked to do, the same for every kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from ..geometry import Rays
from .volume import ProjectionVolume


@dataclass(frozen=True, eq=False)
class Casting:
    """Rays to be cast through a volume under a batch of poses.

    `voxel_from_world` maps world mm to padded voxels for each pose; `centres` (world mm) are the points that the
    increments of each pose turn about. A ray takes `samples` midpoints, or as many as keep them `step_mm` apart if
    `samples` is 0.
    """

    volume: ProjectionVolume
    voxel_from_world: Float64[np.ndarray, "poses 3 4"]
    centres: Float64[np.ndarray, "poses 3"]
    rays: Rays
    step_mm: float
    samples: int
    dtype: type[np.floating]


# Line integrals (poses, rays) and, if asked for, their derivative by the pose increment (poses, rays, 6).
Integrals = tuple[Float[np.ndarray, "poses rays"], Float[np.ndarray, "poses rays 6"] | None]
# Called with the casting and whether the derivative is wanted. All kernels agree to 1e-4.
Kernel = Callable[[Casting, bool], Integrals]
