"""The tables of docs/simulator.md, from the simulator's own settings and ranges. `make docs` writes them."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from enum import StrEnum
from typing import Any, get_args, get_type_hints

from DiffRegistrationLib.xray.simulator import XraySettings
from DiffRegistrationLib.xray.simulator.collimator import Aperture
from DiffRegistrationLib.xray.simulator.ranges import RANGES, Ranges
from DiffRegistrationLib.xray.simulator.settings_file import alternatives

# What each entry of settings.json stands for, and whose physics it is.
EFFECTS = {
    "tube": (
        "Spectrum of a tungsten anode behind its filters, or photons of one energy",
        "Tucker, Barnes, Chakraborty 1991; Hubbell & Seltzer, NISTIR 5632",
    ),
    "scintillator": ("Energy that caesium iodide absorbs and turns into light", "NISTIR 5632"),
    "rays_per_side": (
        "Rays of a pixel along each side: a pixel has an area",
        "Siddon 1985: exact paths through voxels",
    ),
    "body_below_mm": ("The CT's last slice again and again: a body does not end at the neck", "chosen"),
    "vessels": (
        "Arteries of the internal carotid with contrast agent",
        "tree by space colonisation (Runions 2007), its stem drawn after Bouthillier 1996",
    ),
    "guide_wire": ("Steel wire up the carotid, its tip wound with platinum", "common dimensions, chosen"),
    "wires": ("Leads over the skin and off through the air", "common dimensions, chosen"),
    "screws": ("Screws on plates in the vault", "common dimensions, chosen"),
    "electrodes": ("EEG cups on the scalp", "common dimensions, chosen"),
    "head_holder": ("Shell under the head with side pads", "common dimensions, chosen"),
    "table": ("Sandwich plate under the patient", "common dimensions, chosen"),
    "motion": ("A steady turn and shift while the beam is on, in directions drawn evenly", "geometry"),
    "collimator": ("Openings behind each other, with penumbra and what leaks through the lead", "geometry"),
    "focal_spot": ("Penumbra of every edge of the patient, for one magnification", "geometry"),
    "scatter": (
        "Potential p^a (−ln p)^b of each pencil, spread by two Gaussians, behind a grid",
        "Ohnesorge 1999; Sun & Star-Lack 2010; figures: our Monte-Carlo",
    ),
    "noise": ("Poisson noise of the effective quanta, and that of the electronics", "Swank 1973"),
    "blur": ("Light that spreads in the scintillator, after the noise: noise is blurred too", "two Gaussians, chosen"),
    "glare": ("Veiling glare, exp(−r/k)/r", "Seibert, Nalcioglu, Roeck 1984, 1985"),
    "distortion": (
        "Pincushion and S of an image intensifier",
        "Rudin, Bednarek, Wong 1991; Gronenschild 1997",
    ),
    "vignetting": ("Loss of light toward the rim, in proportion to r²", "quadratic fall-off, chosen"),
    "display": ("Exposure, curve, gamma, polarity and bits", "common curves, chosen"),
}

_UNITS = {
    "kilovolts": "kV",
    "kiloelectronvolts": "keV",
    "air_kerma_nanogray": "nGy",
    "blades": "mm and °",
}
_ENDINGS = {"_mg_per_cm2": "mg/cm²", "_mg_per_ml": "mg/ml", "_mm": "mm", "_deg": "°"}


def effects_table() -> str:
    """Every entry of the settings, with its parameters, their units and defaults; KeyError for one without words."""
    hints = get_type_hints(XraySettings)
    lines = ["| entry | what it is | parameters, as by default | source |", "|---|---|---|---|"]
    for field in fields(XraySettings):
        what, source = EFFECTS[field.name]
        off = " *(off)*" if field.default is None or field.default == 0 else ""
        lines.append(f"| `{field.name}`{off} | {what} | {_parameters(field, hints[field.name])} | {source} |")
    return "\n".join(lines) + "\n"


def ranges_table() -> str:
    """What the named ranges draw from."""
    lines = [f"| | {' | '.join(f'`{name}`' for name in RANGES)} |", "|---" * (1 + len(RANGES)) + "|"]
    for field in fields(Ranges):
        if field.name == "name":
            continue
        cells = [_range(getattr(ranges, field.name), unit_of(field.name)) for ranges in RANGES.values()]
        lines.append(f"| `{field.name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def unit_of(name: str) -> str:
    """The unit that a parameter's name says; none for a bare number."""
    return _UNITS.get(name) or next((unit for end, unit in _ENDINGS.items() if name.endswith(end)), "")


def _parameters(field: Field[Any], hint: Any) -> str:
    kinds = alternatives(hint)
    if not kinds:
        return _spelled(field)
    named = len(kinds) > 1
    return "<br>".join(_of(kind, named=named) for kind in kinds)


def _of(kind: type, *, named: bool) -> str:
    hints = get_type_hints(kind)
    parts = []
    for field in fields(kind):
        if Aperture in get_args(hints[field.name]):
            openings = " ".join(_of(opening, named=True) for opening in alternatives(Aperture))
            parts.append(f"`{field.name}`: any of {openings}")
        else:
            parts.append(_spelled(field))
    words = "<br>".join(parts) if not named else ", ".join(parts)
    return f"*{_in_words(kind.__name__)}* ({words})" if named else words


def _in_words(name: str) -> str:
    """SingleEnergy → single energy."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _spelled(field: Field[Any]) -> str:
    unit = unit_of(field.name)
    if field.default is MISSING:
        return f"`{field.name}` in {unit}" if unit else f"`{field.name}`"
    return f"`{field.name}` {_with_unit(_value(field.default), unit)}"


def _with_unit(value: str, unit: str) -> str:
    return f"{value}°" if unit == "°" else f"{value} {unit}".strip()


def _value(value: Any) -> str:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))})"
    return f"{value:g}"


def _range(value: Any, unit: str) -> str:
    if not isinstance(value, tuple):
        return _with_unit(f"{value:g}", unit)
    if isinstance(value[0], tuple):
        between = " or ".join(f"{low:g} to {high:g}" for low, high in value).replace("-", "−")
        return _with_unit(between, unit)
    return ", ".join(map(_value, value))
