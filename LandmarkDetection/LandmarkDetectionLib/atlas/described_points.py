"""Landmarks as named points with descriptions, as 3D Slicer's markups hold them, and how a moved one is recognised.

The description of each point says how it came to its place, where that is (RAS mm) and how sure it is:

    transferred to (12.300, -4.500, 88.100) ± 2.0 mm

Slicer keeps descriptions as they are when a point is dragged. A point that no longer lies where its description says
was therefore moved by a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Float64

from .definitions import skull_landmarks
from .landmark_set import LandmarkSet, LandmarkStatus

BY_HAND_MM = 1.5
"""What a point is good to that a person placed: about what two people differ by on a CT."""
UNKNOWN_POINT = "unknown"
"""The description of a landmark without a place."""
_FEWEST = 4
# Positions are written to 0.001 mm; nobody drags a point by less than this.
_MOVED_MM = 0.05
_WORDS = {
    LandmarkStatus.PLACED: "placed at",
    LandmarkStatus.TRANSFERRED: "transferred to",
    LandmarkStatus.CORRECTED: "corrected to",
    LandmarkStatus.OUTSIDE: "outside the CT, transferred to",
}
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_DESCRIPTION = re.compile(rf"^(.+?) \({_NUMBER}, {_NUMBER}, {_NUMBER}\) ± {_NUMBER} mm$")


@dataclass(frozen=True, eq=False)
class NamedPoint:
    """A point of a list: its label, where it is (RAS mm; None for nowhere), and its description."""

    label: str
    position: Float64[np.ndarray, "3"] | None
    description: str = ""


@dataclass(frozen=True, eq=False)
class Described:
    """What a description says: where the point was put (RAS mm), how sure that was, and how it came there."""

    position: Float64[np.ndarray, "3"]
    uncertainty_mm: float
    status: LandmarkStatus


def description_of(landmarks: LandmarkSet, number: int) -> str:
    """The description of one of these landmarks, by its place among them."""
    if not landmarks.is_known[number]:
        return UNKNOWN_POINT
    x, y, z = (float(v) for v in landmarks.points[number])
    words = _WORDS.get(landmarks.status[number], _WORDS[LandmarkStatus.PLACED])
    uncertainty = np.nan_to_num(landmarks.uncertainty_mm[number], nan=0.0)
    return f"{words} ({x:.3f}, {y:.3f}, {z:.3f}) ± {uncertainty:.1f} mm"


def described(description: str) -> Described | None:
    """What a description of ours says; None for any other words."""
    found = _DESCRIPTION.match(description.strip())
    status = {words: status for status, words in _WORDS.items()}.get(found[1]) if found else None
    if found is None or status is None:
        return None
    return Described(np.array([float(found[k]) for k in (2, 3, 4)]), float(found[5]), status)


def landmark_name(label: str) -> str | None:
    """The landmark that a label means, whatever its capital letters; None for no landmark's."""
    return _by_label().get(label.strip().casefold())


@cache
def _by_label() -> dict[str, str]:
    return {name.casefold(): name for name in skull_landmarks().names}


def landmarks_of_points(subject: object, points: Iterable[NamedPoint]) -> LandmarkSet:
    """All 55 landmarks, in their order, from a list of points; those not in the list are unknown.

    What was transferred and then moved is CORRECTED; a point without our description was PLACED by a person.
    InputError, about `subject`, for names that are not among the landmarks or are there twice, and for fewer than
    four landmarks.
    """
    names = skull_landmarks().names
    found: dict[str, Described] = {}
    strange, seen = [], set()
    for point in points:
        name = landmark_name(point.label)
        if name is None:
            strange.append(point.label.strip() or "(no name)")
            continue
        if name in seen:
            raise InputError(subject, f"has two points named “{name}”", "Delete or rename one of them.")
        seen.add(name)
        if point.position is not None:
            found[name] = as_it_is(point.position, point.description)
    if strange:
        raise InputError(
            subject,
            f"has points that are none of the skull's landmarks: {', '.join(strange)}",
            "Rename or delete them; the documentation lists the names.",
        )
    if len(found) < _FEWEST:
        raise InputError(
            subject, f"has {len(found)} of the skull's landmarks, expected {_FEWEST} or more", "Place more of them."
        )
    nowhere = Described(np.full(3, np.nan), float("nan"), LandmarkStatus.UNKNOWN)
    all_of_them = [found.get(name, nowhere) for name in names]
    return LandmarkSet(
        names,
        np.array([point.position for point in all_of_them]),
        np.array([point.uncertainty_mm for point in all_of_them]),
        tuple(point.status for point in all_of_them),
    )


def as_it_is(position: Float64[np.ndarray, "3"], description: str) -> Described:
    """A point at this place now: what its description says of it, if nobody has moved it since."""
    before = described(description)
    if before is None:
        return Described(position, BY_HAND_MM, LandmarkStatus.PLACED)
    if not was_moved(position, before):
        return Described(position, before.uncertainty_mm, before.status)
    was_placed = before.status is LandmarkStatus.PLACED
    return Described(position, BY_HAND_MM, LandmarkStatus.PLACED if was_placed else LandmarkStatus.CORRECTED)


def was_moved(position: Float64[np.ndarray, "3"], before: Described) -> bool:
    """Whether a point lies elsewhere than its description says."""
    return float(np.linalg.norm(position - before.position)) > _MOVED_MM
