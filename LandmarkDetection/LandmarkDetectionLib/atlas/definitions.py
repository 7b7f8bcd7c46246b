"""The 55 landmarks of the skull: their names and order, what each is, and how it is refined on a CT.

Names and order are part of every data set and trained model; `SkullLandmarks.fingerprint` changes with them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

RESOURCES = Path(__file__).parent.parent / "Resources"
COUNT = 55
SIDES = ("right", "left")
_REGIONS = {"vault", "face", "base", "orbit", "mandible", "teeth", "cervical spine"}


class Tissue(StrEnum):
    """What a landmark lies on."""

    BONE = "bone"
    TOOTH = "tooth"
    SOFT_TISSUE = "soft tissue"


class SnapKind(StrEnum):
    """How a landmark that is nearly in place is refined on a CT."""

    EXTREME = "extreme"
    """The point of the bone's surface that lies farthest along a direction of the head."""
    SURFACE = "surface"
    """The nearest point of the surface that faces a direction of the head."""
    LENS = "lens"
    """The centre of what looks like the lens of an eye."""
    NONE = "none"
    """Left where it is: it lies on no surface of bone, or on one that a CT does not part from its neighbour."""


@dataclass(frozen=True)
class Snap:
    """A rule of refinement: search within `radius_mm`, with `direction` (unit vector, Frankfurt frame) on surfaces."""

    kind: SnapKind
    direction: tuple[float, float, float] | None = None
    radius_mm: float = 0.0


@dataclass(frozen=True)
class LandmarkDefinition:
    """What one landmark is.

    `side` is "right", "left" or "midline"; `partner` is its mirror image's name, on the midline its own.
    """

    name: str
    abbreviation: str
    side: str
    region: str
    tissue: Tissue
    definition: str
    source: str
    partner: str
    snap: Snap


@dataclass(frozen=True)
class SkullLandmarks:
    """Landmarks in their order. ValueError for a set that is not whole: a name twice, a wrong partner, one missing."""

    definitions: tuple[LandmarkDefinition, ...]

    def __post_init__(self) -> None:
        if len(self.definitions) != COUNT:
            raise ValueError(f"{len(self.definitions)} landmarks, expected {COUNT}")
        for texts in (self.names, [one.abbreviation.casefold() for one in self.definitions]):
            twice = {text for text in texts if list(texts).count(text) > 1}
            if twice:
                raise ValueError(f"more than one landmark is called {', '.join(sorted(twice))}")
        for one in self.definitions:
            _check(one, self._by_name.get(one.partner))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(one.name for one in self.definitions)

    @cached_property
    def partners(self) -> Int64[np.ndarray, "n"]:
        """Index of each landmark's mirror image; its own index on the midline."""
        partners = np.array([self.names.index(one.partner) for one in self.definitions], dtype=np.int64)
        partners.flags.writeable = False
        return partners

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any name, its place in the order or any definition."""
        meaning = [[one.name, one.side, one.tissue, one.definition, one.partner] for one in self.definitions]
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:12]

    def definition(self, name: str) -> LandmarkDefinition:
        """The landmark of this name. KeyError for a name that there is not."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, LandmarkDefinition]:
        return {one.name: one for one in self.definitions}


@cache
def skull_landmarks() -> SkullLandmarks:
    """The 55 landmarks: 23 of the midline, then 16 pairs, right before left."""
    content = json.loads((RESOURCES / "skull_landmarks.json").read_text(encoding="utf-8"))
    found = []
    for entry in content["landmarks"]:
        unknown = [source for source in entry["sources"] if source not in content["sources"]]
        if unknown:
            raise ValueError(f"{entry['name']} cites {', '.join(unknown)}, which is not among the sources")
        found += [_definition(entry, side) for side in (SIDES if entry["paired"] else ("midline",))]
    return SkullLandmarks(tuple(found))


def _definition(entry: dict[str, Any], side: str) -> LandmarkDefinition:
    name, abbreviation = entry["name"], entry["abbreviation"]
    partner = name
    if side in SIDES:
        partner = f"{name} {SIDES[1 - SIDES.index(side)]}"
        name, abbreviation = f"{name} {side}", f"{abbreviation}.{side[0].upper()}"
    return LandmarkDefinition(
        name=name,
        abbreviation=abbreviation,
        side=side,
        region=entry["region"],
        tissue=Tissue(entry["tissue"]),
        definition=entry["definition"],
        source="; ".join(entry["sources"]),
        partner=partner,
        snap=_snap(side=side, **entry["snap"]),
    )


def _snap(side: str, kind: str, direction: list[float] | None = None, radius_mm: float = 0.0) -> Snap:
    """The rule with its direction, which is given for the right side, made a unit vector of this side."""
    if direction is None:
        return Snap(SnapKind(kind), None, radius_mm)
    x, y, z = np.array(direction) / np.linalg.norm(direction)
    return Snap(SnapKind(kind), (float(-x if side == "left" else x), float(y), float(z)), radius_mm)


def _check(one: LandmarkDefinition, partner: LandmarkDefinition | None) -> None:
    if partner is None or partner.partner != one.name:
        raise ValueError(f"{one.name} and {one.partner} are not each other's mirror image")
    if (one.side == "midline") != (partner is one) or (one.side in SIDES) != (one.side != partner.side):
        raise ValueError(f"{one.name} is said to lie on the side “{one.side}”, {partner.name} on “{partner.side}”")
    if one.region not in _REGIONS:
        raise ValueError(f"{one.name} lies in “{one.region}”, which is no region")
    on_surface, moves = one.snap.kind in (SnapKind.EXTREME, SnapKind.SURFACE), one.snap.kind is not SnapKind.NONE
    if on_surface != (one.snap.direction is not None) or moves != (one.snap.radius_mm > 0):
        raise ValueError(f"{one.name} has a rule of refinement that lacks its direction or radius")
    if asdict(partner.snap) | {"direction": None} != asdict(one.snap) | {"direction": None}:
        raise ValueError(f"{one.name} is refined in another way than {partner.name}")
