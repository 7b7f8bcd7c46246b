"""Two rows of teeth with roots, one filling and one wisdom tooth, both on one side."""

from __future__ import annotations

import numpy as np

from .anatomy import DENTINE, ENAMEL, METAL, SIDES, Anatomy
from .shapes import Ellipsoid, Point, RoundedBox
from .tubes import tube

# From the middle: central incisor, lateral, canine, two premolars, two molars. mm.
_UPPER_WIDTHS = (8.6, 6.6, 7.6, 7.1, 6.8, 10.4, 9.8)
_LOWER_WIDTHS = (5.4, 5.9, 6.9, 7.0, 7.1, 11.0, 10.5)
_DEPTHS = (2.8, 2.7, 3.5, 4.3, 4.3, 5.2, 5.1)
_ROOTS = (13.0, 13.0, 17.0, 14.0, 14.0, 13.0, 12.0)


def teeth() -> Anatomy:
    """All teeth; a metal filling in the left lower first molar, a wisdom tooth at the right lower end only."""
    anatomy = Anatomy()
    for side, s in SIDES:
        for number, (x, y, turn) in enumerate(_along_arch(_UPPER_WIDTHS, front=88.0, bend=0.0485), start=1):
            edge = -53.5 if number <= 3 else -51.5
            _tooth(anatomy, (x * s, y, edge), up=1.0, number=number, width=_UPPER_WIDTHS[number - 1], turn=turn * s)
            if number == 1:
                anatomy.mark(f"upper incisor tip {side}", (x * s, y, edge), "teeth")
                anatomy.mark("upper incisor", (0, y, edge), "teeth")
        for number, (x, y, turn) in enumerate(_along_arch(_LOWER_WIDTHS, front=84.5, bend=0.0485), start=1):
            edge = -50.5 if number <= 3 else -52.0
            _tooth(anatomy, (x * s, y, edge), up=-1.0, number=number, width=_LOWER_WIDTHS[number - 1], turn=turn * s)
            if number == 1:
                anatomy.mark(f"lower incisor tip {side}", (x * s, y, edge), "teeth")
                anatomy.mark("lower incisor", (0, y, edge), "teeth")
            if number == 6:
                anatomy.mark(f"lower first molar {side}", (x * s, y, edge), "teeth")
                if s < 0:
                    anatomy.fill("teeth", Ellipsoid((x * s, y, edge - 1.8), (2.8, 3.4, 1.8)), METAL)
    _tooth(anatomy, (32.0, 38.5, -52.5), up=-1.0, number=7, width=10.0, turn=72.0)
    return anatomy


def _along_arch(widths: tuple[float, ...], front: float, bend: float) -> list[tuple[float, float, float]]:
    """(x, y, turn in degrees) of teeth of these widths side by side on the parabola y = front − bend·x²."""
    x = np.linspace(0, 40, 2001)
    y = front - bend * x**2
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    middles = np.cumsum(widths) - np.array(widths) / 2
    at = np.interp(middles, length, x)
    return [(float(a), float(front - bend * a**2), float(np.degrees(np.arctan(2 * bend * a)))) for a in at]


def _tooth(anatomy: Anatomy, edge: Point, up: float, number: int, width: float, turn: float) -> None:
    """A tooth whose cutting edge or grinding surface is at `edge`, its roots toward `up`; `turn` in degrees."""
    x, y, z = edge
    depth, root = _DEPTHS[number - 1], _ROOTS[number - 1]
    angle = np.deg2rad(-turn)
    axes = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    height = 10.0 if number <= 3 else 7.5
    # Crown: incisors are wedges, so their dentine starts thick at the neck; molars are blocks on several roots.
    across, along = axes[:, 1], axes[:, 0]
    middle = np.array([x, y, z + up * height / 2])
    neck = np.array([x, y, z + up * height]) - 1.0 * across
    splits = (-0.26, 0.26) if number >= 6 else (0.0,)
    inward = -2.0 if number <= 3 else 0.0
    for split in splits:
        start = neck + split * width * along
        end = start + np.array([0, 0, up * root]) + (0.4 * split * width) * along + inward * across
        radius = (0.30 if len(splits) == 1 else 0.20) * width
        anatomy.fill("teeth", tube([tuple(start - [0, 0, up * 2]), tuple(end)], (radius, 0.9)), DENTINE)
        anatomy.fill("teeth", tube([tuple(start), tuple(0.15 * start + 0.85 * end)], (0.8, 0.4)), 100.0)
    crown = RoundedBox(tuple(middle), (0.49 * width, depth, 0.53 * height), 2.5, axes)
    anatomy.fill("teeth", crown, ENAMEL)
    deeper = tuple(middle + np.array([0, 0, up * 1.2]))
    core = RoundedBox(deeper, (0.49 * width - 1.3, depth - 1.3, 0.53 * height - 0.6), 1.0, axes)
    anatomy.fill("teeth", core, DENTINE)
