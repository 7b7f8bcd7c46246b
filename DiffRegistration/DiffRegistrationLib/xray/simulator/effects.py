"""Settings with some of their effects left out, by the names of the fields of `XraySettings`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from .ranges import with_only
from .settings import XraySettings

# Without these there is no image at all.
_BEAM_AND_DETECTOR = ("tube", "scintillator", "rays_per_side")

EFFECTS = tuple(field.name for field in fields(XraySettings) if field.name not in _BEAM_AND_DETECTOR)
"""What can be left out: null or 0 then, a display then linear with 16 bits."""

OBJECTS = ("vessels", "guide_wire", "wires", "screws", "electrodes", "head_holder", "table")
"""Those of the effects that need a head to be laid into or onto."""


def only(settings: XraySettings, effects: Sequence[str]) -> XraySettings:
    """`settings` with these of the `EFFECTS` and no other; beam and detector stay. ValueError for another name."""
    _check(effects)
    return with_only(settings, *_BEAM_AND_DETECTOR, *effects)


def without(settings: XraySettings, effects: Sequence[str]) -> XraySettings:
    """`settings` without these of the `EFFECTS`. ValueError for another name."""
    _check(effects)
    return only(settings, [name for name in EFFECTS if name not in effects])


def _check(effects: Sequence[str]) -> None:
    unknown = [name for name in effects if name not in EFFECTS]
    if unknown:
        raise ValueError(f"no effects: {', '.join(unknown)}; there are {', '.join(EFFECTS)}")
