"""A run's exposure as a table, a description, and a coloured surface."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from DiffRegistrationLib.xray.files.atomic import written_together

from ..skull_shape.vtk_surfaces import write_surface
from .head_exposure import NOT_A_DOSE, REFERENCE_MM, HeadExposure
from .point_organs import Place

TABLE, DESCRIPTION, SURFACE = "exposure.csv", "exposure.json", "exposure.vtp"
RELATIVE_ARRAY = "RelativeExposure"


def heading(exposure: HeadExposure) -> tuple[str, ...]:
    """Names of the table's columns; the last says in each row what the numbers are not."""
    return (
        *("frame", f"amount_{exposure.unit}", "kind", "name", "entered_percent", "behind_percent"),
        *("place", "margin_mm", "source_distance_mm", "side", "exposure", "meaning"),
    )


def rows(exposure: HeadExposure) -> Iterator[tuple[str | float | None, ...]]:
    """For each frame a row for every region of the surface and for every organ; None where a column says nothing.

    `exposure` of an organ is relative to one second (or mAs) at 700 mm from the source.
    """
    approximate = {organ.name for organ in exposure.organs if organ.approximate}
    for beam in exposure.beams:
        for region in beam.regions:
            shares = 100 * region.entered, 100 * region.behind
            yield beam.name, beam.amount, "region", region.name, *shares, None, None, None, None, None, NOT_A_DOSE
        for organ in beam.organs:
            kind = "organ, approximate" if organ.name in approximate else "organ"
            side = "toward the source" if organ.is_near_side else "behind the head"
            where = organ.where
            yield (
                *(beam.name, beam.amount, kind, organ.name, None, None, where.place.value),
                *(_finite(where.margin_mm), where.distance_mm, side, organ.exposure, NOT_A_DOSE),
            )


def description(exposure: HeadExposure) -> dict[str, Any]:
    """The run as JSON: what the numbers mean, sums over all frames, and each frame."""
    areas, of_vertex, entrance = exposure.region_areas, exposure.regions.of_vertex, exposure.entrance
    regions = []
    for number, name in enumerate(exposure.regions.names):
        here = of_vertex == number
        area_of = exposure.surface.vertex_areas[here]
        entered = float(area_of[entrance[here] > 0].sum())
        mean = float((area_of * entrance[here]).sum() / max(area_of.sum(), 1e-12))
        largest = float(entrance[here].max(initial=0.0))
        regions.append(
            {
                "name": name,
                "area_mm2": float(areas[number]),
                "entered_percent": 100 * entered / max(float(areas[number]), 1e-12),
                "mean_exposure": mean,
                "largest_exposure": largest,
            }
        )
    return {
        "meaning": NOT_A_DOSE,
        "unit": f"relative to 1 {exposure.unit} at {REFERENCE_MM:g} mm from the source",
        "amount": {"unit": exposure.unit, "sum": math.fsum(beam.amount for beam in exposure.beams)},
        "largest_exposure": float(entrance.max(initial=0.0)),
        "regions": regions,
        "organs": [_organ(exposure, number) for number in range(len(exposure.organs))],
        "frames": [
            {
                "name": beam.name,
                "amount": beam.amount,
                "regions": {
                    region.name: {"entered_percent": 100 * region.entered, "behind_percent": 100 * region.behind}
                    for region in beam.regions
                },
                "organs": {
                    organ.name: {
                        "place": organ.where.place.value,
                        "margin_mm": _finite(organ.where.margin_mm),
                        "source_distance_mm": organ.where.distance_mm,
                        "toward_source": organ.is_near_side,
                        "exposure": organ.exposure,
                    }
                    for organ in beam.organs
                },
            }
            for beam in exposure.beams
        ],
    }


def write_exposure(folder: str | Path, exposure: HeadExposure) -> tuple[Path, ...]:
    """Write exposure.csv, exposure.json and exposure.vtp into a folder, all or none; their paths.

    The surface holds RelativeExposure (0 to 1), EntranceExposure, ExposureBehindHead and Region at its vertices.
    InputError for a folder that cannot be written to, and without VTK.
    """
    folder = Path(folder)
    with written_together(folder) as temporary:
        with (temporary / TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(heading(exposure))
            writer.writerows([_text(value) for value in row] for row in rows(exposure))
        text = json.dumps(description(exposure), indent=1, allow_nan=False)
        (temporary / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
        values = {
            "EntranceExposure": exposure.entrance,
            "ExposureBehindHead": exposure.behind,
            "Region": exposure.regions.of_vertex,
            # The last one is what Slicer shows first.
            RELATIVE_ARRAY: exposure.relative,
        }
        write_surface(temporary / SURFACE, exposure.surface, values)
    return tuple(folder / name for name in (TABLE, DESCRIPTION, SURFACE))


def _organ(exposure: HeadExposure, number: int) -> dict[str, Any]:
    """Sums over a run for one organ, apart for beams from its own side and for those through the head."""
    organ = exposure.organs[number]
    seen = [(beam.amount, beam.organs[number]) for beam in exposure.beams]
    margins = [one.where.margin_mm for _, one in seen if math.isfinite(one.where.margin_mm)]
    return {
        "name": organ.name,
        "approximate": organ.approximate,
        "radius_mm": organ.radius_mm,
        "uncertainty_mm": _finite(organ.uncertainty_mm),
        "amount_in_field": math.fsum(amount for amount, one in seen if one.where.place != Place.OUTSIDE),
        "frames_in_field": sum(one.where.place != Place.OUTSIDE for _, one in seen),
        "exposure_toward_source": math.fsum(one.exposure for _, one in seen if one.is_near_side),
        "exposure_behind_head": math.fsum(one.exposure for _, one in seen if not one.is_near_side),
        "largest_margin_mm": max(margins) if margins else None,
        "smallest_margin_mm": min(margins) if margins else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _text(value: str | float | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.6g}"
