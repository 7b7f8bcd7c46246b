"""The cases that went worst, in pictures: what the solver was given, where it began and where it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from ..report import pictures
from ..report.encode import mask_on_screen, on_screen, screen_size
from ..report.intensity import matched_to_xray
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .outcome import Outcome

# Four pictures share the width of a page; more pixels only make the page heavy.
_LONGEST_SIDE = 480

Picture = UInt8[np.ndarray, "rows columns 3"]


@dataclass(frozen=True, eq=False)
class WorstCase:
    """A case to be looked at: its number, a caption, the verdict (None for methods that pass none) and pictures.

    `pictures` are (title, uint8 RGB image) in the order in which they are shown.
    """

    case: int
    caption: str
    verdict: str | None
    pictures: tuple[tuple[str, Picture], ...]


def worst_case(
    projector: Projector,
    radiographs: Sequence[Radiograph],
    outcome: Outcome,
    start_pose: Float64[np.ndarray, "4 4"] | None,
) -> WorstCase:
    """Pictures of one outcome: for each view the X-ray, overlays of start and result, and the result's edges.

    Poses are world_from_ct (RAS mm); without `start_pose` its overlay is left out. `projector` holds the CT that was
    registered. ValueError for no radiographs.
    """
    if not radiographs:
        raise ValueError("no radiographs to show")
    shown: list[tuple[str, Picture]] = []
    for number, radiograph in enumerate(radiographs, start=1):
        prefix = f"View {number}: " if len(radiographs) > 1 else ""
        shown += [
            (prefix + title, picture)
            for title, picture in _pictures(projector, radiograph, np.array(outcome.pose), start_pose)
        ]
    return WorstCase(outcome.case, _caption(outcome), outcome.verdict, tuple(shown))


def _pictures(
    projector: Projector,
    radiograph: Radiograph,
    pose: Float64[np.ndarray, "4 4"],
    start_pose: Float64[np.ndarray, "4 4"] | None,
) -> list[tuple[str, Picture]]:
    small = radiograph.binned(max(1, -(-max(radiograph.camera.size) // _LONGEST_SIDE)))
    size = screen_size(small.camera)
    xray, mask = on_screen(small.attenuation, size), mask_on_screen(small.mask, size)
    window = pictures.grey_window(xray, mask)
    found = _drr(projector, small, pose, xray, mask)
    shown = [("X-ray", pictures.light_box(xray, mask, window))]
    if start_pose is not None:
        begun = _drr(projector, small, start_pose, xray, mask)
        shown.append(("Overlay at the start", pictures.overlay(xray, begun, mask, window)))
    shown.append(("Overlay of the result", pictures.overlay(xray, found, mask, window)))
    shown.append(("DRR edges of the result", pictures.edges(xray, found, mask, window)))
    return shown


def _drr(
    projector: Projector,
    radiograph: Radiograph,
    pose: Float64[np.ndarray, "4 4"],
    xray: Float32[np.ndarray, "height width"],
    mask: Bool[np.ndarray, "height width"],
) -> Float32[np.ndarray, "height width"]:
    """The DRR on the screen's pixels, in the greys of the X-ray that is already there."""
    drr = projector.render(radiograph.camera.rays(), pose)[0].reshape(radiograph.camera.size).astype(np.float32)
    return matched_to_xray(on_screen(drr, xray.shape), xray, mask)


def _caption(outcome: Outcome) -> str:
    begun = f"from {outcome.start_mtre_mm:.0f} mm off" if outcome.start_mtre_mm is not None else "from no known start"
    return (
        f"{outcome.method}, {begun}: {outcome.mtre_mm:.1f} mm off ({outcome.rotation_deg:.1f}°, "
        f"{outcome.in_plane_mm:.1f} mm in-plane, {abs(outcome.depth_mm):.1f} mm in depth)"
        + (f". {outcome.reason[0].upper()}{outcome.reason[1:]}." if outcome.reason else "")
    )
