"""A patient who moves during the exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from ..geometry import rigid
from .limits import check_within


@dataclass(frozen=True)
class Motion:
    """A steady turn and shift in `steps` equal parts of the exposure, `rotation_deg` and `translation_mm` in all.

    ValueError for a negative motion or fewer than two steps.
    """

    rotation_deg: float
    translation_mm: float
    steps: int = 8

    def __post_init__(self) -> None:
        check_within("rotation_deg", self.rotation_deg, 0, 180, "°")
        check_within("translation_mm", self.translation_mm, 0, unit="mm")
        check_within("steps", self.steps, 2)

    def poses(
        self, pose: Float64[np.ndarray, "4 4"], centre: ArrayLike, generator: np.random.Generator
    ) -> Float64[np.ndarray, "steps 4 4"]:
        """Poses in the middle of each part of the exposure; the mean of the image's of all of them is the blurred one.

        They lie evenly about `pose`, the exposure's middle, on one turn about `centre` (world mm) and one shift, each
        in a direction drawn evenly from all.
        """
        directions = generator.standard_normal((2, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        twist = np.concatenate([np.radians(self.rotation_deg) * directions[0], self.translation_mm * directions[1]])
        parts = (np.arange(self.steps) + 0.5) / self.steps - 0.5
        return np.stack([rigid.move_about(centre, part * twist, pose) for part in parts])
