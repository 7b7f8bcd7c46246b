"""A population of heads from a few known ones: head by number, each as often as asked the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError

from ..atlas.definitions import skull_landmarks
from ..atlas.head import Head
from ..atlas.landmark_set import LandmarkSet
from .deformation import deformable

# Every other head is a mirror image.
_MIRRORED = 0.5


def population(
    templates: Sequence[Head], count: int, seed: int, strength: float = 1.0, voxel_mm: float = 2.0
) -> Iterator[Head]:
    """`count` heads, made one at a time; see `population_head`."""
    for number in range(count):
        yield population_head(templates, number, seed, strength, voxel_mm)


def population_head(
    templates: Sequence[Head], number: int, seed: int, strength: float = 1.0, voxel_mm: float = 2.0
) -> Head:
    """The head of this number: one of `templates` in turn, deformed, and mirrored as often as not.

    `strength` scales how different heads are, on cubic voxels of `voxel_mm`. InputError without templates, or where
    one has too few landmarks.
    """
    if not templates:
        raise InputError("heads", "there is none to make others from", "Give at least one with landmarks.")
    random = np.random.default_rng([seed, number, *b"head"])
    made = deformable(templates[number % len(templates)], voxel_mm).deformed(random, strength)
    if random.uniform() < _MIRRORED:
        made = mirrored_head(made)
    return Head(f"head {number + 1}", made.ct, made.landmarks)


def mirrored_head(head: Head) -> Head:
    """The mirror image of a head (its CT's x turned round), what was right now called left; labels are lost."""
    ct, mirror = head.ct, np.diag([-1.0, 1.0, 1.0])
    matrix = ct.ct_from_voxel.copy()
    # The array is turned round along the axis that is the most from right to left: no grid becomes left-handed.
    axis = int(np.argmax(np.abs(matrix[0, :3])))
    matrix[:3, 3] += (ct.size[axis] - 1) * matrix[:3, axis]
    matrix[:3, axis] *= -1
    matrix[:3] = mirror @ matrix[:3]
    attenuation = np.flip(ct.attenuation, 2 - axis)
    landmarks = head.landmarks
    swapped = landmarks.named([_other_side(name) for name in landmarks.names])
    moved = LandmarkSet(landmarks.names, swapped.points @ mirror, swapped.uncertainty_mm, swapped.status)
    return Head(f"{head.name}, mirrored", CT(attenuation, matrix, None, ct.provenance), moved)


def _other_side(name: str) -> str:
    """The landmark that takes this one's place in a mirror; landmarks of one's own keep theirs."""
    known = skull_landmarks()
    return known.names[known.partners[known.names.index(name)]] if name in known.names else name
