"""What is registered to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .scene import PlacedBody
from .similarity import chosen


@dataclass(frozen=True, eq=False)
class Task:
    """What is registered: the CT (projector) to X-rays, each with its similarity and weight, among `others`."""

    projector: Projector
    radiographs: tuple[Radiograph, ...]
    similarities: tuple[str, ...]
    weights: tuple[float, ...]
    others: tuple[PlacedBody, ...] = ()

    @classmethod
    def of(
        cls,
        projector: Projector,
        radiographs: Sequence[Radiograph],
        similarity: str | Sequence[str],
        weights: Sequence[float] | None,
        others: Sequence[PlacedBody],
    ) -> Task:
        """ValueError for numbers that do not fit those of the X-rays, and weights that are not positive."""
        count = len(radiographs)
        names = [similarity] * count if isinstance(similarity, str) else list(similarity)
        weights = [1.0] * count if weights is None else [float(weight) for weight in weights]
        if not len(names) == len(weights) == count or not count:
            raise ValueError(f"{count} X-rays, {len(names)} similarities and {len(weights)} weights")
        if not (np.isfinite(weights).all() and min(weights) > 0):
            raise ValueError(f"weights must be positive numbers, got {weights}")
        means = {name: chosen(name, projector.ct) for name in set(names)}
        return cls(projector, tuple(radiographs), tuple(means[name] for name in names), tuple(weights), tuple(others))
