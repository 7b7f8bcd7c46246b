"""Carotid and vertebral arteries and the trunks that they feed, as trees of tubes."""

from __future__ import annotations

from .anatomy import BLOOD, CONTRAST, SIDES, Anatomy
from .shapes import Point
from .tubes import tube


def arteries(contrast: bool) -> Anatomy:
    """Arteries of neck and head; with `contrast`, iodine fills the right internal carotid and all that it feeds."""
    anatomy = Anatomy()
    for side, s in SIDES:
        internal = CONTRAST if contrast and side == "right" else BLOOD
        _carotid(anatomy, side, s, internal)
        _vertebral(anatomy, s)
        _cerebral(anatomy, s, internal)
    anatomy.fill("vessels", tube([(0, 0, -22), (0.5, 2.5, -8), (0, 6.5, 12)], (1.7, 1.7, 1.6), smooth=2), BLOOD)
    return anatomy


def _carotid(anatomy: Anatomy, side: str, s: float, internal: float) -> None:
    """Common, external with the facial artery, internal with its siphon; the left one divides lower."""
    fork = -78.0 if s > 0 else -84.0
    anatomy.mark(f"carotid bifurcation {side}", (24 * s, 8, fork), "vessels")
    anatomy.fill("vessels", tube([(22 * s, 6, -150), (23 * s, 8, -110), (24 * s, 8, fork)], 3.4, smooth=2), BLOOD)
    external = [(24 * s, 8, fork), (29 * s, 14, -62), (36 * s, 12, -40), (52 * s, 8, -20), (62 * s, 4, 12)]
    anatomy.fill("vessels", tube(external, (2.8, 2.5, 2.2, 1.6, 1.1), smooth=4), BLOOD)
    facial = [(29 * s, 14, -62), (38 * s, 34, -72), (36 * s, 66, -50), (18 * s, 88, -10)]
    anatomy.fill("vessels", tube(facial, (1.5, 1.4, 1.2, 0.9), smooth=4), BLOOD)
    siphon = [(24 * s, 8, fork), (27 * s, 3, -55), (25 * s, 0, -30), (24 * s, 2, -8), (16 * s, 8, 2)]
    siphon += [(12 * s, 14, 10), (11.5 * s, 25, 15), (11 * s, 26, 22), (11.5 * s, 19, 26), (14 * s, 17, 30)]
    anatomy.fill("vessels", tube(siphon, (3.2, 2.6, 2.5, 2.5, 2.4, 2.3, 2.2, 2.1, 2.0, 1.9), smooth=4), internal)


def _vertebral(anatomy: Anatomy, s: float) -> None:
    """Up through the transverse foramina, over the atlas, to the basilar artery; the left one is the wider."""
    line = [(18.5 * s, -6, -150), (18.5 * s, -6, -114), (18.5 * s, -9, -79), (19 * s, -10.5, -60), (28 * s, -12, -38)]
    line += [(25 * s, -22, -30), (12 * s, -22, -27), (5 * s, -12, -22), (0, 0, -22)]
    anatomy.fill("vessels", tube(line, 1.7 if s > 0 else 2.1, smooth=4), BLOOD)


def _cerebral(anatomy: Anatomy, s: float, hounsfield: float) -> None:
    """Anterior and middle cerebral arteries with their larger branches; the two sides differ."""
    lift = 0.0 if s > 0 else 4.0
    start = (14 * s, 17, 30)
    front: list[Point] = [
        start,
        (3 * s, 26, 31),
        (2.5 * s, 50, 44),
        (2.5 * s, 52, 70 + lift),
        (2.5 * s, 20, 84),
        (2.5 * s, -20, 82),
    ]
    branches: list[tuple[list[Point], tuple[float, ...]]] = [(front, (1.5, 1.4, 1.3, 1.2, 1.0, 0.7))]
    fork = (42 * s, 16, 32 + lift)
    branches.append(([start, (28 * s, 18, 28), fork], (1.7, 1.6, 1.5)))
    branches.append(([fork, (54 * s, 18, 50), (55 * s, 24, 70 + lift), (42 * s, 28, 92)], (1.3, 1.2, 1.0, 0.6)))
    branches.append(([fork, (54 * s, -6, 46), (57 * s, -22, 66), (46 * s, -34, 90 - lift)], (1.3, 1.2, 1.0, 0.6)))
    branches.append(([fork, (52 * s, 0, 30), (56 * s, -26, 36 + lift), (48 * s, -56, 42)], (1.2, 1.1, 0.9, 0.6)))
    branches.append(([(54 * s, -6, 46), (60 * s, -16, 50), (53 * s, -48, 62)], (0.9, 0.8, 0.5)))
    branches.append(([(2.5 * s, 50, 44), (3 * s, 68, 56 + lift), (5 * s, 64, 80)], (0.9, 0.8, 0.5)))
    for points, radii in branches:
        anatomy.fill("vessels", tube(points, radii, smooth=4), hounsfield)
