"""The mandible: body, rami with condylar and coronoid processes, chin; and the hyoid below it."""

from __future__ import annotations

from .anatomy import CORTICAL, SIDES, Anatomy
from .combined import Union
from .shapes import Ellipsoid, Shape, turned
from .tubes import plate, tube

# The body's middle line from the angle to the chin on one side: (x, y, z), half height, half thickness.
_BODY = (
    ((46.5, 12, -49), 12.0, 4.2),
    ((40.5, 26, -57), 13.0, 5.4),
    ((33.0, 44, -64), 13.5, 6.5),
    ((25.5, 60, -70), 13.5, 6.2),
    ((14.5, 73, -74.5), 14.5, 5.4),
    ((0.0, 77.5, -76), 15.0, 5.4),
)


def mandible() -> Anatomy:
    """Lower jaw in centric occlusion; its left angle lies 2 mm lower and 1 mm further in than the right one."""
    anatomy = Anatomy()
    pieces: list[Shape] = []
    line = [((x, y, z), h, w) for (x, y, z), h, w in _BODY]
    line += [((-x + (1 if x > 40 else 0), y, z - (2 if x > 40 else 0)), h, w) for (x, y, z), h, w in _BODY[-2::-1]]
    points, heights, widths = zip(*line, strict=True)
    pieces.append(plate(points, heights, widths, up=(0, 0, 1), smooth=3))
    pieces.append(Ellipsoid((0, 80, -85), (13, 5.5, 6.5)))
    for _, s in SIDES:
        low, x = (0.0, 46.5) if s > 0 else (-2.0, 45.5)
        ramus = [(x * s, 16, -55 + low), (48 * s, 22, -36), (49.5 * s, 25, -20)]
        pieces.append(plate(ramus, (15, 16, 15.5), (4.2, 3.8, 3), up=(0, 1, -0.3)))
        pieces.append(tube([(49.5 * s, 15, -22), (50.5 * s, 13.5, -10)], (5.2, 4.2)))
        pieces.append(Ellipsoid((51 * s, 13, -6.5), (9.5, 4.8, 6), turned(z=-18 * s)))
        pieces.append(tube([(49 * s, 34, -22), (48.5 * s, 36.5, -6)], (5, 2.2)))
    bone = Union(tuple(pieces), blend=3)
    anatomy.bone("mandible", bone, rind=2.2, cortex=1450.0)
    for side, s in SIDES:
        nerve = [(47.5 * s, 22, -34), (40.5 * s, 28, -60), (27 * s, 57, -74), (22 * s, 66, -73)]
        anatomy.fill("mandible", tube(nerve, 1.5, smooth=2), 40.0)
        angle = (46.5, 14, -52) if s > 0 else (-45.5, 14, -54)
        anatomy.mark(f"gonion {side}", bone.surface_point(angle, (0.25 * s, -0.7, -0.7)), "mandible")
        anatomy.mark(f"condylion {side}", bone.surface_point((51 * s, 13, -6.5), (0, -0.1, 1)), "mandible")
        anatomy.mark(f"coronoid tip {side}", bone.surface_point((48.5 * s, 36.5, -7), (0, 0.1, 1)), "mandible")
    anatomy.mark("menton", bone.surface_point((0, 78, -84), (0, -0.1, -1)), "mandible")
    anatomy.mark("gnathion", bone.surface_point((0, 78, -84), (0, 1, -1)), "mandible")
    anatomy.mark("pogonion", bone.surface_point((0, 78, -84), (0, 1, 0.05)), "mandible")
    anatomy.mark("B point", bone.surface_point((0, 77.5, -70), (0, 1, 0)), "mandible")
    _hyoid(anatomy)
    return anatomy


def _hyoid(anatomy: Anatomy) -> None:
    horns = [(-20, 14, -84), (-13, 30, -92), (0, 40, -95), (13, 30, -92), (20, 14, -84)]
    anatomy.fill("hyoid", tube(horns, (1.8, 2.4, 3.8, 2.4, 1.8), smooth=3), CORTICAL - 450)
    anatomy.mark("hyoid", (0, 43.8, -95), "hyoid")
