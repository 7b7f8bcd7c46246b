"""What the collimator leaves open: shutters, an iris or an image intensifier's round input, with a soft edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float64

from .detector_plane import detector_points
from .limits import check_positive, check_within


class Aperture(Protocol):
    """An opening, as a set of edges that each hide what lies beyond them."""

    def distances_inside_mm(self, points_mm: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n edges"]:
        """Distance of each point (x, y; mm about the image's centre) from each edge, positive on the open side."""
        ...


@dataclass(frozen=True)
class Shutters:
    """Straight blades (distance_mm, angle_deg): open where x·cos angle + y·sin angle ≤ distance.

    The angle turns from the image's right (0°) to its bottom (90°) and says on which side the blade stands.
    """

    blades: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.blades:
            raise ValueError("blades must hold at least one blade")
        if not np.isfinite(self.blades).all():
            raise ValueError(f"blades must be finite numbers, got {self.blades}")

    def distances_inside_mm(self, points_mm: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n edges"]:
        """Distance of each point from each blade."""
        distance, angle = np.array(self.blades, dtype=np.float64).T
        normals = np.column_stack([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        return distance - np.einsum("nj,ej->ne", points_mm, normals)


@dataclass(frozen=True)
class Rectangle:
    """Two pairs of blades, `size_mm` (width, height) about `centre_mm` (x, y), turned by `turn_deg` from x to y."""

    centre_mm: tuple[float, float]
    size_mm: tuple[float, float]
    turn_deg: float = 0.0

    def __post_init__(self) -> None:
        check_positive("size_mm", min(self.size_mm), "mm")
        if not np.isfinite([*self.centre_mm, *self.size_mm, self.turn_deg]).all():
            raise ValueError("centre_mm, size_mm and turn_deg must be finite numbers")

    def distances_inside_mm(self, points_mm: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n edges"]:
        """Distance of each point from each of the four sides."""
        width, height = self.size_mm
        sides = Shutters(tuple((side / 2, self.turn_deg + k * 90) for k, side in enumerate((width, height) * 2)))
        return sides.distances_inside_mm(points_mm - np.array(self.centre_mm))


@dataclass(frozen=True)
class Round:
    """An iris, or the input screen of an image intensifier: `radius_mm` about `centre_mm` (x, y)."""

    radius_mm: float
    centre_mm: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        check_positive("radius_mm", self.radius_mm, "mm")
        if not np.isfinite(self.centre_mm).all():
            raise ValueError(f"centre_mm must be finite numbers, got {self.centre_mm}")

    def distances_inside_mm(self, points_mm: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n edges"]:
        """Distance of each point from the circle."""
        offset = points_mm - np.array(self.centre_mm)
        return self.radius_mm - np.hypot(offset[:, 0], offset[:, 1])[:, None]


@dataclass(frozen=True)
class Collimator:
    """Openings behind each other, the width of their edges and what comes through the lead.

    `penumbra_mm` is the width on the detector over which an edge goes from shut to open, half open at the edge itself,
    as behind a focal spot whose brightness falls off like a parabola. `leak` is the part of the open beam behind lead.
    ValueError for a penumbra that is none or a leak outside [0, 1].
    """

    apertures: tuple[Aperture, ...]
    penumbra_mm: float = 1.0
    leak: float = 0.003

    def __post_init__(self) -> None:
        check_positive("penumbra_mm", self.penumbra_mm, "mm")
        check_within("leak", self.leak, 0, 1)

    def open_fraction(
        self, size: tuple[int, int], pixel_mm: tuple[float, float]
    ) -> Float64[np.ndarray, "rows columns"]:
        """The part of the beam, in [leak, 1], that reaches each pixel of an image of `size` (rows, columns)."""
        points = detector_points(size, pixel_mm)
        bare = np.ones(len(points))
        for aperture in self.apertures:
            across = np.clip(aperture.distances_inside_mm(points) / self.penumbra_mm + 0.5, 0, 1)
            # Edges shade independently of each other: at a rectangle's corner a quarter of the focal spot is bare.
            bare *= np.prod(across * across * (3 - 2 * across), axis=1)
        return (self.leak + (1 - self.leak) * bare).reshape(size)
