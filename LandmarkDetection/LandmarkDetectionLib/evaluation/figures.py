"""Figures over many X-rays: radial errors, what is within 10 mm, by where landmarks lie and how much is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from ..detection.landmark_detections import LandmarkDetections
from .simulated_cases import LandmarkCase

WITHIN_MM = 10.0
# Bounds of the parts of the skull's landmarks that an image shows.
_SHOWN = (0.0, 0.25, 0.5, 0.75, 1.0)
_LENSES = "eye lens"


@dataclass(frozen=True, eq=False)
class CaseErrors:
    """Errors of one X-ray's landmarks (mm at the head's depth; NaN where the truth is not known).

    `in_space` is at the true depth of the head's middle, which a C-arm's geometry tells; `alone` without it.
    `normalised` is the squared error in the image under its stated covariance, 2 on average where that is right.
    """

    in_image: Float64[np.ndarray, "n"]
    in_space: Float64[np.ndarray, "n"]
    alone: Float64[np.ndarray, "n"]
    normalised: Float64[np.ndarray, "n"]
    visible: Bool[np.ndarray, "n"]
    visible_part: float
    is_sure: bool
    seconds: float


@dataclass(frozen=True)
class ErrorFigures:
    """Over `count` landmarks: mean and 95th percentile (mm) in the image, parts within 10 mm in it and in space."""

    count: int
    mean_mm: float
    p95_mm: float
    within_2d: float
    within_3d: float


def case_errors(
    case: LandmarkCase, found: LandmarkDetections, with_depth: LandmarkDetections, seconds: float
) -> CaseErrors:
    """Errors of `found`, and in space of what was found `with_depth` given."""
    focal = case.focal_length
    off = found.pixels - case.pixels
    covariance = np.where(case.known[:, None, None], found.pixel_covariance, np.eye(2))
    return CaseErrors(
        np.linalg.norm(with_depth.pixels - case.pixels, axis=1) * case.depth_mm / focal,
        np.linalg.norm(with_depth.camera_points - case.points, axis=1),
        np.linalg.norm(found.camera_points - case.points, axis=1),
        np.einsum("ni,nij,nj->n", off, np.linalg.inv(covariance), off),
        case.visible,
        case.visible_part,
        found.is_sure,
        seconds,
    )


def figures(names: Sequence[str], cases: Sequence[CaseErrors]) -> dict[str, Any]:
    """All figures of a run, for JSON."""
    in_image, in_space, alone, normalised, visible = (
        np.stack([getattr(case, name) for case in cases])
        for name in ("in_image", "in_space", "alone", "normalised", "visible")
    )
    known = np.isfinite(in_image)
    lens = np.array([name.startswith(_LENSES) for name in names])[None]

    def over(where: Bool[np.ndarray, "k n"]) -> dict[str, Any]:
        return asdict(_over(in_image[where & known], in_space[where & known]))

    part = np.array([case.visible_part for case in cases])[:, None]
    everything = np.ones_like(known)
    by_part = {
        f"{low:.0%} to {high:.0%}": over(everything & (part >= low) & ((part < high) | (high == 1)))
        for low, high in pairwise(_SHOWN)
    }
    return {
        "x_rays": len(cases),
        "all": over(everything),
        "seen": over(visible),
        "not_seen": over(~visible),
        "eye_lenses": over(lens & everything),
        "by_visible_part": {name: one for name, one in by_part.items() if one["count"]},
        "by_landmark": {name: over(everything & (np.arange(len(names)) == n)) for n, name in enumerate(names)},
        "alone_in_space_mm": float(np.median(alone[known])),
        "normalised_error": float(np.median(normalised[known]) / (2 * np.log(2))),
        "sure": float(np.mean([case.is_sure for case in cases])),
        "seconds": float(np.median([case.seconds for case in cases])),
    }


def _over(in_image: Float64[np.ndarray, "k"], in_space: Float64[np.ndarray, "k"]) -> ErrorFigures:
    if not len(in_image):
        return ErrorFigures(0, *(float("nan"),) * 4)
    return ErrorFigures(
        len(in_image),
        float(in_image.mean()),
        float(np.percentile(in_image, 95)),
        float((in_image <= WITHIN_MM).mean()),
        float((in_space <= WITHIN_MM).mean()),
    )
