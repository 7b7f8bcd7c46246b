"""Where every place of a deformed head comes from: a pull-back on a coarse grid, linear between its nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.projector.compile_cache import compiled
from jaxtyping import Float64

from .pull_backs import PullBack

_ROUNDS = 40
_DIFFERENCE = 0.25


@dataclass(frozen=True, eq=False)
class OriginField:
    """`origin` (mm, its own frame) of the places `first` + `step` · (i, j, k), mm along the axes of a grid."""

    origin: Float64[np.ndarray, "k j i 3"]
    first: Float64[np.ndarray, "3"]
    step: float

    @classmethod
    def sampled(
        cls, pull_back: PullBack, low: Float64[np.ndarray, "3"], high: Float64[np.ndarray, "3"], step: float
    ) -> OriginField:
        """That of `pull_back` over a box."""
        x, y, z = (a + step * np.arange(int(np.ceil((b - a) / step)) + 1) for a, b in zip(low, high, strict=True))
        nodes = np.stack(np.meshgrid(z, y, x, indexing="ij")[::-1], axis=-1)
        return cls(pull_back(nodes.reshape(-1, 3)).reshape(nodes.shape), np.asarray(low), step)

    def part(self, begin: np.ndarray, end: np.ndarray) -> OriginField:
        """The nodes from `begin` to before `end` (k, j, i)."""
        chosen = tuple(slice(int(a), int(b)) for a, b in zip(begin, end, strict=True))
        return OriginField(self.origin[chosen], self.first + self.step * np.asarray(begin)[::-1], self.step)

    def at(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Origins (mm) of points (mm)."""
        found = np.empty((len(points), 3))
        _interpolate(self.origin, np.nan_to_num((points - self.first) / self.step), found)
        return found

    def inverse_at(
        self, origins: Float64[np.ndarray, "n 3"], near: Float64[np.ndarray, "n 3"]
    ) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n"]]:
        """The points (mm) that come from `origins` (mm), sought from those `near`, and by how much theirs are off."""
        points = near
        best, least = points.copy(), np.full(len(points), np.inf)
        for _ in range(_ROUNDS):
            missing = origins - self.at(points)
            off = np.linalg.norm(missing, axis=1)
            best[off < least], least = points[off < least], np.minimum(off, least)
            if least.max(initial=0) < 1e-6:
                break
            points = points + np.linalg.solve(self.slope_at(points), missing[..., None])[..., 0]
        return best, least

    def slope_at(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3 3"]:
        """How origins change with their points (mm); beyond the grid as at its end, where there is a way back."""
        reach = _DIFFERENCE * self.step
        last = self.first + self.step * (np.array(self.origin.shape[2::-1]) - 1)
        points = np.clip(points, self.first + reach, last - reach)
        moved = [self.at(points + step) - self.at(points - step) for step in reach * np.eye(3)]
        return np.stack(moved, axis=2) / (2 * reach)

    @property
    def least_growth(self) -> float:
        """Smallest ratio of a small volume's origin to itself, over all nodes: where it is 0 or less, space folds."""
        inner = self.origin[1:-1, 1:-1, 1:-1]
        after = (self.origin[2:, 1:-1, 1:-1], self.origin[1:-1, 2:, 1:-1], self.origin[1:-1, 1:-1, 2:])
        before = (self.origin[:-2, 1:-1, 1:-1], self.origin[1:-1, :-2, 1:-1], self.origin[1:-1, 1:-1, :-2])
        sides = [[(one - inner) / self.step for one in after], [(inner - one) / self.step for one in before]]
        growths = [np.einsum("...i,...i", a, np.cross(b, c)) for a, b, c in sides]
        # The two frames may be of different hands.
        hand = np.sign(np.median(growths[0]))
        return min(float((hand * growth).min()) for growth in growths)


@compiled()
def _interpolate(grid, places, found):  # type: ignore[no-untyped-def]
    """Linear between the nodes of `grid` (k, j, i, 3) at `places` (n, 3; i, j, k); beyond its ends as at them."""
    low, high, part = np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(3)
    for n in range(len(places)):
        for axis in range(3):
            last = grid.shape[2 - axis] - 1
            place = min(max(places[n, axis], 0.0), float(last))
            low[axis] = min(int(place), max(last - 1, 0))
            high[axis] = min(low[axis] + 1, last)
            part[axis] = place - low[axis]
        for c in range(3):
            total = 0.0
            for corner in range(8):
                right, down, deep = corner & 1, (corner >> 1) & 1, corner >> 2
                weight = (part[0] if right else 1 - part[0]) * (part[1] if down else 1 - part[1])
                weight *= part[2] if deep else 1 - part[2]
                i, j, k = (high[0] if right else low[0]), (high[1] if down else low[1]), (high[2] if deep else low[2])
                total += weight * grid[k, j, i, c]
            found[n, c] = total
