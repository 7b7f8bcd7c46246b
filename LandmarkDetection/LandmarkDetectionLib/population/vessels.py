"""Arteries filled with contrast medium, made up in milliseconds: what an angiogram shows beside the skull.

The simulator grows its arteries through the brain's tissue, which takes seconds. A population needs thousands of
trees, each different, and of an image no more than that some contrast-filled tree is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.geometry import Rays
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.projector.compile_cache import compiled
from DiffRegistrationLib.xray.simulator.materials import Material, mass_attenuation
from jaxtyping import Float32, Float64

from .anatomy import Anatomy

Point = Float64[np.ndarray, "3"]

_VOXEL_MM, _STEP_MM, _MARGIN_MM = 1.5, 4.0, 4.0
# The right internal carotid on its way up into the skull, in the computed head (56.5 mm from porion to midline).
_CAROTID = (
    (24, 8, -84),
    (26, 3, -55),
    (25, 0, -30),
    (24, 2, -8),
    (16, 8, 2),
    (12, 14, 10),
    (11, 26, 20),
    (14, 17, 30),
)
_PORION_MM = 56.5
_INLET_MM = (1.6, 2.4)
_SMALLEST_MM = 0.35
# Where the great branches set out to: the midline in front, the side, the back.
_TOWARD = ((-0.4, 0.8, 0.6), (1.0, 0.1, 0.3), (0.2, -0.9, 0.4))
_GENERATIONS = 4


@dataclass(frozen=True, eq=False)
class Pieces:
    """Round pieces of vessel (mm, the head's frame) that each get from one radius to the next."""

    start: Float64[np.ndarray, "n 3"]
    end: Float64[np.ndarray, "n 3"]
    radius: Float64[np.ndarray, "n 2"]


class ContrastVessels:
    """Arteries of one head; which ones and how they run is drawn from `random`."""

    def __init__(
        self, ct_from_head: Float64[np.ndarray, "4 4"], anatomy: Anatomy, random: np.random.Generator
    ) -> None:
        pieces = random_arteries(anatomy, random)
        self._projector = Projector(_share_of_voxels(pieces, ct_from_head))

    def line_integrals(
        self,
        rays: Rays,
        poses: Float64[np.ndarray, "n 4 4"],
        kiloelectronvolts: Float64[np.ndarray, "n"],
        iodine_mg_per_ml: Float64[np.ndarray, "n"],
    ) -> Float32[np.ndarray, "n rays"]:
        """What each pose's (world_from_ct) contrast medium adds."""
        per_mm = 0.1e-3 * mass_attenuation(Material.IODINE, kiloelectronvolts) * iodine_mg_per_ml
        return self._projector.render(rays, poses) * per_mm[:, None].astype(np.float32)


def random_arteries(anatomy: Anatomy, random: np.random.Generator) -> Pieces:
    """One or both internal carotids with all that they feed."""
    brain = _BrainCase.of(anatomy)
    broad = float(anatomy.porion[0]) / _PORION_MM
    sides = {0: (1.0,), 1: (-1.0,), 2: (1.0, -1.0)}[int(random.integers(3))]
    found: list[tuple[Point, Point, float, float]] = []
    for side in sides:
        inlet = float(random.uniform(*_INLET_MM))
        line = broad * (np.array(_CAROTID) + random.normal(scale=1.0, size=(len(_CAROTID), 3))) * [side, 1, 1]
        widths = np.linspace(inlet, 0.85 * inlet, len(line))
        found += [(a, b, float(r), float(s)) for a, b, r, s in zip(line, line[1:], widths, widths[1:], strict=False)]
        for toward in _TOWARD:
            _grow(found, brain, line[-1], np.array(toward) * [side, 1, 1], 0.75 * inlet, _GENERATIONS, random)
    return Pieces(
        np.array([piece[0] for piece in found]),
        np.array([piece[1] for piece in found]),
        np.array([piece[2:] for piece in found]),
    )


@dataclass(frozen=True, eq=False)
class _BrainCase:
    """An ellipsoid that vessels of the brain keep within (mm, the head's frame)."""

    middle: Point
    half: Point

    @classmethod
    def of(cls, anatomy: Anatomy) -> _BrainCase:
        along = anatomy.glabella[1], anatomy.opisthocranion[1]
        up = anatomy.vertex[2], anatomy.basion[2]
        middle = np.array([0.0, np.mean(along), np.mean(up) + 6])
        half = [anatomy.euryon[0] - 9, (along[0] - along[1]) / 2 - 11, (up[0] - up[1]) / 2 - 12]
        return cls(middle, np.maximum(half, 20.0))


def _grow(
    found: list[tuple[Point, Point, float, float]],
    brain: _BrainCase,
    start: Point,
    toward: Point,
    radius: float,
    generations: int,
    random: np.random.Generator,
) -> None:
    """A winding branch that gets thinner, keeps within the brain case and puts out branches of its own."""
    at, direction = start, toward / np.linalg.norm(toward)
    # A walk needs no more numbers than these; one call for all of them is a tenth of the time.
    unrest, chances = random.normal(scale=0.22, size=(60, 3)), random.uniform(size=60)
    for swing, chance in zip(unrest, chances, strict=True):
        outward = (at - brain.middle) / brain.half
        near = float(np.linalg.norm(outward))
        direction = direction + swing - max(0.0, near - 0.8) * 2.5 * outward / max(near, 1e-6)
        direction /= np.linalg.norm(direction)
        after, thinner = at + _STEP_MM * direction, 0.977 * radius
        found.append((at, after, radius, thinner))
        at, radius = after, thinner
        if radius < _SMALLEST_MM:
            return
        if generations and chance < 0.14:
            aside = np.cross(direction, random.normal(size=3))
            aside /= max(float(np.linalg.norm(aside)), 1e-6)
            _grow(found, brain, at, direction + 1.2 * aside, 0.72 * radius, generations - 1, random)
            radius *= 0.88


def _share_of_voxels(pieces: Pieces, ct_from_head: Float64[np.ndarray, "4 4"]) -> CT:
    """How much of each voxel is vessel, as a CT of its own: line integrals of it are mm of vessel."""
    ends = np.vstack([pieces.start, pieces.end])
    low = ends.min(axis=0) - _MARGIN_MM
    size = np.ceil((ends.max(axis=0) + _MARGIN_MM - low) / _VOXEL_MM).astype(int) + 1
    share = np.zeros(tuple(size[::-1]), dtype=np.float32)
    _draw((pieces.start - low) / _VOXEL_MM, (pieces.end - low) / _VOXEL_MM, pieces.radius / _VOXEL_MM, share)
    voxels = np.diag([_VOXEL_MM] * 3 + [1.0])
    voxels[:3, 3] = low
    return CT(share, ct_from_head @ voxels)


@compiled()
def _draw(start, end, radius, share):  # type: ignore[no-untyped-def]
    """Pieces (voxels) into `share` (k, j, i); where they overlap, the largest share counts."""
    for piece in range(start.shape[0]):
        ax, ay, az = start[piece, 0], start[piece, 1], start[piece, 2]
        dx, dy, dz = end[piece, 0] - ax, end[piece, 1] - ay, end[piece, 2] - az
        square = max(dx * dx + dy * dy + dz * dz, 1e-9)
        reach = max(radius[piece, 0], radius[piece, 1]) + 0.5
        for k in range(max(0, int(min(az, az + dz) - reach)), min(share.shape[0], int(max(az, az + dz) + reach) + 2)):
            for j in range(
                max(0, int(min(ay, ay + dy) - reach)), min(share.shape[1], int(max(ay, ay + dy) + reach) + 2)
            ):
                for i in range(
                    max(0, int(min(ax, ax + dx) - reach)), min(share.shape[2], int(max(ax, ax + dx) + reach) + 2)
                ):
                    t = min(max(((i - ax) * dx + (j - ay) * dy + (k - az) * dz) / square, 0.0), 1.0)
                    x, y, z = ax + t * dx - i, ay + t * dy - j, az + t * dz - k
                    wide = radius[piece, 0] + t * (radius[piece, 1] - radius[piece, 0])
                    # A soft disc of the radius holds more than the vessel where that is thinner than a voxel.
                    exact = min(1.0, 3 * wide * wide / (wide + 0.5) ** 3)
                    part = min(max(wide + 0.5 - (x * x + y * y + z * z) ** 0.5, 0.0), 1.0) * exact
                    share[k, j, i] = max(share[k, j, i], part)
