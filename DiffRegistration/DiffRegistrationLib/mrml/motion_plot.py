"""How a CT moved through the frames that it was followed through, as Slicer's plot nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
from jaxtyping import Float64

from ..registration.result import Verdict
from ..tracking.steady_motion import rotation_vectors
from .attributes import OWNER, ROLE
from .ct_node import centre_of
from .plot_nodes import fill_table
from .pose_sequence import PosesOfFrames, numbers_of
from .scene import new_node
from .verdict_colours import VERDICT_COLOURS, as_rgb

ROTATION, POSITION = "rotation", "position"
_FRAME = "Frame"
# The world's axes, by what they lead toward.
_AXES = ("right", "anterior", "superior")
_HEADINGS = {
    ROTATION: tuple(f"About {axis} (°)" for axis in _AXES),
    POSITION: tuple(f"Toward {axis} (mm)" for axis in _AXES),
}
_TITLES = {
    ROTATION: ("Rotation from the first trusted frame", "Degrees"),
    POSITION: ("The CT's centre from where it was in the first trusted frame", "mm"),
}
_AXIS_COLOURS = ((0.12, 0.47, 0.71), (0.85, 0.37, 0.01), (0.46, 0.44, 0.70))
_MARKS = {Verdict.ACCEPTED: "Circle", Verdict.DOUBTFUL: "Square", Verdict.FAILED: "Cross"}
_MARK_SIZE, _NOW_SIZE = 7.0, 15.0
_NOW, _NOW_COLOUR = "Frame shown", (0.1, 0.1, 0.1)
_ROLE = "motion plot"


class MotionPlot:
    """Tables, series and a chart of rotations, and the same of positions; made when first shown and then reused.

    Each chart has a line for each axis, marks on the lines in the colour and shape of each frame's verdict, and larger
    marks at the frame that the browser shows.
    """

    def __init__(self) -> None:
        self._index_values: list[str] = []
        self._numbers: list[int] = []
        self._motion: dict[str, Float64[np.ndarray, "times 3"]] = {}
        self._now: str | None = None

    def take(self, ct_node: Any, found: PosesOfFrames | None) -> None:
        """Plot these frames from now on; what is in the scene of it already changes at once."""
        self._index_values = [] if found is None else list(found.records)
        self._numbers = numbers_of(self._index_values)
        self._motion = {} if found is None else motion_of(ct_node, found)
        verdicts = [] if found is None else [Verdict(one.verdict) for one in found.records.values()]
        for what, values in self._motion.items():
            if _find("vtkMRMLPlotChartNode", ct_node, what) is not None:
                self._write(ct_node, what, values, verdicts)

    def show(self, ct_node: Any, found: PosesOfFrames, what: str) -> Any:
        """Make the chart of `what`, ROTATION or POSITION; the chart's node."""
        _node("vtkMRMLPlotChartNode", ct_node, what, f"{ct_node.GetName()} {what}")
        self.take(ct_node, found)
        return _find("vtkMRMLPlotChartNode", ct_node, what)

    def mark(self, ct_node: Any, frame: str | None) -> None:
        """Mark the frame of this index value as the one that is shown; none where it was not followed."""
        self._now = frame
        for what in self._motion:
            chart = _find("vtkMRMLPlotChartNode", ct_node, what)
            if chart is not None:
                self._write_now(ct_node, what, chart)

    def forget(self) -> None:
        """The scene goes."""
        self._index_values, self._numbers, self._motion, self._now = [], [], {}, None

    def frame_of(self, series_id: str, point: int) -> str | None:
        """The index value of the frame that a point of a series of this plot lies at; None for other series."""
        series = slicer.mrmlScene.GetNodeByID(series_id)
        table = None if series is None or not _is_ours(series) else series.GetTableNode()
        column = None if table is None else table.GetTable().GetColumnByName(_FRAME)
        if column is None or not 0 <= point < column.GetNumberOfTuples():
            return None
        number = round(column.GetValue(point))
        return self._index_values[self._numbers.index(number)] if number in self._numbers else None

    def _write(
        self, ct_node: Any, what: str, values: Float64[np.ndarray, "times 3"], verdicts: Sequence[Verdict]
    ) -> None:
        known = np.isfinite(values).all(axis=1)
        lines = _table(ct_node, f"{what} lines", np.array(self._numbers)[known], values[known], _HEADINGS[what])
        chart = _find("vtkMRMLPlotChartNode", ct_node, what)
        chart.RemoveAllPlotSeriesNodeIDs()
        for heading, colour in zip(_HEADINGS[what], _AXIS_COLOURS, strict=True):
            series = _series(ct_node, f"{what} {heading}", heading, lines, heading, colour)
            series.SetLineStyle(series.LineStyleSolid)
            series.SetMarkerStyle(series.MarkerStyleNone)
            chart.AddAndObservePlotSeriesNodeID(series.GetID())
        for verdict, mark in _MARKS.items():
            of_verdict = known & np.array([one == verdict for one in verdicts], dtype=bool)
            if of_verdict.any():
                colour = as_rgb(VERDICT_COLOURS[verdict])
                numbers, points = _one_below_the_other(np.array(self._numbers)[of_verdict], values[of_verdict])
                table = _table(ct_node, f"{what} {verdict.value}", numbers, points, ("Value",))
                series = _marks(ct_node, f"{what} {verdict.value}", verdict.value, table, colour, mark, _MARK_SIZE)
                chart.AddAndObservePlotSeriesNodeID(series.GetID())
        title, unit = _TITLES[what]
        chart.SetTitle(title)
        chart.SetXAxisTitle(_FRAME)
        chart.SetYAxisTitle(unit)
        self._write_now(ct_node, what, chart)

    def _write_now(self, ct_node: Any, what: str, chart: Any) -> None:
        place = self._index_values.index(self._now) if self._now in self._index_values else None
        shown = None if place is None else self._motion[what][place : place + 1]
        series = _find("vtkMRMLPlotSeriesNode", ct_node, f"{what} now")
        if place is None or shown is None or not np.isfinite(shown).all():
            if series is not None and chart.HasPlotSeriesNodeID(series.GetID()):
                chart.RemovePlotSeriesNodeID(series.GetID())
            return
        numbers, points = _one_below_the_other(np.array(self._numbers[place : place + 1]), shown)
        table = _table(ct_node, f"{what} now", numbers, points, ("Value",))
        series = _marks(ct_node, f"{what} now", _NOW, table, _NOW_COLOUR, "Diamond", _NOW_SIZE)
        if not chart.HasPlotSeriesNodeID(series.GetID()):
            chart.AddAndObservePlotSeriesNodeID(series.GetID())


def motion_of(ct_node: Any, found: PosesOfFrames) -> dict[str, Float64[np.ndarray, "times 3"]]:
    """How the CT turned (°, rotation vectors) and where its centre went (mm) from the first frame that did not fail.

    Both along the world's axes, by ROTATION and POSITION, as the poses are that are shown; NaN where a frame failed
    and no smoothed pose is shown in its place.
    """
    records = list(found.records.values())
    poses = np.array([record.shown(found.smoothed) for record in records])
    trusted = np.array([record.verdict != Verdict.FAILED for record in records])
    known = trusted | np.array([found.smoothed and record.smoothed is not None for record in records])
    first = poses[int(np.flatnonzero(trusted)[0]) if trusted.any() else 0]
    turns, places = np.full((2, len(records), 3), np.nan)
    # What failed must not decide which way round the next frame is thought to have turned.
    turns[known] = np.degrees(_unwound(rotation_vectors(poses[known, :3, :3] @ first[:3, :3].T)))
    centre = centre_of(ct_node)
    places[known] = ((poses[:, :3, :3] - first[:3, :3]) @ centre + poses[:, :3, 3] - first[:3, 3])[known]
    return {ROTATION: turns, POSITION: places}


def _unwound(vectors: Float64[np.ndarray, "times 3"]) -> Float64[np.ndarray, "times 3"]:
    """Of all rotation vectors (rad) of the same rotations, those nearest to the one before: no leaps at half turns."""
    vectors, before = vectors.copy(), np.zeros(3)
    for vector in vectors:
        angle = np.linalg.norm(vector)
        if angle > 0:
            axis = vector / angle
            vector += axis * 2 * np.pi * np.round((before @ axis - angle) / (2 * np.pi))
        before = vector
    return vectors


def _one_below_the_other(
    numbers: np.ndarray, values: Float64[np.ndarray, "times 3"]
) -> tuple[np.ndarray, Float64[np.ndarray, "points 1"]]:
    """Points of all three axes as those of one series."""
    return np.tile(numbers, 3), values.T.reshape(-1, 1)


def _table(ct_node: Any, role: str, numbers: np.ndarray, values: np.ndarray, headings: Sequence[str]) -> Any:
    table = _node("vtkMRMLTableNode", ct_node, role, f"{ct_node.GetName()} {role}")
    with slicer.util.NodeModify(table):
        columns = dict(zip(headings, values.T.tolist(), strict=True))
        fill_table(table, {_FRAME: numbers.tolist(), **columns})
    return table


def _marks(ct_node: Any, role: str, name: str, table: Any, colour: Sequence[float], mark: str, size: float) -> Any:
    series = _series(ct_node, role, name, table, "Value", colour)
    series.SetLineStyle(series.LineStyleNone)
    series.SetMarkerStyle(getattr(series, f"MarkerStyle{mark}"))
    series.SetMarkerSize(size)
    return series


def _series(ct_node: Any, role: str, name: str, table: Any, column: str, colour: Sequence[float]) -> Any:
    series = _node("vtkMRMLPlotSeriesNode", ct_node, role, name)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName(_FRAME)
    series.SetYColumnName(column)
    series.SetPlotType(series.PlotTypeScatter)
    series.SetColor(*colour)
    return series


def _node(kind: str, ct_node: Any, role: str, name: str) -> Any:
    """The node of this class that plays a role in a CT's plots; made where there is none."""
    node = _find(kind, ct_node, role)
    if node is None:
        node = new_node(kind, name, f"{_ROLE}, {role}")
        node.SetNodeReferenceID(OWNER, ct_node.GetID())
    return node


def _find(kind: str, ct_node: Any, role: str) -> Any:
    for node in slicer.util.getNodesByClass(kind, slicer.mrmlScene):
        if node.GetAttribute(ROLE) == f"{_ROLE}, {role}" and node.GetNodeReferenceID(OWNER) == ct_node.GetID():
            return node
    return None


def _is_ours(node: Any) -> bool:
    return (node.GetAttribute(ROLE) or "").startswith(_ROLE)
