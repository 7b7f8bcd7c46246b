"""Where the internal carotid and its great branches run, and what they feed, in proportion to a cranial cavity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import ArrayLike

from ...errors import InputError
from .cavity import Cavity

# Room between a vessel's middle line and the bone.
WALL_MM = 2.5
_FALX_MM = 1.5
_SIPHON_MM = 25.0
# From the neck through petrous bone and siphon up to the carotid's end: (outward, forward, upward) of that end in mm,
# the same in all heads. Drawn, not measured, after the segments of Bouthillier et al., Neurosurgery 38, 1996.
_CAROTID = np.array(
    [
        (8, -11, -150),
        (10, -9, -108),
        (11, -14, -85),
        (11, -17, -60),
        (10, -15, -38),
        (2, -9, -28),
        (-2, -3, -20),
        (-2.5, 8, -15),
        (-3, 9, -8),
        (-2.5, 2, -4),
        (0, 0, 0),
    ]
)
# The great branches: (outward from the middle plane, forward or backward from the carotid's end, upward from it), each
# as a share of the way to the cavity's wall. Each starts at the end of an earlier one, or at the carotid's (−1).
_BRANCHES: tuple[tuple[int, tuple[tuple[float, float, float], ...]], ...] = (
    # Middle cerebral artery: main stem, then trunks over the insula.
    (-1, ((0.40, 0.06, -0.01), (0.60, 0.03, 0.04))),
    (0, ((0.70, 0.00, 0.16), (0.74, -0.05, 0.32), (0.82, 0.00, 0.46), (0.76, -0.02, 0.66))),
    (0, ((0.70, -0.12, 0.10), (0.76, -0.32, 0.22), (0.82, -0.48, 0.34), (0.74, -0.60, 0.50))),
    (0, ((0.68, 0.16, 0.10), (0.72, 0.36, 0.24), (0.70, 0.40, 0.42))),
    (0, ((0.72, -0.08, -0.03), (0.80, -0.25, -0.02))),
    # Anterior cerebral artery: under the frontal lobe, then around the corpus callosum and along the cingulate gyrus.
    (-1, ((0.06, 0.16, 0.02), (0.04, 0.36, 0.12), (0.04, 0.46, 0.28))),
    (5, ((0.04, 0.36, 0.44), (0.04, 0.05, 0.54), (0.05, -0.28, 0.54), (0.05, -0.50, 0.48))),
    (5, ((0.04, 0.55, 0.48), (0.05, 0.42, 0.68), (0.06, 0.12, 0.80))),
    (5, ((0.05, 0.62, 0.26), (0.06, 0.74, 0.38))),
)
# Of these only the main stem is the same in every head, so that a wire may follow it.
_STEADY = (0,)
_SPREAD = 0.025


@dataclass(frozen=True, eq=False)
class CarotidTerritory:
    """One side of a cavity: `outward` is +1 on the right, −1 on the left; the rest is in RAS mm.

    `end` is where the internal carotid divides, above the sella's side; `reach` are the ways from there forward,
    backward and upward to the wall, and from the middle plane outward.
    """

    cavity: Cavity
    outward: float
    middle: float
    end: Float64[np.ndarray, "3"]
    forward: float
    backward: float
    upward: float
    half_width: float

    @classmethod
    def of(cls, cavity: Cavity, outward: float) -> Self:
        """The territory of one carotid. InputError if the cavity has no room above the sella."""
        points = cavity.head.place(np.argwhere(cavity.inside))
        middle = float(points[:, 0].mean())
        back, front = np.percentile(points[:, 1], [0.5, 99.5])
        half_width = float(np.percentile(np.abs(points[:, 0] - middle), 99))
        x, y = middle + outward * 0.2 * half_width, back + 0.6 * (front - back)
        level, top = points[:, 2].mean(), float(points[:, 2].max())
        column = np.arange(level, points[:, 2].min() - 1.0, -0.5)
        line = np.stack([np.full_like(column, x), np.full_like(column, y), column], axis=1)
        blocked = np.flatnonzero(cavity.depth(line) < WALL_MM)
        if not len(blocked) or blocked[0] == 0:
            raise InputError("CT", "its skull has no base", "Use a CT of a whole head, or leave out the vessels.")
        end = np.array([x, y, column[blocked[0]] + 6.0])
        return cls(cavity, outward, middle, end, front - y, y - back, top - end[2], half_width)

    def confined(self, points: Float64[np.ndarray, "n 3"]) -> tuple[Float64[np.ndarray, "n 3"], np.ndarray]:
        """Points moved off the wall and to their side of the middle plane, and which of them are clear of it now."""
        points = points.copy()
        for _ in range(3):
            lack = np.maximum(WALL_MM + 0.2 - self.cavity.depth(points), 0)[:, None]
            points += lack * self.cavity.inward(points) * (lack > 0)
            points[:, 0] = self.middle + self.outward * np.maximum(
                self.outward * (points[:, 0] - self.middle), _FALX_MM
            )
        return points, self.cavity.depth(points) >= WALL_MM

    def carotid(self, spacing_mm: float) -> Float64[np.ndarray, "n 3"]:
        """The internal carotid upward from where it enters the part of the patient that the CT shows to its end."""
        line = curve(self.end + _CAROTID * [self.outward, 1, 1], spacing_mm)
        # Above, the air of the sphenoid sinus lies beside it, which is not the end of the patient.
        outside = ~self.cavity.head.inside(line) & (line[:, 2] < self.end[2] - _SIPHON_MM)
        return line[np.flatnonzero(outside)[-1] + 1 :] if outside.any() else line

    def _placed(self, shares: ArrayLike) -> Float64[np.ndarray, "n 3"]:
        x, y, z = np.asarray(shares, dtype=np.float64).T
        y = y * np.where(y > 0, self.forward, self.backward)
        return np.stack(
            [self.middle + self.outward * x * self.half_width, self.end[1] + y, self.end[2] + z * self.upward], axis=1
        )

    def main_stem(self, spacing_mm: float) -> Float64[np.ndarray, "n 3"]:
        """The first part of the middle cerebral artery, from the carotid's end on."""
        line = np.concatenate([self.end[None], self._placed(_BRANCHES[0][1])])
        return self.confined(curve(line, spacing_mm))[0]

    def from_main_stem(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
        """Distance (mm) of points from the main stem's nodes."""
        stem = self.main_stem(0.5)
        return np.min(np.linalg.norm(points[:, None] - stem, axis=2), axis=1)

    def trunks(
        self, spacing_mm: float, random: np.random.Generator
    ) -> tuple[Float64[np.ndarray, "n 3"], Int64[np.ndarray, "n"], int]:
        """Carotid and great branches, drawn anew each time: nodes (mm), parents, number of the carotid's nodes."""
        position = self.carotid(spacing_mm)
        carotid = len(position)
        parent = np.arange(carotid) - 1
        last: list[int] = []
        for number, (start, shares) in enumerate(_BRANCHES):
            origin = carotid - 1 if start < 0 else last[start]
            if number in _STEADY:
                line = self.main_stem(spacing_mm)[1:]
            else:
                way = self._placed(np.array(shares) + _SPREAD * random.normal(size=(len(shares), 3)))
                line = self.confined(curve(np.concatenate([position[origin][None], way]), spacing_mm))[0][1:]
            parent = np.concatenate([parent, [origin], len(position) + np.arange(len(line) - 1)])
            position = np.concatenate([position, line])
            last.append(len(position) - 1)
        return position, parent, carotid

    def tissue(self, count: int, random: np.random.Generator) -> Float64[np.ndarray, "count 3"]:
        """Points of the brain that this carotid feeds: dense in the cortex, few in the depth.

        The posterior fossa below the tentorium and the occipital lobe belong to the vertebral arteries.
        """
        head = self.cavity.head
        voxels = np.argwhere(self.cavity.inside)
        points = head.place(voxels)
        depth = self.cavity.depth_mm[tuple(voxels.T)]
        from_middle = self.outward * (points[:, 0] - self.middle)
        behind = self.end[1] - 12.0 - points[:, 1]
        above = points[:, 2] - self.end[2]
        weight = np.where(depth < 9, 1.0, np.where(depth < 22, 0.3, 0.06))
        weight = np.where(from_middle < 9, 0.25, weight)
        weight[(depth < WALL_MM) | (from_middle < 2)] = 0
        weight[(behind > 0) & (above < 10 + 0.15 * behind)] = 0
        weight[(behind > 0.75 * self.backward) | ((from_middle < 12) & (above < 15))] = 0
        chosen = random.choice(len(points), size=count, p=weight / weight.sum())
        return points[chosen] + random.uniform(-1, 1, size=(count, 3))


def curve(knots: ArrayLike, spacing_mm: float) -> Float64[np.ndarray, "n 3"]:
    """Points `spacing_mm` or a little less apart on a smooth curve through knots (mm), the first and last included."""
    from scipy.interpolate import CubicSpline

    knots = np.asarray(knots, dtype=np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    return CubicSpline(along, knots, axis=0, bc_type="natural")(
        np.linspace(0, along[-1], int(np.ceil(along[-1] / spacing_mm)) + 1)
    )
