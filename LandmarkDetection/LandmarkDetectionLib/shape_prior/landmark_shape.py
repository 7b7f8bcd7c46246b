"""Mean landmarks of a population and the modes in which heads differ; or one patient's, which do not differ at all.

A point distribution model (Cootes et al., CVIU 61(1), 1995); size is a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64

from ..atlas.head import Head
from ..atlas.head_frame import ct_from_head
from ..population.population import population_head
from ..skull_shape.procrustes import best_rigid

_EXAMPLES, _VOXEL_MM = 160, 6.0
_EXPLAINED, _MOST_MODES, _ROUNDS = 0.99, 28, 4
# Landmarks of a known CT are as exact as they were placed.
_PLACED_MM = 1.0


@dataclass(frozen=True, eq=False)
class LandmarkShape:
    """Landmarks are `mean` (mm) plus `modes`, each times a normal number of variance 1, plus what neither explains.

    `rest_mm` is the standard deviation of that along each axis, landmark by landmark. Landmarks that no head shows
    are NaN in the mean.
    """

    mean: Float64[np.ndarray, "n 3"]
    modes: Float64[np.ndarray, "m n 3"]
    rest_mm: Float64[np.ndarray, "n"]


def patient_shape(head: Head) -> LandmarkShape:
    """The landmarks of one head, about their mean, in its Frankfurt axes."""
    points = rigid.transform_points(rigid.inverse(ct_from_head(head.landmarks)), head.landmarks.points)
    points -= np.nanmean(points, axis=0)
    uncertainty = np.nan_to_num(np.array(head.landmarks.uncertainty_mm), nan=_PLACED_MM)
    return LandmarkShape(points, np.zeros((0, *points.shape)), np.maximum(uncertainty, 0.5))


def population_shape(templates: Sequence[Head], seed: int) -> LandmarkShape:
    """The shape of heads deformed from `templates`, none of which need an image; same arguments, same shape."""
    heads = [population_head(templates, number, seed, voxel_mm=_VOXEL_MM) for number in range(_EXAMPLES)]
    return shape_of([head.landmarks.points for head in heads])


def shape_of(examples: Sequence[Float64[np.ndarray, "n 3"]]) -> LandmarkShape:
    """The shape of landmark sets that correspond; a landmark that any example lacks is left to the others' mean."""
    points = np.stack(examples)
    known = np.isfinite(points).all(axis=2)
    mean = points[int(np.argmax(known.sum(axis=1)))]
    mean = mean - np.nanmean(mean, axis=0)
    aligned = points
    for _ in range(_ROUNDS):
        aligned = np.stack([_onto(one, mean) for one in points])
        mean = np.nanmean(aligned, axis=0)
    deviations = np.where(np.isfinite(aligned), aligned - mean, 0.0).reshape(len(points), -1)
    _, lengths, directions = np.linalg.svd(deviations, full_matrices=False)
    variances = lengths**2 / max(len(points) - 1, 1)
    share = np.cumsum(variances) / max(variances.sum(), 1e-12)
    count = min(int(np.searchsorted(share, _EXPLAINED)) + 1, _MOST_MODES, len(points) - 1)
    modes = (directions[:count] * np.sqrt(variances[:count])[:, None]).reshape(count, -1, 3)
    rest = deviations - (deviations @ directions[:count].T) @ directions[:count]
    return LandmarkShape(mean, modes, np.sqrt((rest.reshape(len(points), -1, 3) ** 2).mean(axis=(0, 2))) + 0.3)


def _onto(points: Float64[np.ndarray, "n 3"], mean: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    both = np.isfinite(points).all(axis=1) & np.isfinite(mean).all(axis=1)
    return rigid.transform_points(best_rigid(points[both], mean[both]), points)
