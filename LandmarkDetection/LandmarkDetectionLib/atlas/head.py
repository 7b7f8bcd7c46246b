"""Heads whose landmarks are known: the computed one, and the Visible Human's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError

from .definitions import RESOURCES, skull_landmarks
from .landmark_set import LandmarkSet, LandmarkStatus

VISIBLE_HUMAN_SAMPLE = "visible-human-head"
VISIBLE_HUMAN_LANDMARKS = RESOURCES / "visible_human_landmarks.mrk.json"


@dataclass(frozen=True, eq=False)
class Head:
    """A CT of a head and its landmarks (RAS mm of the CT's own frame)."""

    name: str
    ct: CT
    landmarks: LandmarkSet


def phantom_head(voxel_mm: float = 1.0, variant: int = 0) -> Head:
    """The computed head, whose landmarks are exact by construction.

    `variant` 0 is the reference, any other number another person. ValueError for a voxel size outside 0.25 to 8 mm.
    """
    from DiffRegistrationLib.xray.phantom import head_phantom

    phantom = head_phantom(voxel_mm, variant=variant)
    names = skull_landmarks().names
    points = np.array([phantom.landmarks[name] for name in names])
    placed = (LandmarkStatus.PLACED,) * len(names)
    name = "phantom" if variant == 0 else f"phantom, variant {variant}"
    return Head(name, phantom.ct, LandmarkSet(names, points, np.zeros(len(names)), placed))


def visible_human_head() -> Head:
    """The Visible Human female's head and neck. InputError, which says how to get it, where the data is absent."""
    from DiffRegistrationLib.xray.files.ct_files import read_ct
    from DiffRegistrationLib.xray.files.sample_data import sample

    from .landmark_files import read_landmarks

    ct = read_ct(sample(VISIBLE_HUMAN_SAMPLE))
    return Head("visible-human", ct, read_landmarks(VISIBLE_HUMAN_LANDMARKS))


def template_head() -> Head:
    """The head whose landmarks are carried to other CTs: the Visible Human's, or the computed one without its data."""
    try:
        return visible_human_head()
    except InputError:
        return phantom_head()
