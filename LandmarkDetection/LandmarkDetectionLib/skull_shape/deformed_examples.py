"""Examples for a shape model: one head's landmarks and surface, carried to deformed heads."""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Float64

from ..atlas.head import Head
from ..atlas.landmark_set import LandmarkSet, LandmarkStatus
from ..population.deformation import deformed_head
from .shape_model import SkullTemplate
from .surface import Surface

# The images of these heads are thrown away.
_VOXEL_MM = 6.0


def deformed_examples(
    head: Head, surface: Surface, count: int, seed: int, strength: float = 1.0
) -> list[SkullTemplate]:
    """Landmarks and `surface` of `head` on `count` heads deformed from it; same seed, same heads.

    Unknown landmarks of `head` are left out. InputError where its landmarks are too few for a head's frame.
    """
    known = head.landmarks.named(np.array(head.landmarks.names)[head.landmarks.is_known].tolist())
    carrier = Head(head.name, head.ct, with_points(known, surface.vertices))
    examples = []
    for number in range(count):
        random = np.random.default_rng([seed, number, *b"skull"])
        points = deformed_head(carrier, random, strength, _VOXEL_MM).landmarks.points
        if not np.isfinite(points).all():
            raise InputError(f"head {head.name}", "a part of its surface cannot be carried", "Cut that part off.")
        cut = len(known.names)
        examples.append(SkullTemplate(known.names, points[:cut], Surface(points[cut:], surface.faces)))
    return examples


def with_points(landmarks: LandmarkSet, points: Float64[np.ndarray, "n 3"]) -> LandmarkSet:
    """Landmarks and further points (mm) that are carried wherever these are."""
    names = tuple(f"point {number}" for number in range(len(points)))
    return LandmarkSet(
        (*landmarks.names, *names),
        np.concatenate([landmarks.points, points]),
        np.concatenate([landmarks.uncertainty_mm, np.zeros(len(points))]),
        (*landmarks.status, *(LandmarkStatus.PLACED,) * len(points)),
    )
