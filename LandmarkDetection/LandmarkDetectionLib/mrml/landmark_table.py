"""The landmarks of a study's shown frame as a table, and of all its frames as a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from DiffRegistrationLib.mrml.scene import belonging_to
from DiffRegistrationLib.xray.files.atomic import atomic_write, check_file_for_writing
from vtk.util import numpy_support

from ..atlas.definitions import skull_landmarks
from .attributes import TABLE
from .sides import shown_name
from .study_node import StudyFrame, frame_of, own_node, run_of, shown_frame
from .study_points import Source

NAME, ABBREVIATION, SIDE = "Landmark", "Abbr.", "Side"
X, Y, Z, UNCERTAINTY, FROM, USED = "x", "y", "z", "± mm", "From", "Used"
_NOWHERE = "—"
# Digits that people read in a table, and that files keep.
_SHOWN, _WRITTEN = 2, 4


def view_heading(view: int, what: str) -> str:
    """The column of a view (from 1): its u, v, ± mm, seen, seen %, residual mm or residual px."""
    return f"X{view} {what}"


def make_table(study: Any) -> Any:
    """Make the table node of a study, which is empty yet."""
    return belonging_to(study, TABLE, "vtkMRMLTableNode", f"{study.GetName()} table")


def show_in_table(study: Any, frame: StudyFrame) -> None:
    """Write a frame into the table, if there is one; numbers that are not known are NaN."""
    node = own_node(study, TABLE)
    if node is None:
        return
    with slicer.util.NodeModify(node):
        table = node.GetTable()
        columns = table_columns(frame)
        if [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())] != list(columns):
            node.RemoveAllColumns()
        for heading, values in columns.items():
            _put(node, table, heading, values)
        table.Modified()
        node.Modified()


def table_columns(frame: StudyFrame) -> dict[str, Any]:
    """The table's columns by their headings, a row a landmark: lists of words, arrays of numbers."""
    points, definitions = frame.points, [skull_landmarks().definition(name) for name in frame.points.names]
    columns: dict[str, Any] = {
        NAME: [shown_name(name) for name in points.names],
        ABBREVIATION: [one.abbreviation for one in definitions],
        SIDE: [one.side for one in definitions],
    }
    for view in frame.views:
        columns |= {
            view_heading(view.number, "u"): view.pixels[:, 0],
            view_heading(view.number, "v"): view.pixels[:, 1],
            view_heading(view.number, "± mm"): view.uncertainty_mm,
            view_heading(view.number, "seen"): [seen or _NOWHERE for seen in view.seen],
            view_heading(view.number, "seen %"): 100 * view.visibility,
            view_heading(view.number, "residual mm"): points.residual_mm[view.number - 1],
            view_heading(view.number, "residual px"): points.residual_px[view.number - 1],
        }
    columns |= {X: points.points[:, 0], Y: points.points[:, 1], Z: points.points[:, 2]}
    columns[UNCERTAINTY] = points.uncertainty_mm
    columns[FROM] = [_NOWHERE if how is Source.NONE else how.value for how in points.how]
    columns[USED] = [", ".join(f"X{view + 1}" for view in np.flatnonzero(used)) for used in points.used.T]
    return columns


def write_csv(path: str | Path, study: Any, all_frames: bool = True) -> None:
    """Write the table of all frames, or of the shown one, with the frame's number in each row.

    InputError for a file that cannot be written.
    """
    check_file_for_writing(path)
    numbers = run_of(study).numbers if all_frames else (shown_frame(study),)
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for place, number in enumerate(numbers):
            columns = table_columns(frame_of(study, number))
            if place == 0:
                writer.writerow(["Frame", *columns])
            rows = zip(*(_written(values) for values in columns.values()), strict=True)
            writer.writerows([number, *row] for row in rows)


def _written(values: Any) -> list[str]:
    if isinstance(values, np.ndarray):
        return ["" if value != value else f"{value:.{_WRITTEN}f}" for value in values.tolist()]
    return list(values)


def _put(node: Any, table: Any, heading: str, values: Any) -> None:
    """A column's values, into the array that it has already."""
    numbers = isinstance(values, np.ndarray)
    array = table.GetColumnByName(heading)
    if array is None:
        array = vtk.vtkDoubleArray() if numbers else vtk.vtkStringArray()
        array.SetName(heading)
        array.SetNumberOfValues(len(values))
        node.AddColumn(array)
    if numbers:
        numpy_support.vtk_to_numpy(array)[:] = np.round(values, _SHOWN)
        array.Modified()
    else:
        for row, text in enumerate(values):
            array.SetValue(row, text)
