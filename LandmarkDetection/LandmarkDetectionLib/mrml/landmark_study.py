"""Studies: what was found in a set of X-rays as nodes that show one frame, stepped through and corrected.

All nodes of a study are made at once and then rewritten in place: to show another frame makes none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import slicer
from DiffRegistrationLib.mrml import pose_sequence
from DiffRegistrationLib.mrml.attributes import SELF, write_json
from DiffRegistrationLib.mrml.scene import new_node, nothing_left_on_error, remove_with_displays
from DiffRegistrationLib.mrml.sequence_items import browser_of
from DiffRegistrationLib.xray.errors import InputError

from ..atlas.definitions import skull_landmarks
from ..detection.landmark_run import LandmarkRun, run_to_text
from .attributes import (
    ERRORS_IN_SPACE,
    ERRORS_IN_VIEW,
    RAYS,
    RESIDUALS,
    SKULL,
    STUDY_FRAME,
    STUDY_ROLE,
    STUDY_XRAY,
    SWITCHED_OFF,
    TABLE,
)
from .landmark_table import make_table, show_in_table
from .point_lists import list_reference, make_point_lists, show_in_point_lists
from .projection_lines import make_projection_lines, show_in_projection_lines
from .sides import SIDES
from .study_folder import folder_of, put_into_folder, remove_folder, take_out
from .study_node import (
    StudyFrame,
    ct_of,
    frame_of,
    index_value_of,
    number_shown_by,
    own_node,
    run_of,
    set_ct,
    shown_frame,
    studies_in_scene,
    switched_off,
    xrays_of,
)
from .study_points import StudyPoints
from .uncertainty_models import make_uncertainty_models, show_in_uncertainty_models

__all__ = [
    "StudyFrame",
    "ct_of",
    "frame_of",
    "make_study",
    "nodes_of_view",
    "own_nodes",
    "points_of",
    "refresh",
    "remove_study",
    "run_of",
    "set_ct",
    "show_frame",
    "show_view_in",
    "shown_frame",
    "studies_in_scene",
    "switch",
    "switched_off",
    "xrays_of",
]


def make_study(run: LandmarkRun, xray_nodes: Sequence[Any], ct_node: Any = None, name: str | None = None) -> Any:
    """Put into the scene what was found in X-rays, one node for each view of the run; the study's node.

    It shows the frame that the X-rays show. InputError for another number of X-rays, which leaves the scene as it was.
    """
    if len(xray_nodes) != run.views or len({node.GetID() for node in xray_nodes}) != run.views:
        raise InputError(
            "X-rays",
            f"{len(xray_nodes)} were given for landmarks of {run.views}",
            "Give the X-rays that the landmarks were found in, each once.",
        )
    with nothing_left_on_error():
        study = new_node("vtkMRMLTextNode", name or f"{xray_nodes[0].GetName()} landmarks", STUDY_ROLE)
        study.SetNodeReferenceID(SELF, study.GetID())
        study.SetText(run_to_text(run))
        for view, node in enumerate(xray_nodes, start=1):
            study.SetNodeReferenceID(f"{STUDY_XRAY}{view}", node.GetID())
        set_ct(study, ct_node)
        make_point_lists(study, xray_nodes)
        make_uncertainty_models(study, xray_nodes)
        make_projection_lines(study, xray_nodes)
        make_table(study)
        shown = number_shown_by(xray_nodes[0])
        first = run.numbers[0] if run.numbers else 0
        show_frame(study, shown if shown in run.numbers and shown is not None else first)
        put_into_folder(study, own_nodes(study), xray_nodes[0])
    return study


def show_frame(study: Any, number: int) -> None:
    """Have the study's nodes show a frame, by its own number, and its X-rays as well.

    A frame in which nothing was looked for shows no landmark. InputError where the study cannot be read.
    """
    frame = frame_of(study, number)
    study.SetAttribute(STUDY_FRAME, str(int(number)))
    for node in xrays_of(study):
        value = None if node is None else index_value_of(node, number)
        if value is not None:
            pose_sequence.show_frame(browser_of(node), value)
    show_in_point_lists(study, frame)
    show_in_uncertainty_models(study, frame)
    show_in_projection_lines(study, frame)
    show_in_table(study, frame)


def refresh(study: Any) -> None:
    """Write the shown frame again, after cameras or places of the X-rays have changed."""
    show_frame(study, shown_frame(study))


def points_of(study: Any, number: int | None = None) -> StudyPoints:
    """The landmarks of a frame (the shown one if None) in space. InputError where the study cannot be read."""
    return frame_of(study, shown_frame(study) if number is None else number).points


def switch(study: Any, number: int, view: int, names: Collection[str], off: bool) -> None:
    """Take landmarks of a view (from 0) in a frame out of the triangulation, or take them in again; shown at once.

    InputError for names that no landmark has, and for a view or a frame that the study does not have.
    """
    run = run_of(study)
    strange = sorted(set(names) - set(skull_landmarks().names))
    if strange:
        raise InputError(study.GetName(), f"has no landmark {', '.join(strange)}", "Choose among its landmarks.")
    if not 0 <= view < run.views or number not in run.numbers:
        raise InputError(study.GetName(), f"has no view {view + 1} of frame {number}", "Choose one that it has.")
    now = switched_off(study)
    before = now.get((number, view), set())
    now[number, view] = before | set(names) if off else before - set(names)
    written = {f"{number}/{view}": sorted(names) for (number, view), names in sorted(now.items()) if names}
    write_json(study, SWITCHED_OFF, written or None)
    if number == shown_frame(study):
        refresh(study)


def nodes_of_view(study: Any, view: int) -> list[Any]:
    """The study's nodes that lie on the detector of a view (from 0): its lists, errors and residuals."""
    references = [list_reference(view + 1, side) for side in SIDES]
    references += [f"{ERRORS_IN_VIEW}{view + 1}", f"{RESIDUALS}{view + 1}"]
    found = [own_node(study, reference) for reference in references]
    return [node for node in found if node is not None]


def show_view_in(study: Any, view: int, view_node_ids: Sequence[str]) -> None:
    """Show what lies on the detector of a view (from 0) in these slice and 3D views alone; in all if none is given."""
    for node in nodes_of_view(study, view):
        node.GetDisplayNode().SetViewNodeIDs(list(view_node_ids))


def own_nodes(study: Any) -> list[Any]:
    """All nodes that were made for a study, but for its own."""
    views = range(run_of(study).views)
    lists = [own_node(study, list_reference(None, side)) for side in SIDES]
    others = [own_node(study, reference) for reference in (ERRORS_IN_SPACE, RAYS, TABLE, SKULL)]
    flat = [node for view in views for node in nodes_of_view(study, view)]
    return [node for node in [*flat, *lists, *others] if node is not None]


def remove_study(study: Any) -> None:
    """Take a study out of the scene, with all that was made for it; X-rays and CT stay."""
    nodes, folder = [*own_nodes(study), study], folder_of(study)
    for node in nodes:
        take_out(node)
        if node.IsA("vtkMRMLDisplayableNode"):
            remove_with_displays(node)
        else:
            slicer.mrmlScene.RemoveNode(node)
    remove_folder(folder)
