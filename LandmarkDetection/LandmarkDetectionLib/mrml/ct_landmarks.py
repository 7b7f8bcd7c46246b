"""A CT's landmarks as one point list in the CT's own frame, which a person corrects by dragging its points."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from DiffRegistrationLib.mrml.attributes import OWNER, ROLE
from DiffRegistrationLib.mrml.scene import belonging_to, nothing_left_on_error, world_from_local
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64

from ..atlas.definitions import skull_landmarks
from ..atlas.described_points import (
    Described,
    NamedPoint,
    as_it_is,
    described,
    description_of,
    landmark_name,
    landmarks_of_points,
    was_moved,
)
from ..atlas.landmark_set import LandmarkSet, LandmarkStatus
from .attributes import CT_LANDMARKS, CT_LANDMARKS_ROLE, EXPOSURE

_BY_HAND = (LandmarkStatus.PLACED, LandmarkStatus.CORRECTED)
_COLOUR = (0.95, 0.62, 0.20)


def put_landmarks(ct_node: Any, landmarks: LandmarkSet) -> Any:
    """Give a CT these landmarks (RAS mm of its own frame), all 55 of them; the list's node, made once and reused."""
    landmarks = landmarks.named(skull_landmarks().names)
    with nothing_left_on_error():
        node = landmark_node(ct_node) or _made(ct_node)
    with slicer.util.NodeModify(node):
        if [node.GetNthControlPointLabel(n) for n in range(node.GetNumberOfControlPoints())] != list(landmarks.names):
            node.RemoveAllControlPoints()
            for name in landmarks.names:
                node.AddControlPoint([0.0, 0.0, 0.0], name)
        for number, point in enumerate(landmarks.points):
            if landmarks.is_known[number]:
                node.SetNthControlPointPosition(number, *(float(x) for x in point))
            else:
                node.UnsetNthControlPointPosition(number)
            node.SetNthControlPointDescription(number, description_of(landmarks, number))
    stay_with_ct(ct_node)
    return node


def landmark_node(ct_node: Any) -> Any:
    """The list of a CT's landmarks; None where it has none."""
    node = None if ct_node is None else ct_node.GetNodeReference(CT_LANDMARKS)
    # A clone of a CT refers to the list of the one that it was cloned from.
    return node if node is not None and node.GetNodeReferenceID(OWNER) == ct_node.GetID() else None


def landmarks_of(ct_node: Any) -> LandmarkSet | None:
    """A CT's landmarks where they are now; None where it has none.

    What was dragged is CORRECTED, or PLACED. InputError, naming the list, for foreign names and fewer than four.
    """
    node = landmark_node(ct_node)
    return None if node is None else landmarks_of_points(node.GetName(), _points(node))


def kept_landmarks(ct_node: Any) -> LandmarkSet | None:
    """A CT's landmarks if a person placed or corrected any, which a new transfer has to keep; else None.

    InputError as `landmarks_of`.
    """
    landmarks = landmarks_of(ct_node)
    return landmarks if landmarks is not None and any(status in _BY_HAND for status in landmarks.status) else None


def reset_landmark(node: Any, name: str) -> None:
    """Put a landmark of the list `node` back to where its description says that it was put first.

    InputError for a name that is not in the list, and for a point that a person placed.
    """
    number = next((n for n, point in enumerate(_points(node)) if landmark_name(point.label) == name), None)
    before = None if number is None else described(node.GetNthControlPointDescription(number))
    if number is None or before is None:
        problem = "is not among them" if number is None else "was placed by hand, and never carried over"
        raise InputError(node.GetName(), f"“{name}” {problem}", "Drag it, or carry the landmarks over anew.")
    node.SetNthControlPointPosition(number, *(float(x) for x in before.position))


def how_each_is(node: Any) -> list[Described]:
    """Where each landmark of the list `node` is, how sure, and how it came there, in the landmarks' order: what
    `landmarks_of` says, also while the list has too few points or foreign ones.
    """
    by_name = {landmark_name(point.label): point for point in _points(node)}
    nowhere = Described(np.full(3, np.nan), float("nan"), LandmarkStatus.UNKNOWN)
    found = [by_name.get(name) for name in skull_landmarks().names]
    return [
        nowhere if point is None or point.position is None else as_it_is(point.position, point.description)
        for point in found
    ]


def adopt(ct_node: Any, node: Any) -> Any:
    """Take a list of a person's as the CT's landmarks; the CT's own list, which now holds them.

    Its points count where they are seen in the scene, but where most of them lie where their descriptions have them,
    in the CT's own frame. InputError, naming the list, for foreign names, fewer than four landmarks, and transforms
    that are not linear.
    """
    points = _points(node)
    to_ct = _ct_from_list(ct_node, node, points)
    moved = [
        point if point.position is None else NamedPoint(point.label, _moved(to_ct, point.position), point.description)
        for point in points
    ]
    return put_landmarks(ct_node, landmarks_of_points(node.GetName(), moved))


def stay_with_ct(ct_node: Any) -> None:
    """Put what belongs to a CT, its landmarks and the map of its exposure, under the transform that the CT lies in."""
    for reference in (CT_LANDMARKS, EXPOSURE):
        node = ct_node.GetNodeReference(reference)
        if node is not None and node.GetNodeReferenceID(OWNER) == ct_node.GetID():
            node.SetAndObserveTransformNodeID(ct_node.GetTransformNodeID())


def _made(ct_node: Any) -> Any:
    name = f"{ct_node.GetName()} landmarks"
    node = belonging_to(ct_node, CT_LANDMARKS, "vtkMRMLMarkupsFiducialNode", name)
    node.SetAttribute(ROLE, CT_LANDMARKS_ROLE)
    node.SetMaximumNumberOfControlPoints(len(skull_landmarks().names))
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSelectedColor(*_COLOUR)
    display.SetColor(*_COLOUR)
    display.SetPropertiesLabelVisibility(False)
    # The names are long; the window's table tells them.
    display.SetPointLabelsVisibility(False)
    display.SetGlyphScale(1.5)
    return node


def _points(node: Any) -> list[NamedPoint]:
    """The points of a list in the frame that it is given in."""
    defined = node.PositionDefined
    return [
        NamedPoint(
            node.GetNthControlPointLabel(n),
            np.array(node.GetNthControlPointPosition(n)) if _status(node, n) == defined else None,
            node.GetNthControlPointDescription(n),
        )
        for n in range(node.GetNumberOfControlPoints())
    ]


def _status(node: Any, number: int) -> int:
    return int(node.GetNthControlPointPositionStatus(number))


def _ct_from_list(ct_node: Any, node: Any, points: list[NamedPoint]) -> Float64[np.ndarray, "4 4"]:
    placed = [(point.position, before) for point in points if point.position is not None and (before := _said(point))]
    at_home = sum(not was_moved(position, before) for position, before in placed)
    if placed and 2 * at_home > len(placed):
        return np.eye(4)
    frames = [world_from_local(one) for one in (ct_node, node)]
    for one, frame in zip((ct_node, node), frames, strict=True):
        if frame is None:
            raise InputError(one.GetName(), "lies under a transform that is not linear", "Harden that transform.")
    world_from_ct, world_from_list = (np.eye(4) if frame is None else frame for frame in frames)
    return np.linalg.inv(world_from_ct) @ world_from_list


def _said(point: NamedPoint) -> Described | None:
    return described(point.description)


def _moved(matrix: Float64[np.ndarray, "4 4"], position: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    return rigid.transform_points(matrix, position[None])[0]
