"""Landmarks of a study's shown frame as point lists: three by side for each X-ray, and three in space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from DiffRegistrationLib.mrml.scene import belonging_to
from jaxtyping import Bool, Float64

from ..atlas.definitions import skull_landmarks
from ..atlas.landmark_files import write_landmarks
from ..atlas.landmark_set import LandmarkSet, LandmarkStatus
from .attributes import POINTS_IN_SPACE, POINTS_IN_VIEW
from .sides import PALE_COLOURS, SIDES, SURE_COLOURS, numbers_of_side, shown_name
from .study_node import HIDDEN, INSIDE, OUTSIDE, FrameView, StudyFrame, frame_of, own_node, shown_frame
from .study_points import SEEN, SURE_MM, Source, StudyPoints

_CLASS = "vtkMRMLMarkupsFiducialNode"
_IN_WORDS = {INSIDE: "in the image", HIDDEN: "covered or doubtful", OUTSIDE: "outside the image"}


def make_point_lists(study: Any, xray_nodes: Sequence[Any]) -> None:
    """Make the lists of a study, with all their points, which have no place yet."""
    for view, xray in enumerate(xray_nodes, start=1):
        for side in SIDES:
            node = belonging_to(study, list_reference(view, side), _CLASS, f"{xray.GetName()} landmarks {side}")
            _fill_in_names(node, side)
            display = node.GetDisplayNode()
            marks = {"right": display.Circle2D, "left": display.Square2D, "midline": display.Diamond2D}
            display.SetGlyphType(marks[side])
    for side in SIDES:
        node = belonging_to(study, list_reference(None, side), _CLASS, f"{study.GetName()} in space {side}")
        _fill_in_names(node, side)
        node.GetDisplayNode().SetGlyphType(node.GetDisplayNode().Sphere3D)


def list_reference(view: int | None, side: str) -> str:
    """By which reference a study knows the list of a view (from 1; None: in space) and a side."""
    return f"{POINTS_IN_SPACE}{side.title()}" if view is None else f"{POINTS_IN_VIEW}{view}{side.title()}"


def list_of(study: Any, view: int | None, side: str) -> Any:
    """The list of a view (from 1; None: in space) and a side; None where somebody took it away."""
    return own_node(study, list_reference(view, side))


def show_in_point_lists(study: Any, frame: StudyFrame) -> None:
    """Write a frame into the lists that there are."""
    for view in frame.views:
        if view.node is not None:
            words = _words_in_view(frame, view)
            places, sure = view.local(view.pixels), _is_sure(view)
            for side in SIDES:
                node = list_of(study, view.number, side)
                if node is not None:
                    node.SetAndObserveTransformNodeID(view.node.GetTransformNodeID())
                    _fill(node, side, places, words, sure)
    words = _words_in_space(frame.points)
    for side in SIDES:
        node = list_of(study, None, side)
        if node is not None:
            _fill(node, side, frame.points.points, words, frame.points.is_sure)


def landmarks_in_space(points: StudyPoints) -> LandmarkSet:
    """Landmarks of a frame in space (world mm)."""
    status = [LandmarkStatus.TRANSFERRED if known else LandmarkStatus.UNKNOWN for known in points.is_known]
    return LandmarkSet(points.names, points.points, points.uncertainty_mm, tuple(status))


def write_point_list(path: str | Path, study: Any) -> None:
    """Write all landmarks in space of the shown frame as one list (.mrk.json). InputError as `write_landmarks`."""
    write_landmarks(path, landmarks_in_space(frame_of(study, shown_frame(study)).points))


def _fill_in_names(node: Any, side: str) -> None:
    names, known = skull_landmarks().names, skull_landmarks()
    with slicer.util.NodeModify(node):
        node.RemoveAllControlPoints()
        for number in numbers_of_side(side):
            place = node.AddControlPoint([0.0, 0.0, 0.0], known.definition(names[number]).abbreviation)
            node.UnsetNthControlPointPosition(place)
        node.SetLocked(True)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSelectedColor(*SURE_COLOURS[side])
    display.SetColor(*PALE_COLOURS[side])
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(True)
    display.SetUseGlyphScale(True)
    display.SetGlyphScale(1.5)
    display.SetTextScale(2.0)


def _fill(
    node: Any, side: str, places: Float64[np.ndarray, "n 3"], words: Sequence[str], sure: Bool[np.ndarray, "n"]
) -> None:
    """Write places (in the frame of the node's transform), words and whether they are sure, in one change."""
    with slicer.util.NodeModify(node):
        for point, number in enumerate(numbers_of_side(side)):
            if point >= node.GetNumberOfControlPoints():
                break
            x, y, z = (float(part) for part in places[number])
            if x == x and y == y and z == z:
                node.SetNthControlPointPosition(point, x, y, z)
            elif node.GetNthControlPointPositionStatus(point) != node.PositionUndefined:
                node.UnsetNthControlPointPosition(point)
            node.SetNthControlPointDescription(point, words[number])
            node.SetNthControlPointSelected(point, bool(sure[number]))


def _is_sure(view: FrameView) -> Bool[np.ndarray, "n"]:
    """Which places in an image are sure. Where mm mean nothing it is those that are seen."""
    if view.found is None or not view.found.is_sure:
        return np.zeros(len(view.visibility), dtype=bool)
    small = np.isfinite(view.pixels).all(axis=1)
    if not view.is_planar:
        small = np.nan_to_num(view.uncertainty_mm, nan=np.inf) <= SURE_MM
    return small & (view.visibility > SEEN)


def _words_in_view(frame: StudyFrame, view: FrameView) -> list[str]:
    residual = frame.points.residual_mm[view.number - 1]
    found = []
    for name, deviation, seen, apart in zip(frame.points.names, view.uncertainty_mm, view.seen, residual, strict=True):
        words = [shown_name(name)]
        if deviation == deviation:
            words.append(f"±{deviation:.1f} mm")
        words.append(_IN_WORDS.get(seen, "not known"))
        if apart == apart:
            words.append(f"{apart:.1f} mm from the triangulated point")
        if name in frame.off[view.number - 1]:
            words.append("switched off")
        found.append(" · ".join(words))
    return found


def _words_in_space(points: StudyPoints) -> list[str]:
    found = []
    for number, (name, how, deviation) in enumerate(zip(points.names, points.how, points.uncertainty_mm, strict=True)):
        words = [shown_name(name)]
        if deviation == deviation:
            words.append(f"±{deviation:.1f} mm")
        if how is Source.TRIANGULATED:
            words.append(f"triangulated from {int(points.used[:, number].sum())} views")
            words.append(f"{np.nanmean(points.residual_mm[points.used[:, number], number]):.1f} mm from their rays")
        else:
            words.append("from one view, its depth is not sure" if how is Source.ONE_VIEW else "not known")
        if points.outliers[number]:
            words.append("the views contradict each other")
        found.append(" · ".join(words))
    return found
