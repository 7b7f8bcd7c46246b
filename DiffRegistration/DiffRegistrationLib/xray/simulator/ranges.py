"""Named ranges of settings: one for training, one for evaluation, which have no value in common where that means much.

A network that was trained on the values it is tested on has seen the test. Where a parameter says how an image looks
(voltage, scatter, dose, blur, …), evaluation therefore draws from a gap in the training's values. Names end in a
number that grows whenever a range changes: figures are comparable under one name only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .collimator import Aperture, Collimator, Rectangle, Round, Shutters
from .detector_blur import DetectorBlur
from .display import Curve, Display
from .distortion import Distortion
from .focal_spot import FocalSpot
from .motion import Motion
from .noise import QuantumNoise
from .objects.hardware import Electrodes, Screws
from .objects.supports import HeadHolder, Table
from .objects.vessels import Side, Vessels
from .objects.wires import GuideWire, Wires
from .scatter import Scatter
from .settings import XraySettings
from .spectrum import Tube
from .veiling_glare import VeilingGlare
from .vignetting import Vignetting

Interval = tuple[float, float]
Intervals = tuple[Interval, ...]


@dataclass(frozen=True)
class Ranges:
    """Intervals that parameters are drawn from, evenly over their whole length; units are in the names.

    Lengths across the image (fields, centres) are parts of its shorter side.
    """

    name: str
    kilovolts: Intervals
    copper_mm: Intervals
    scatter_to_primary: Intervals
    air_kerma_nanogray: Intervals
    focal_spot_mm: Intervals
    blur_sigma_mm: Intervals
    glare_fraction: Intervals
    iodine_mg_per_ml: Intervals
    wire_diameter_mm: Intervals
    pincushion: Intervals
    s_turn_deg: Intervals
    vignetting_loss: Intervals
    gamma: Intervals
    motion_deg: Intervals
    motion_mm: Intervals
    field_size: Intervals
    field_turn_deg: Intervals
    bits: tuple[int, ...]
    curves: tuple[Curve, ...]
    body_below_mm: float = 300.0


TRAINING = Ranges(
    name="training-1",
    kilovolts=((60, 76), (100, 120)),
    copper_mm=((0.0, 0.1), (0.3, 0.6)),
    scatter_to_primary=((0.05, 0.22), (0.45, 0.8)),
    air_kerma_nanogray=((15, 45), (180, 1000)),
    focal_spot_mm=((0.2, 0.5), (0.9, 1.3)),
    blur_sigma_mm=((0.1, 0.2), (0.36, 0.6)),
    glare_fraction=((0.0, 0.02), (0.06, 0.12)),
    iodine_mg_per_ml=((40, 100), (180, 300)),
    wire_diameter_mm=((0.3, 0.6), (1.2, 2.0)),
    pincushion=((-0.01, 0.02), (0.06, 0.1)),
    s_turn_deg=((-6.0, -3.0), (-1.0, 1.0), (3.0, 6.0)),
    vignetting_loss=((0.0, 0.15), (0.35, 0.5)),
    gamma=((0.5, 0.75), (1.35, 2.0)),
    motion_deg=((0.0, 0.3), (0.9, 1.5)),
    motion_mm=((0.0, 0.5), (1.5, 2.5)),
    field_size=((0.35, 0.55), (0.8, 1.0)),
    field_turn_deg=((-45, 45),),
    bits=(9, 11, 13, 14, 15),
    curves=(Curve.LINEAR, Curve.SQUARE_ROOT, Curve.SIGMOID),
)

EVALUATION = Ranges(
    name="evaluation-1",
    kilovolts=((78, 98),),
    copper_mm=((0.12, 0.28),),
    scatter_to_primary=((0.25, 0.42),),
    air_kerma_nanogray=((50, 170),),
    focal_spot_mm=((0.55, 0.85),),
    blur_sigma_mm=((0.22, 0.34),),
    glare_fraction=((0.025, 0.055),),
    iodine_mg_per_ml=((110, 170),),
    wire_diameter_mm=((0.7, 1.1),),
    pincushion=((0.025, 0.055),),
    s_turn_deg=((-2.8, -1.2), (1.2, 2.8)),
    vignetting_loss=((0.18, 0.32),),
    gamma=((0.8, 1.3),),
    motion_deg=((0.35, 0.85),),
    motion_mm=((0.6, 1.4),),
    field_size=((0.58, 0.76),),
    field_turn_deg=((-45, 45),),
    bits=(8, 10, 12, 16),
    curves=(Curve.LINEAR, Curve.LOGARITHMIC),
)

RANGES = {ranges.name: ranges for ranges in (TRAINING, EVALUATION)}

# What no X-ray is without: the beam, its scatter, its noise and the detector's blur.
PHYSICS = ("tube", "body_below_mm", "focal_spot", "scatter", "noise", "blur", "glare")


def ranges_named(name: str) -> Ranges:
    """The ranges of this name. InputError that lists the names for any other."""
    if name not in RANGES:
        raise InputError(f"ranges {name!r}", "are not known", f"Use one of {', '.join(RANGES)}.")
    return RANGES[name]


def drawn_settings(ranges: Ranges, seed: int, field_mm: tuple[float, float]) -> XraySettings:
    """Settings with every effect on, drawn by `seed`; `field_mm` is the image's (height, width) on the detector."""
    random = np.random.default_rng([seed, *ranges.name.encode()])

    def value(intervals: Intervals) -> float:
        lengths = np.array([high - low for low, high in intervals])
        low, high = intervals[random.choice(len(intervals), p=lengths / lengths.sum())]
        return float(random.uniform(low, high))

    radius = max(field_mm) / 2
    return XraySettings(
        tube=Tube(kilovolts=value(ranges.kilovolts), copper_mm=value(ranges.copper_mm)),
        body_below_mm=ranges.body_below_mm,
        focal_spot=FocalSpot(value(ranges.focal_spot_mm)),
        scatter=Scatter(value(ranges.scatter_to_primary)),
        noise=QuantumNoise(value(ranges.air_kerma_nanogray), electronic_quanta=1.0),
        blur=DetectorBlur(value(ranges.blur_sigma_mm), tail_fraction=0.1),
        glare=VeilingGlare(value(ranges.glare_fraction), reach_mm=40.0),
        vessels=Vessels(value(ranges.iodine_mg_per_ml), side=Side(random.choice(list(Side)))),
        guide_wire=GuideWire(),
        wires=Wires(diameter_mm=value(ranges.wire_diameter_mm)),
        screws=Screws(count=int(random.integers(4, 13))),
        electrodes=Electrodes(count=int(random.integers(6, 20))),
        head_holder=HeadHolder(),
        table=Table(),
        motion=Motion(value(ranges.motion_deg), value(ranges.motion_mm)),
        distortion=Distortion(value(ranges.pincushion), value(ranges.s_turn_deg), radius),
        vignetting=Vignetting(value(ranges.vignetting_loss), float(np.sqrt(2)) * radius),
        collimator=Collimator((_aperture(random, value(ranges.field_size), value(ranges.field_turn_deg), field_mm),)),
        display=Display(
            bits=int(random.choice(ranges.bits)),
            curve=Curve(random.choice(list(ranges.curves))),
            gamma=value(ranges.gamma),
        ),
    )


def _aperture(random: np.random.Generator, size: float, turn_deg: float, field_mm: tuple[float, float]) -> Aperture:
    """A rectangle, a round field or three shutters that leave about `size` of the image's shorter side open."""
    shorter = min(field_mm)
    x, y = random.uniform(-0.06, 0.06, 2) * shorter
    match random.choice(["rectangle", "round", "shutters"]):
        case "rectangle":
            width, height = size * shorter * random.uniform(0.9, 1.2, 2)
            return Rectangle((float(x), float(y)), (float(width), float(height)), turn_deg)
        case "round":
            return Round(float(0.55 * size * shorter), (float(x), float(y)))
        case _:
            first = random.uniform(0, 360)
            angles = first + np.array([0, 110, 250]) + random.uniform(-15, 15, 3)
            return Shutters(tuple((float(0.5 * size * shorter), float(angle % 360)) for angle in angles))


def with_only(settings: XraySettings, *names: str) -> XraySettings:
    """`settings` with these effects alone (names of fields of XraySettings); all else is off or as by default."""
    plain = XraySettings()
    return replace(plain, **{name: getattr(settings, name) for name in names})
