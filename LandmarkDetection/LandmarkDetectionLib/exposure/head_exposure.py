"""What a run of beams shone on: the head's surface, its regions, and organs in it.

A beam gives each vertex in its field the inverse square of the distance from the source, times its duration or mAs.
There is no factor for the angle at which it arrives: like the air kerma that a meter shows, it belongs to a point and
not to a piece of skin (ICRU Report 74, 2005). Beams enter where the surface faces the source with nothing of the head
in between; what lies in the field behind that was reached through the head and is kept apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from jaxtyping import Bool, Float64
from scipy.spatial import cKDTree

from ..skull_shape.surface import Surface
from .beam import Beam, amounts
from .head_regions import HeadRegions
from .lit_surface import LitSurface
from .point_organs import OrganInField, Place, PointOrgan, organ_in_field

REFERENCE_MM = 700.0
NOT_A_DOSE = (
    "Relative geometric exposure, not a dose: inverse square of the distance from the source times duration or mAs. "
    "Tube output, filters, scatter and attenuation in the head are not part of it."
)
# An organ is on the side of most of the skin's vertices that are nearest to it.
_SKIN_AROUND = 7


@dataclass(frozen=True)
class RegionInBeam:
    """Parts (0 to 1) of a region's area that the beam entered, and that lay in its field behind something."""

    name: str
    entered: float
    behind: float


@dataclass(frozen=True)
class OrganInBeam:
    """An organ in one beam. `is_near_side`: the source sees the skin over it. `exposure` is 0 outside the field."""

    name: str
    where: OrganInField
    is_near_side: bool
    exposure: float


@dataclass(frozen=True)
class BeamOnHead:
    """One beam: `amount` in the run's unit, and what it shone on."""

    name: str
    amount: float
    regions: tuple[RegionInBeam, ...]
    organs: tuple[OrganInBeam, ...]


@dataclass(frozen=True, eq=False)
class HeadExposure:
    """A whole run on a surface in the CT's frame.

    `entrance` and `behind` are for each vertex what it got from beams that entered there, and from those that came
    through the head (not weakened by it); 1 is one `unit` (s or mAs) at 700 mm from the source. Not a dose.
    """

    surface: Surface
    regions: HeadRegions
    organs: tuple[PointOrgan, ...]
    unit: str
    entrance: Float64[np.ndarray, "n"]
    behind: Float64[np.ndarray, "n"]
    beams: tuple[BeamOnHead, ...]

    @property
    def relative(self) -> Float64[np.ndarray, "n"]:
        """Entrance exposure of each vertex as a part (0 to 1) of the largest; 0 where nothing was exposed."""
        return self.entrance / max(self.entrance.max(initial=0.0), np.finfo(float).tiny)

    @property
    def region_areas(self) -> Float64[np.ndarray, "regions"]:
        """Area of each region in mm²."""
        return np.bincount(
            self.regions.of_vertex, self.surface.vertex_areas, minlength=len(self.regions.names)
        ).astype(np.float64)


def head_exposure(
    surface: Surface, regions: HeadRegions, organs: Sequence[PointOrgan], beams: Sequence[Beam]
) -> HeadExposure:
    """Add up what `beams` shone on; `surface` (best the skin) and `organs` are in the CT's frame.

    Amounts are mAs where every beam tells them, else seconds. InputError without beams, ValueError for regions of
    another surface.
    """
    if not beams:
        raise InputError("exposure", "there is no frame", "Give at least one frame in which the head has a pose.")
    if len(regions.of_vertex) != len(surface.vertices):
        raise ValueError(f"regions of {len(regions.of_vertex)} vertices for {len(surface.vertices)}")
    unit, amount_of = amounts(beams)
    lit_surface = LitSurface(surface)
    areas = _Areas(surface, regions)
    skin = _skin_over(surface, organs)
    entrance, behind = np.zeros((2, len(surface.vertices)))
    found = []
    for beam, amount in zip(beams, amount_of.tolist(), strict=True):
        camera = beam.in_ct
        lit = lit_surface.seen_from(camera.camera_from_world)
        in_field = beam.field.contains(camera.project(surface.vertices))
        apart = surface.vertices - camera.source
        given = amount * REFERENCE_MM**2 / np.einsum("ni,ni->n", apart, apart)
        entered, passed = in_field & lit, in_field & ~lit
        entrance += np.where(entered, given, 0)
        behind += np.where(passed, given, 0)
        in_beam = []
        for organ, around in zip(organs, skin, strict=True):
            where = organ_in_field(organ, camera, beam.field)
            got = amount * (REFERENCE_MM / where.distance_mm) ** 2 if where.place != Place.OUTSIDE else 0.0
            in_beam.append(OrganInBeam(organ.name, where, bool(lit[around].mean() > 0.5), got))
        found.append(BeamOnHead(beam.name, amount, areas.in_beam(entered, passed), tuple(in_beam)))
    return HeadExposure(surface, regions, tuple(organs), unit, entrance, behind, tuple(found))


class _Areas:
    """Area-weighted parts of regions."""

    def __init__(self, surface: Surface, regions: HeadRegions) -> None:
        self._regions, self._areas = regions, surface.vertex_areas
        self._whole = self._of(np.ones(len(self._areas), dtype=bool))

    def in_beam(self, entered: Bool[np.ndarray, "n"], passed: Bool[np.ndarray, "n"]) -> tuple[RegionInBeam, ...]:
        shares = [self._of(part) / np.maximum(self._whole, 1e-12) for part in (entered, passed)]
        return tuple(
            RegionInBeam(name, float(near), float(far))
            for name, near, far in zip(self._regions.names, *shares, strict=True)
        )

    def _of(self, part: Bool[np.ndarray, "n"]) -> Float64[np.ndarray, "regions"]:
        return np.bincount(self._regions.of_vertex, np.where(part, self._areas, 0), minlength=len(self._regions.names))


def _skin_over(surface: Surface, organs: Sequence[PointOrgan]) -> list[np.ndarray]:
    """Vertices nearest to each organ."""
    if not organs:
        return []
    _, nearest = cKDTree(surface.vertices).query(
        np.stack([organ.centre for organ in organs]), k=min(_SKIN_AROUND, len(surface.vertices))
    )
    return list(np.reshape(nearest, (len(organs), -1)))
