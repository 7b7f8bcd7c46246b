"""A study: the text node of what was found in X-rays, what it refers to, and what one of its frames holds.

Its text is the run (`detection.landmark_run`). Everything else in the scene is made from that and can be made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from DiffRegistrationLib.mrml.attributes import OWNER, ROLE, SELF, read_json
from DiffRegistrationLib.mrml.camera_attributes import read_camera
from DiffRegistrationLib.mrml.pose_sequence import numbers_of
from DiffRegistrationLib.mrml.scene import ras_from_ijk
from DiffRegistrationLib.mrml.sequence_items import browser_of, sequence_of
from DiffRegistrationLib.mrml.xray_pixels import size_of
from DiffRegistrationLib.mrml.xray_sequence import index_values_of
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import Camera
from jaxtyping import Float64

from ..atlas.definitions import skull_landmarks
from ..detection.landmark_detections import LandmarkDetections
from ..detection.landmark_pictures import Standing, standings
from ..detection.landmark_run import LandmarkRun, run_from_text
from .attributes import STUDY_CT, STUDY_FRAME, STUDY_ROLE, STUDY_XRAY, SWITCHED_OFF
from .study_points import StudyPoints, study_points

INSIDE, OUTSIDE, HIDDEN, UNKNOWN = "inside", "outside", "hidden", ""
_IN_WORDS = {
    Standing.VISIBLE: INSIDE,
    Standing.OUTSIDE: OUTSIDE,
    Standing.HIDDEN: HIDDEN,
    Standing.UNKNOWN: UNKNOWN,
}
# How many runs are kept read; one of a hundred frames takes some megabytes.
_KEPT = 4
_runs: dict[int, tuple[str, LandmarkRun]] = {}


def studies_in_scene() -> list[Any]:
    """The studies of the scene; a clone of one is none."""
    nodes = slicer.util.getNodesByClass("vtkMRMLTextNode", slicer.mrmlScene)
    return [node for node in nodes if node.GetAttribute(ROLE) == STUDY_ROLE and _is_itself(node)]


def run_of(study: Any) -> LandmarkRun:
    """What was found, in all frames. InputError, naming the study, where its text is damaged, or was written with
    other landmark definitions.
    """
    modified = study.GetMTime()
    kept = _runs.pop(modified, None)
    if kept is None:
        # An attribute that changes, as in each step to another frame, does so to the time as well.
        text = study.GetText() or ""
        before = next((time for time, (known, _) in _runs.items() if known == text), None)
        kept = (text, run_from_text(text, study.GetName())) if before is None else _runs.pop(before)
    _runs[modified] = kept
    for oldest in list(_runs)[:-_KEPT]:
        del _runs[oldest]
    return kept[1]


def xrays_of(study: Any) -> list[Any]:
    """The X-ray node of each view, in order; None for one that is not in the scene any more."""
    return [study.GetNodeReference(f"{STUDY_XRAY}{view + 1}") for view in range(run_of(study).views)]


def ct_of(study: Any) -> Any:
    """The CT of the head that the X-rays show, where there is one."""
    return study.GetNodeReference(STUDY_CT)


def set_ct(study: Any, ct_node: Any) -> None:
    """Say which CT is the head's; None for none."""
    study.SetNodeReferenceID(STUDY_CT, None if ct_node is None else ct_node.GetID())


def shown_frame(study: Any) -> int:
    """The number of the frame that the study's nodes show."""
    return int(study.GetAttribute(STUDY_FRAME))


def switched_off(study: Any) -> dict[tuple[int, int], set[str]]:
    """Names of the landmarks that a person took out of the triangulation, by (frame's number, view from 0)."""
    written = read_json(study, SWITCHED_OFF) or {}
    found: dict[tuple[int, int], set[str]] = {}
    for place, names in written.items():
        number, view = place.split("/")
        found[int(number), int(view)] = set(names)
    return found


def own_node(study: Any, reference: str) -> Any:
    """A node that the study was given for a part of it; None where somebody took it away."""
    node = study.GetNodeReference(reference)
    return node if node is not None and node.GetNodeReferenceID(OWNER) == study.GetID() else None


@dataclass(frozen=True, eq=False)
class FrameView:
    """A view in one frame. `local_from_pixel` leads from (u, v, k) to the frame that the X-ray's node is given in."""

    number: int
    """From 1."""
    node: Any
    found: LandmarkDetections | None
    camera: Camera | None
    local_from_pixel: Float64[np.ndarray, "4 4"]
    size: tuple[int, int]
    is_planar: bool

    def local(self, pixels: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 3"]:
        """Where pixels (u, v) lie in the frame that the X-ray's node is given in (mm)."""
        return pixels @ self.local_from_pixel[:3, :2].T + self.local_from_pixel[:3, 3]

    @property
    def pixels(self) -> Float64[np.ndarray, "n 2"]:
        """Where the landmarks are (u, v), NaN where they are not known."""
        return np.full((len(skull_landmarks().names), 2), np.nan) if self.found is None else self.found.pixels

    @property
    def visibility(self) -> Float64[np.ndarray, "n"]:
        """How likely each is to be seen."""
        return np.zeros(len(skull_landmarks().names)) if self.found is None else self.found.visibility

    @property
    def uncertainty_mm(self) -> Float64[np.ndarray, "n"]:
        """Standard deviation at the head (mm); NaN where nothing is known of mm."""
        if self.found is None or self.is_planar:
            return np.full(len(skull_landmarks().names), np.nan)
        return np.where(np.isfinite(self.pixels).all(axis=1), self.found.uncertainty_mm, np.nan)

    @property
    def seen(self) -> tuple[str, ...]:
        """Whether each landmark is INSIDE the image and seen, HIDDEN there, OUTSIDE of it, or UNKNOWN."""
        if self.found is None:
            return (UNKNOWN,) * len(skull_landmarks().names)
        return tuple(_IN_WORDS[one] for one in standings(self.found, self.size))


@dataclass(frozen=True, eq=False)
class StudyFrame:
    """All that a study has of one frame; `off` are the names that are switched off in each view."""

    number: int
    views: tuple[FrameView, ...]
    points: StudyPoints
    off: tuple[frozenset[str], ...]


def frame_of(study: Any, number: int) -> StudyFrame:
    """What a study has of a frame, by its own number; nothing was found in one that it does not know."""
    run, off = run_of(study), switched_off(study)
    views = tuple(_view(node, view, number, run) for view, node in enumerate(xrays_of(study)))
    names = tuple(frozenset(off.get((number, view), ())) for view in range(run.views))
    points = study_points([v.found for v in views], [v.camera for v in views], run.planar, names)
    return StudyFrame(number, views, points, names)


def number_shown_by(xray_node: Any) -> int | None:
    """The number of the frame that an X-ray node shows; None where it is no sequence's."""
    sequence = sequence_of(xray_node)
    if sequence is None:
        return None
    browser = browser_of(xray_node)
    master = browser.GetMasterSequenceNode()
    place = browser.GetSelectedItemNumber()
    if not 0 <= place < master.GetNumberOfDataNodes():
        return None
    values = index_values_of(xray_node)
    shown = master.GetNthIndexValue(place)
    return numbers_of(values)[values.index(shown)] if shown in values else None


def index_value_of(xray_node: Any, number: int) -> str | None:
    """By which value an X-ray's sequence knows a frame's number; None where it has no such frame."""
    values = index_values_of(xray_node)
    numbers: Sequence[int] = numbers_of(values)
    return values[numbers.index(number)] if number in numbers else None


def item_at(xray_node: Any, number: int) -> Any:
    """What an X-ray node shows in a frame: an item of its sequence, or the node itself."""
    sequence, value = sequence_of(xray_node), index_value_of(xray_node, number)
    item = None if sequence is None or value is None else sequence.GetDataNodeAtValue(value)
    return xray_node if item is None else item


def _view(node: Any, view: int, number: int, run: LandmarkRun) -> FrameView:
    found = run.at(number, view)
    if node is None:
        return FrameView(view + 1, None, None, None, np.eye(4), (0, 0), run.planar[view])
    held = item_at(node, number)
    size, camera = size_of(node), None
    try:
        calibrated = read_camera(held, size)
        camera = None if calibrated is None else calibrated.camera
    except InputError:
        # Somebody damaged it since; places in the image are still true.
        camera = None
    return FrameView(view + 1, node, found, camera, ras_from_ijk(held), size, run.planar[view])


def _is_itself(node: Any) -> bool:
    return node.GetNodeReferenceID(SELF) == node.GetID()
