"""Skin, fat and muscle of head and neck, and the airway behind the mouth."""

from __future__ import annotations

from .anatomy import AIR, FAT, FLUID, MUSCLE, SIDES, Anatomy, Part
from .combined import Grown, Union
from .shapes import Capsule, Ellipsoid, Shape, turned
from .skull import brain_cavity
from .tubes import tube

_SCALP = 12.0


def skin() -> Shape:
    """The outside of the head: scalp, face, chin, neck, joined smoothly."""
    face = [
        Ellipsoid((0, 36, -14), (66, 52, 62)),
        Ellipsoid((0, 60, -48), (44, 40, 42)),
        Ellipsoid((0, 76, -84), (24, 18, 17)),
        Ellipsoid((0, 88, -47), (24, 14, 16)),
    ]
    neck = [
        Capsule((0, -18, -150), (0, -16, -40), 60, 57),
        Capsule((0, 0, -150), (0, 22, -88), 48, 40),
    ]
    return Union((Grown(brain_cavity(), _SCALP), *face, *neck), blend=18)


def soft_tissue() -> Anatomy:
    """Everything under the skin before the bones are laid in: skin, fat below it, muscle."""
    anatomy = Anatomy()
    outside = Union((skin(), *_nose(), *(_brow(s) for _, s in SIDES)), blend=8)
    anatomy.parts.append(Part("soft tissue", outside, 30.0, core=FAT, rind=2.0))
    for _, s in SIDES:
        ear = Ellipsoid((76 * s, -10, -2), (4, 17, 31), turned(x=12, z=22 * s))
        anatomy.fill("soft tissue", ear, 20.0)
        anatomy.fill("soft tissue", Ellipsoid((80 * s, -6, 0), (3.5, 9, 18), turned(x=12, z=22 * s)), AIR)
    anatomy.fill("soft tissue", Grown(skin(), -5.0), MUSCLE)
    _fat_pads(anatomy)
    return anatomy


def _nose() -> tuple[Shape, ...]:
    bridge = Capsule((0, 90, 22), (0, 107, -6), 7, 9)
    wings = tuple(Ellipsoid((10 * s, 98, -11), (7, 10, 8)) for _, s in SIDES)
    return bridge, *wings


def _brow(s: float) -> Shape:
    return Ellipsoid((28 * s, 78, 30), (24, 14, 16))


def _fat_pads(anatomy: Anatomy) -> None:
    for _, s in SIDES:
        anatomy.fill("soft tissue", Ellipsoid((40 * s, 50, -34), (9, 17, 17), turned(z=-30 * s)), FAT)
        anatomy.fill("soft tissue", Ellipsoid((50 * s, 38, 6), (7, 14, 14)), FAT)
        anatomy.fill("soft tissue", Ellipsoid((44 * s, -20, -70), (10, 16, 36)), FAT)
        # Masticator muscles again, between the pads.
        anatomy.fill("soft tissue", Ellipsoid((56 * s, 24, -34), (8, 16, 30)), MUSCLE + 10)


def airway() -> Anatomy:
    """Pharynx from the nose to the voice box and the windpipe below, a little air over the tongue, spinal canal."""
    anatomy = Anatomy()
    canal = tube([(0, -24, -36), (0, -23, -60), (0, -22, -97), (0, -20, -150)], (10, 8, 7.5, 7.5), smooth=2)
    anatomy.fill("soft tissue", canal, FLUID)
    anatomy.fill("soft tissue", Grown(canal, -3), 38.0)
    throat = tube(
        [(0, 40, -10), (0, 27, -18), (0, 21, -40), (0, 20, -65), (0, 22, -88), (0, 27, -108), (0, 26, -150)],
        (8, 8, 6, 5.5, 6.5, 7, 8.5),
        smooth=2,
    )
    anatomy.fill("air cavities", throat, AIR)
    anatomy.fill("air cavities", tube([(0, 76, -37), (0, 60, -31.5), (0, 40, -34)], (1.8, 2.2, 2), smooth=2), AIR)
    return anatomy
