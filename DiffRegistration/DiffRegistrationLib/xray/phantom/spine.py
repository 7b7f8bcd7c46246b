"""The cervical spine from the atlas to the fifth vertebra."""

from __future__ import annotations

from .anatomy import MUSCLE, SIDES, Anatomy
from .combined import Union
from .shapes import Ellipsoid, RoundedBox, Shape, turned
from .tubes import plate, tube

# Middle of the body (y, z), half height, and how far the spinous process reaches back, mm.
_LEVELS = {
    "C2": (-6.0, -60.0, 8.5, 44.0),
    "C3": (-4.5, -79.0, 6.8, 40.0),
    "C4": (-2.5, -97.0, 6.6, 41.0),
    "C5": (-1.5, -114.5, 6.6, 45.0),
}
# Thinner than the skull's, which a voxel shows as less dense.
_CORTEX = 900.0
_TILT = {"C2": 4.0, "C3": 1.0, "C4": -2.0, "C5": -5.0}


def cervical_spine() -> Anatomy:
    """Atlas, axis with its dens, three lower vertebrae, spinal cord. Spinous processes lean a little to the right."""
    anatomy = Anatomy()
    _atlas(anatomy)
    for name in _LEVELS:
        _vertebra(anatomy, name)
    _axis(anatomy)
    return anatomy


def _atlas(anatomy: Anatomy) -> None:
    ring = [(0, 4.5, -34), (12, 2, -34), (19, -10, -36), (18, -24, -37), (9, -38, -37), (0, -42, -37)]
    ring += [(-x, y, z) for x, y, z in ring[-2:0:-1]] + [ring[0]]
    radii = (4.2, 3.6, 5, 3.2, 3.2, 4, 3.2, 3.2, 5, 3.6, 4.2)
    bone: list[Shape] = [tube(ring, radii, smooth=2)]
    for _, s in SIDES:
        bone.append(Ellipsoid((19 * s, -10, -36.5), (7.5, 10, 7)))
        bone.append(tube([(22 * s, -11, -37), (37 * s, -13, -37.5)], (4.5, 3.8)))
    atlas = Union(tuple(bone), blend=2)
    anatomy.bone("cervical spine", atlas, rind=1.3, cortex=_CORTEX)
    anatomy.mark("C1 anterior tubercle", atlas.surface_point((0, 4.5, -34), (0, 1, 0)), "cervical spine")
    anatomy.mark("C1 posterior tubercle", atlas.surface_point((0, -42, -37), (0, -1, 0)), "cervical spine")
    for side, s in SIDES:
        _foramen(anatomy, s, 28.0, -12.0, -37.0)
        anatomy.mark(f"C1 transverse process {side}", (40.8 * s, -13, -37.5), "cervical spine")


def _axis(anatomy: Anatomy) -> None:
    dens = tube([(0, -5.5, -52), (0, -5.5, -40), (0, -6.5, -29.5)], (6, 4.8, 4.2))
    anatomy.bone("cervical spine", dens, rind=1.5, cortex=_CORTEX)
    anatomy.mark("dens tip", (0, -6.7, -25.4), "cervical spine")


def _vertebra(anatomy: Anatomy, name: str) -> None:
    y, z, half, reach = _LEVELS[name]
    lean = 1.5
    body = RoundedBox((0, y, z), (10, 8.5, half), 3, turned(x=_TILT[name]))
    pieces: list[Shape] = [body]
    for _, s in SIDES:
        pieces.append(tube([(10 * s, y - 5, z + 1), (18 * s, y - 13, z)], 3.4))
        pieces.append(tube([(21 * s, y - 13, z + half + 2), (21 * s, y - 18, z - half - 2)], 5.4))
        pieces.append(plate([(19 * s, y - 19, z - 1), (2 * s, y - 30, z - 3)], 5, 2, up=(0, 0.25, 1)))
        pieces.append(tube([(12 * s, y + 1, z), (25 * s, y - 3, z - 2)], (3.2, 3.4)))
        pieces.append(tube([(18 * s, y - 11, z), (26 * s, y - 8, z - 3)], (3, 3)))
        # Bifid tip.
        tip = (3.5 * s + lean, y - reach, z - 11 if name != "C2" else z - 8)
        pieces.append(tube([(0.6 * lean, y - 0.8 * reach, z - 7), tip], (3.2, 3)))
    pieces.append(tube([(0, y - 29, z - 3), (0.6 * lean, y - 0.8 * reach, z - 7)], (3.6, 3.6)))
    bone = Union(tuple(pieces), blend=2)
    anatomy.bone("cervical spine", bone, rind=1.2, cortex=_CORTEX)
    for _, s in SIDES:
        _foramen(anatomy, s, 18.5, y - 4.5, z)
    front = body.surface_point((0, y, z), (0, 1, -0.55))
    anatomy.mark(f"{name} anterior inferior corner", front, "cervical spine")
    spinous = bone.surface_point((0.6 * lean, y - 0.8 * reach, z - 7), (0, -1, -0.25))
    anatomy.mark(f"{name} spinous process", spinous, "cervical spine")


def _foramen(anatomy: Anatomy, s: float, x: float, y: float, z: float) -> None:
    """The hole that the vertebral artery passes through."""
    anatomy.fill("soft tissue", tube([(x * s, y, z + 6), (x * s, y, z - 6)], 2.8), MUSCLE)
