"""What else can be wrong with an X-ray, one thing at a time: the rows of the robustness table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..xray.errors import InputError
from ..xray.simulator.detector_blur import DetectorBlur
from ..xray.simulator.noise import QuantumNoise
from ..xray.simulator.ranges import PHYSICS, with_only
from ..xray.simulator.scatter import Scatter
from ..xray.simulator.settings import XraySettings

# Fluoroscopy at the lowest dose, no anti-scatter grid, a worn intensifier.
_LOW_KERMA_NANOGRAY = 8.0
_STRONG_SCATTER_TO_PRIMARY = 1.2
_STRONG_BLUR_MM = 0.9


@dataclass(frozen=True)
class Disturbance:
    """`effects` (fields of XraySettings) are on besides the plain physics; `words` are for the table.

    `corrected` says that a distortion is undone before registration, as after a calibration.
    """

    words: str
    effects: tuple[str, ...] = ()
    corrected: bool = False


NOTHING = "none"
_OBJECTS = ("vessels", "guide_wire", "wires", "screws", "electrodes", "head_holder", "table")
_ALL = (*_OBJECTS, "motion", "distortion", "vignetting", "collimator", "display")

DISTURBANCES: Mapping[str, Disturbance] = {
    NOTHING: Disturbance("the suite as it is: scatter, noise, blur and glare of an ordinary exposure"),
    "low-dose": Disturbance(f"{_LOW_KERMA_NANOGRAY:g} nGy at the detector"),
    "strong-scatter": Disturbance(f"scatter-to-primary ratio {_STRONG_SCATTER_TO_PRIMARY:g}, as without a grid"),
    "strong-blur": Disturbance(f"detector blur of σ = {_STRONG_BLUR_MM:g} mm"),
    "display": Disturbance("8 to 16 bits, linear or logarithmic, gamma 0.8 to 1.3, none of it told", ("display",)),
    "vignetting": Disturbance("up to a third less light in the corners", ("vignetting",)),
    "collimation": Disturbance(
        "a field of 58 to 76 % of the image's side, of any shape, found in the image", ("collimator",)
    ),
    "distortion": Disturbance("image intensifier's pincushion and S, not corrected", ("distortion",)),
    "distortion-corrected": Disturbance("the same, undone by its calibration", ("distortion",), corrected=True),
    "wires": Disturbance("three leads across head and face", ("wires",)),
    "screws-and-electrodes": Disturbance("screws, plates and EEG electrodes", ("screws", "electrodes")),
    "supports": Disturbance("head holder and table", ("head_holder", "table")),
    "vessels": Disturbance("contrast-filled arteries and a guide-wire", ("vessels", "guide_wire")),
    "motion": Disturbance("0.35 to 0.85° and 0.6 to 1.4 mm during the exposure", ("motion",)),
    "all": Disturbance("all of these effects at once, the distortion undone", _ALL, corrected=True),
}


def disturbance_named(name: str) -> Disturbance:
    """The disturbance of this name. InputError that lists the names for any other."""
    if name not in DISTURBANCES:
        raise InputError(f"disturbance {name!r}", "is not known", f"Use one of {', '.join(DISTURBANCES)}.")
    return DISTURBANCES[name]


def disturbed(drawn: XraySettings, name: str) -> XraySettings:
    """Of settings with everything on, the plain physics and what the disturbance of this name adds or changes."""
    settings = with_only(drawn, *PHYSICS, *DISTURBANCES[name].effects)
    changes: dict[str, dict[str, object]] = {
        "low-dose": {"noise": QuantumNoise(_LOW_KERMA_NANOGRAY, electronic_quanta=1.0)},
        "strong-scatter": {"scatter": Scatter(_STRONG_SCATTER_TO_PRIMARY)},
        "strong-blur": {"blur": DetectorBlur(_STRONG_BLUR_MM)},
    }
    return replace(settings, **changes.get(name, {}))  # type: ignore[arg-type]
