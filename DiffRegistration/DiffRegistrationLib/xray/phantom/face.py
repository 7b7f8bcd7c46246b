"""The facial skeleton above the teeth: brow, nose, orbits, cheekbones, upper jaw and the sinuses in them."""

from __future__ import annotations

from .air_cells import air_cells
from .anatomy import AIR, CANCELLOUS, CORTICAL, DIPLOE, FAT, FLUID, MUSCLE, SIDES, THIN_BONE, Anatomy
from .combined import Common, Grown, Union
from .shapes import Capsule, Ellipsoid, HalfSpace, Point, RoundedBox, Shape, turned
from .tubes import plate, tube


def _both_ways(right: list[Point]) -> list[Point]:
    """A line on the right side and on to its mirror image."""
    return right + [(-x, y, z) for x, y, z in reversed(right)]


def facial_skeleton() -> Anatomy:
    """Bones first, then what is hollow in them."""
    anatomy = Anatomy()
    _brow_and_nose(anatomy)
    for side, sign in SIDES:
        _cheek(anatomy, side, sign)
        _orbit(anatomy, side, sign)
    _upper_jaw(anatomy)
    _nasal_cavity(anatomy)
    _sinuses(anatomy)
    return anatomy


def _brow_and_nose(anatomy: Anatomy) -> None:
    brow = tube(
        _both_ways([(50, 64, 27), (42, 74, 34), (28, 82, 37), (10, 85.5, 35)]),
        (4.5, 4.5, 5, 6, 6, 5, 4.5, 4.5),
        smooth=2,
    )
    glabella = Ellipsoid((0, 84, 36), (15, 8.5, 9))
    root = tube([(0, 82, 31), (0, 83, 20)], (6, 6.5))
    anatomy.bone("skull", Union((brow, glabella, root), blend=5))
    anatomy.mark("glabella", glabella.surface_point((0, 84, 36), (0, 1, 0.3)), "skull")
    for side, s in SIDES:
        # Nasal bone, and the frontal process of the maxilla down the side of the piriform aperture.
        anatomy.fill("skull", plate([(2.5 * s, 87, 26), (4 * s, 98, 10)], 4, 1.2, up=(-0.75 * s, 0.5, 0.4)), CORTICAL)
        anatomy.fill(
            "skull", tube([(7 * s, 85, 25), (11 * s, 86, 8), (14 * s, 82, -10), (8 * s, 85, -22)], 2.4), CORTICAL
        )
        anatomy.mark(f"frontozygomatic suture {side}", (53.5 * s, 64, 25), "skull")
    anatomy.fill("skull", Capsule((0, 86, 25.5), (0, 99.5, 9), 2.4, 1.4), CORTICAL)
    anatomy.mark("nasion", (0, 88.3, 26.5), "skull")
    anatomy.mark("rhinion", (0, 100.5, 8.5), "skull")


def _cheek(anatomy: Anatomy, side: str, s: float) -> None:
    """Zygomatic bone and arch, infraorbital rim; the left arch stands out 1 mm less."""
    wide = 0.0 if s > 0 else 1.0
    body = Ellipsoid((44 * s, 60, -7), (10, 9, 12), turned(z=-35 * s))
    rim = tube([(14 * s, 79, 3), (24 * s, 77, -2.5), (34 * s, 72, -3.5), (46 * s, 64, 2), (50 * s, 63, 12)], 3.4, 2)
    lateral = tube([(49 * s, 63, 8), (50 * s, 64, 28)], 3.6)
    anatomy.bone("skull", Union((body, rim, lateral), blend=4))
    bow = [(50, 54, -9), (61 - wide, 42, -8), (65 - wide, 28, -6), (63 - wide, 14, -2), (57, 5, 4)]
    arch = plate(
        [(x * s, y, z) for x, y, z in bow],
        (5, 3.8, 3.2, 3.4, 4),
        (2.6, 1.9, 1.8, 2, 2.6),
        up=(0, 0, 1),
        smooth=2,
    )
    anatomy.fill("skull", arch, 1200.0)
    anatomy.fill("skull", Ellipsoid((49 * s, 14, 4), (9, 9, 2.5)), DIPLOE)
    anatomy.mark(f"orbitale {side}", (33 * s, 72.5, 0), "skull")
    anatomy.mark(f"zygion {side}", ((66.8 - wide) * s, 28, -6), "skull")
    anatomy.mark(f"jugale {side}", body.surface_point((44 * s, 60, -7), (s, 1, -0.2)), "skull")
    anatomy.mark(f"zygomaxillare {side}", body.surface_point((44 * s, 60, -7), (0, 0.1, -1)), "skull")


def orbit(s: float) -> Shape:
    """The orbit's cone behind its rim; `s` is the sign of x."""
    cone = Union(
        (
            Capsule((32 * s, 68, 16.5), (16 * s, 33, 19), 18, 6),
            Ellipsoid((32 * s, 68, 16.5), (20, 12, 17.5)),
        )
    )
    return Common(cone, HalfSpace((32 * s, 72, 16), (0.38 * s, 1, 0.05)))


def _orbit(anatomy: Anatomy, side: str, s: float) -> None:
    """Walls, among them the greater wing of the sphenoid, then fat, muscles and the eye."""
    wing = plate([(40 * s, 47, 4), (45 * s, 50, 29)], 8, 1.1, up=(0.25 * s, 1, 0))
    anatomy.fill("skull", wing, CORTICAL)
    cone = orbit(s)
    anatomy.fill("skull", Common(Grown(cone, 1.7), HalfSpace((32 * s, 69, 16), (0.38 * s, 1, 0.05))), THIN_BONE)
    anatomy.fill("soft tissue", cone, FAT)
    anatomy.fill("soft tissue", tube([(31 * s, 66, 16), (16 * s, 33, 19), (11 * s, 28, 21)], (2.2, 2.2, 2.5)), MUSCLE)
    for dx, dz in ((11, 0), (-11, 0), (0, 10), (0, -10)):
        anatomy.fill("soft tissue", tube([((31 + dx) * s, 64, 16 + dz), (17 * s, 35, 19)], (2.0, 1.5)), MUSCLE)
    anatomy.fill("soft tissue", Ellipsoid((31 * s, 68, 16), (12, 12, 12)), FLUID + 10)
    lens = Ellipsoid((31 * s, 75.5, 16), (4.5, 2.2, 4.5))
    anatomy.fill("soft tissue", lens, 110.0)
    anatomy.mark(f"eye lens {side}", lens.centre, "soft tissue")
    # The edge of the roof below the brow, where it is highest.
    anatomy.mark(f"supraorbitale {side}", (37 * s, 71, 29), "skull")


def _upper_jaw(anatomy: Anatomy) -> None:
    """Maxilla with sinus walls, palate, alveolar process, anterior nasal spine, pterygoid plates."""
    alveolar = plate(
        _both_ways([(29, 44, -35), (26, 56, -35), (20, 70, -34.5), (11, 81, -34), (3, 85, -34)]),
        8.5,
        (6, 6, 5.5, 4.8, 4.5, 4.5, 4.8, 5.5, 6, 6),
        up=(0, 0, 1),
        smooth=2,
    )
    for _, s in SIDES:
        anatomy.fill("skull", Grown(_maxillary_sinus(s), 1.8), THIN_BONE)
        anatomy.fill("skull", tube([(34 * s, 66, -10), (30 * s, 62, -27)], (6, 5)), CANCELLOUS)
        for lean in (14, 20):
            anatomy.fill(
                "skull", plate([(15 * s, 32, -2), (lean * s, 29, -33)], (7, 6), 1.1, up=(0, 1, -0.1)), THIN_BONE
            )
    anatomy.bone("skull", alveolar, rind=1.3)
    anatomy.fill("skull", RoundedBox((0, 62, -25), (21, 21, 2.0), 1.5), THIN_BONE)
    anatomy.bone("skull", Ellipsoid((0, 79, -27), (11, 6, 5)))
    anatomy.fill("skull", Capsule((0, 80, -23), (0, 89, -22), 2.8, 1.2), CORTICAL)
    anatomy.mark("anterior nasal spine", (0, 90, -22), "skull")
    anatomy.mark("posterior nasal spine", (0, 41.2, -25), "skull")
    anatomy.mark("A point", (0, 88.8, -30.5), "skull")


def _maxillary_sinus(s: float) -> Shape:
    return Ellipsoid((26.5 * s, 57, -13), (13, 18, 15.5) if s > 0 else (12, 17, 14.5), turned(z=-12 * s))


def _nasal_cavity(anatomy: Anatomy) -> None:
    """Airway between the orbits down to the palate, with turbinates and a septum bent to the left."""
    cavity = Union(
        (
            RoundedBox((0, 66, -12), (13.5, 24, 10.5), 7),
            RoundedBox((0, 66, -2), (8.5, 24, 14), 7),
            RoundedBox((0, 62, 12), (4, 20, 10), 3),
            Capsule((0, 86, -12), (0, 100, -9), 10, 7),
        ),
        blend=5,
    )
    anatomy.fill("air cavities", cavity, AIR)
    for _, s in SIDES:
        for y0, y1, x, z, r in ((46, 84, 8.5, -14, 3.8), (46, 76, 8, -3, 3.2), (44, 66, 5.5, 7, 2)):
            turbinate = tube([(x * s, y1, z + 1), (x * s, y0, z)], r)
            anatomy.fill("air cavities", turbinate, MUSCLE)
            anatomy.fill("skull", Grown(turbinate, 1.2 - r), 400.0)
        # Nostril.
        anatomy.fill("air cavities", tube([(5.5 * s, 97, -12), (6 * s, 103, -24)], (4, 4)), AIR)
    septum = plate(
        [(0, 108, -8), (0, 88, -6), (-2.5, 70, -5), (0, 44, -3)], (8, 17, 19, 18), 1.3, up=(0, 0, 1), smooth=2
    )
    anatomy.fill("skull", septum, 300.0)


def _sinuses(anatomy: Anatomy) -> None:
    """Air: frontal (right larger), ethmoid cells, sphenoid (left larger), maxillary."""
    frontal = Union(
        (
            Ellipsoid((11, 84.5, 41), (9.5, 4, 8), turned(x=18)),
            Ellipsoid((20, 82, 39.5), (7, 3.4, 5)),
            Ellipsoid((5, 84, 34), (4.5, 4.5, 6)),
        ),
        blend=3,
    )
    anatomy.fill("skull", Grown(frontal, 1.5), CORTICAL)
    anatomy.fill("air cavities", frontal, AIR)
    left = Union((Ellipsoid((-9, 85, 37.5), (7, 4, 6.5), turned(x=15)), Ellipsoid((-5, 84, 32), (3.5, 4, 5))), blend=3)
    anatomy.fill("skull", Grown(left, 1.5), CORTICAL)
    anatomy.fill("air cavities", left, AIR)
    for _, s in SIDES:
        labyrinth = RoundedBox((9.5 * s, 60, 13), (6.5, 20, 10), 3)
        anatomy.fill("skull", labyrinth, 350.0)
        anatomy.fill("air cavities", air_cells(Grown(labyrinth, 2.2), 6.5, 0.7, seed=21 if s > 0 else 22), AIR)
        anatomy.fill("air cavities", _maxillary_sinus(s), AIR)
    anatomy.fill("air cavities", Ellipsoid((-6.5, 27, 4.5), (7, 9.5, 8)), AIR)
    anatomy.fill("air cavities", Ellipsoid((7, 29, 5), (5.5, 7, 6.5)), AIR)
    anatomy.mark("sphenoid sinus centre", (-6.5, 27, 4.5), "air cavities")
