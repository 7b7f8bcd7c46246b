"""The brain case: vault with diploe, floor with its three fossae, sella, temporal bones, and what they hold."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from .air_cells import air_cells
from .anatomy import (
    AIR,
    BRAIN,
    CORTICAL,
    DIPLOE,
    FLUID,
    MUSCLE,
    PETROUS,
    SIDES,
    THIN_BONE,
    Anatomy,
    Part,
)
from .combined import Common, Grown, Outside, Union
from .shapes import Ellipsoid, HalfSpace, RoundedBox, Shape, turned
from .tubes import plate, tube

Distances = Float32[np.ndarray, "*shape"]

THICKEST = 11.0
FORAMEN_MAGNUM = ((0.0, -8.0, 20.0), (0.0, -23.5, -21.0), (0.0, -24.5, -38.0))


def brain_cavity() -> Shape:
    """The inside of the skull: cerebrum on the anterior floor, temporal lobes, posterior fossa, foramen magnum."""
    vault = Ellipsoid((0, 1, 40), (66, 83, 68), taper=0.13)
    floor = Union((HalfSpace((0, 60, 25), (0, 0.41, -1)), HalfSpace((0, 60, 25), (0, 0, -1))))
    cerebrum = Common(vault, floor)
    temporal = [Ellipsoid((36 * s, 12, 19), (25, 31, 20), turned(z=-8 * s)) for _, s in SIDES]
    posterior = [Ellipsoid((24 * s, -47, 9), (34, 34, 33)) for _, s in SIDES]
    hollow = Union((cerebrum, *temporal, *posterior, tube(FORAMEN_MAGNUM, (12, 15, 15.5))), blend=4)
    return Common(hollow, Outside(_sphenoid_and_clivus()))


def _sphenoid_and_clivus() -> Shape:
    """The bone in the middle of the base, around the sella and down to the foramen magnum."""
    body = Ellipsoid((0, 25, 6), (15, 21, 15))
    slope = tube([(0, 14, 12), (0, 6, -2), (0, -2.6, -17.5)], (9, 7.5, 4.5))
    return Union((body, slope), blend=4)


def _thickness(x: Distances, y: Distances, z: Distances) -> Distances:
    """Skull thickness in mm: thin at the base and the temples, thick at the back, a little thicker on the right."""
    height = np.clip((z - 12) / 40, 0, 1)
    vault = 3.0 + 3.4 * height * height * (3 - 2 * height)
    occiput = np.clip((-y - 45) / 40, 0, 1) * 2.0
    protuberance = 3.5 * np.exp(-(((y + 88) / 14) ** 2) - (x / 10) ** 2 - ((z - 8) / 9) ** 2)
    return (vault + occiput + protuberance + 0.006 * x).astype(np.float32)


def skull_outer() -> Shape:
    """The outer surface of the brain case."""
    return Grown(brain_cavity(), _thickness, most=THICKEST)


def brain_case() -> Anatomy:
    """Shell, brain with ventricles and calcifications, base of the skull and temporal bones."""
    anatomy = Anatomy()
    outer = skull_outer()
    anatomy.parts.append(Part("skull", outer, CORTICAL, DIPLOE, rind=1.8))
    for suture in _sutures():
        anatomy.fill("skull", Common(outer, suture), 600.0)
    # The inner table lines the cavity; diploe lies between.
    cavity = brain_cavity()
    anatomy.fill("skull", Grown(cavity, 1.6), CORTICAL)
    _base(anatomy)
    anatomy.fill("brain", cavity, BRAIN)
    _inside(anatomy)
    _sella(anatomy)
    for side, sign in SIDES:
        _temporal_bone(anatomy, side, sign)
    _mark_vault(anatomy, outer)
    return anatomy


def _sutures() -> tuple[Shape, ...]:
    """Slits through outer table and diploe: coronal, and lambdoid on both sides."""
    coronal = RoundedBox((0, 27, 74), (80, 0.6, 52), 0.5, turned(x=20))
    lambdoid = []
    for _, s in SIDES:
        along = np.array([60.0 * s, 29, -50]) / np.linalg.norm([60, 29, 50])
        outward = np.array([30.0 * s, -72, -2]) / np.linalg.norm([30, 72, 2])
        across = np.cross(outward, along)
        across /= np.linalg.norm(across)
        axes = np.column_stack([across, np.cross(along, across), along])
        lambdoid.append(RoundedBox((30 * s, -72, 38), (0.6, 16, 42), 0.5, axes))
    return coronal, *lambdoid


def _base(anatomy: Anatomy) -> None:
    """Bone below the floor: body of the sphenoid, basiocciput, condyles, nuchal lines. The brain is laid over it."""
    anatomy.bone("skull", _sphenoid_and_clivus(), rind=1.4)
    for _, s in SIDES:
        anatomy.bone("skull", Ellipsoid((17 * s, -14, -25), (6.5, 12, 7), turned(z=20 * s)))
        # Lesser wing with its anterior clinoid process, and the ridge that it makes toward the temple.
        anatomy.fill("skull", tube([(12 * s, 24, 25), (26 * s, 37, 27), (46 * s, 44, 30)], (3, 3, 4)), CORTICAL)
    anatomy.mark("basion", (0, -7.0, -19.5), "skull")
    anatomy.bone("skull", Ellipsoid((0, -42, -26), (14, 4.5, 3.5)))
    anatomy.mark("opisthion", (0, -39, -26), "skull")


def _inside(anatomy: Anatomy) -> None:
    """Ventricles, and calcifications: the pineal gland in the middle, a choroid plexus on the left alone."""
    for _, s in SIDES:
        ventricle = tube(
            [(6 * s, 38, 42), (9 * s, 5, 55), (17 * s, -28, 48), (22 * s, -52, 42)], (4, 4.5, 7, 3), smooth=2
        )
        anatomy.fill("brain", ventricle, FLUID)
    anatomy.fill("brain", Ellipsoid((0.5, -12, 40), (2.5, 4, 2.5)), 350.0)
    anatomy.fill("brain", Ellipsoid((-20, -34, 44), (4, 5, 3.5)), 700.0)


def _sella(anatomy: Anatomy) -> None:
    """Pituitary fossa between the clinoid processes, dorsum sellae behind."""
    for _, s in SIDES:
        anatomy.fill("skull", tube([(13 * s, 29, 25), (10.5 * s, 22, 24)], (3, 1.8)), CORTICAL)
    dorsum = plate([(-8, 9.5, 15.5), (8, 9.5, 15.5)], 9.5, 1.8, up=(0, 0.15, 1))
    anatomy.fill("skull", dorsum, CORTICAL)
    fossa = Ellipsoid((0, 19, 18), (7.5, 6.5, 6))
    anatomy.fill("skull", Grown(Common(fossa, HalfSpace((0, 0, 19), (0, 0, 1))), 1.2), CORTICAL)
    anatomy.fill("brain", fossa, MUSCLE)
    anatomy.mark("sella", (0, 19, 18), "skull")
    anatomy.mark("dorsum sellae", (0, 10.9, 25), "skull")


def _temporal_bone(anatomy: Anatomy, side: str, s: float) -> None:
    """Petrous pyramid, ear canal, mastoid with its cells (larger and more of them on the right), styloid process."""
    pyramid = tube([(13 * s, 6, 4), (30 * s, -5, 1), (52 * s, -14, -3)], (5, 9, 12), smooth=2)
    anatomy.bone("skull", pyramid, rind=3.5, cortex=PETROUS)
    anatomy.fill("skull", Ellipsoid((33 * s, -7, 3), (7, 5, 5)), 1950.0)
    anatomy.fill("brain", tube([(15 * s, -5, 6), (25 * s, -6.5, 4)], 2.2), FLUID)
    tip = -31.0 if s > 0 else -29.0
    mastoid = tube([(53 * s, -17, -6), (53 * s, -16, tip + 7.5)], (13, 7.5))
    mastoid = Union((mastoid, Ellipsoid((54 * s, -24, -3), (9, 14, 14))), blend=6)
    anatomy.fill("skull", mastoid, THIN_BONE)
    anatomy.fill("skull", Grown(mastoid, -1.8), 600.0)
    anatomy.fill("air cavities", air_cells(mastoid, 5.2 if s > 0 else 5.8, 1.2, seed=11 if s > 0 else 12), AIR)
    tympanic = Common(tube([(34 * s, -5, -4), (58 * s, 0, -4)], 7.5), HalfSpace((58 * s, 0, 0), (s, 0, 0)))
    anatomy.fill("skull", tympanic, CORTICAL)
    anatomy.fill("air cavities", Ellipsoid((37 * s, -4, -2), (4, 5, 6)), AIR)
    anatomy.fill("air cavities", tube([(38 * s, -4, -4), (58 * s, 0, -4), (90 * s, -5, -4)], (3.5, 4, 4.5)), AIR)
    anatomy.fill("skull", tube([(46 * s, 1, -14), (40 * s, 9, -38)], (2.6, 1.2)), CORTICAL)
    anatomy.mark(f"porion {side}", (57 * s, 0, 0), "skull")
    anatomy.mark(f"mastoid tip {side}", mastoid.surface_point((53 * s, -16, tip + 10), (0, 0.1, -1)), "skull")
    anatomy.mark(f"styloid tip {side}", (40 * s, 9, -39), "skull")


def _mark_vault(anatomy: Anatomy, outer: Shape) -> None:
    middle = (0, 0, 40)
    for name, toward in (
        ("bregma", (0, 0.17, 1)),
        ("vertex", (0, -0.05, 1)),
        ("lambda", (0, -1, 0.27)),
        ("opisthocranion", (0, -1, -0.08)),
        ("inion", (0, -1, -0.38)),
    ):
        anatomy.mark(name, outer.surface_point(middle, toward), "skull")
    for side, s in SIDES:
        anatomy.mark(f"euryon {side}", outer.surface_point(middle, (s, -0.2, 0.05)), "skull")
        anatomy.mark(f"asterion {side}", outer.surface_point((0, 0, 10), (s, -0.95, 0.05)), "skull")
        anatomy.mark(f"pterion {side}", outer.surface_point((0, 0, 30), (s, 0.75, 0)), "skull")
