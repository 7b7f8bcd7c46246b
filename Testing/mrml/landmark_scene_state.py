"""All that a scene holds of studies and of CTs' landmarks, for comparison; as a script, that of a saved scene.

python landmark_scene_state.py scene.mrml state.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
from LandmarkDetectionLib.mrml.ct_landmarks import landmark_node, landmarks_of
from LandmarkDetectionLib.mrml.exposure_nodes import exposure_model_of, exposure_table_of
from LandmarkDetectionLib.mrml.landmark_study import (
    ct_of,
    own_nodes,
    points_of,
    run_of,
    shown_frame,
    studies_in_scene,
    switched_off,
    xrays_of,
)
from LandmarkDetectionLib.mrml.skull_nodes import skull_of_study
from vtk.util.numpy_support import vtk_to_numpy


def state() -> dict[str, Any]:
    """Of slicer.mrmlScene."""
    found = {study.GetName(): _study(study) for study in studies_in_scene()}
    return json.loads(json.dumps(found))


def register_classes(scene: Any) -> None:
    """Classes that the application's modules make known to its scene."""
    for kind in (slicer.vtkMRMLColorLegendDisplayNode, slicer.vtkMRMLMarkupsJsonStorageNode):
        scene.RegisterNodeClass(kind())


def _study(study: Any) -> dict[str, Any]:
    ct = ct_of(study)
    landmarks = landmarks_of(ct)
    assert landmarks is not None
    return {
        "text": study.GetText(),
        "model": run_of(study).model,
        "frame": shown_frame(study),
        "off": [[list(place), sorted(names)] for place, names in switched_off(study).items()],
        "xrays": [_placed(xray) for xray in xrays_of(study)],
        "points": _numbers(points_of(study).points),
        "nodes": [_node(node) for node in own_nodes(study)],
        "skull": skull_of_study(study).GetName(),
        "ct": _placed(ct),
        "ct landmarks": [_node(landmark_node(ct)), [one.value for one in landmarks.status]],
        "exposure": [_node(exposure_model_of(ct)), _node(exposure_table_of(ct))],
    }


def _node(node: Any) -> dict[str, Any]:
    found = _placed(node)
    if node.IsA("vtkMRMLMarkupsNode"):
        found["locked"] = bool(node.GetLocked())
        found["control points"] = [
            {
                "label": node.GetNthControlPointLabel(n),
                "description": node.GetNthControlPointDescription(n),
                "selected": bool(node.GetNthControlPointSelected(n)),
                "status": node.GetNthControlPointPositionStatus(n),
                "position": _numbers(node.GetNthControlPointPosition(n)) if _is_defined(node, n) else None,
            }
            for n in range(node.GetNumberOfControlPoints())
        ]
    if node.IsA("vtkMRMLModelNode"):
        data = node.GetPolyData()
        cells = [data.GetLines(), data.GetPolys()]
        found["points"] = _numbers(vtk_to_numpy(data.GetPoints().GetData()))
        found["cells"] = [_numbers(vtk_to_numpy(one.GetConnectivityArray())) for one in cells]
        arrays = [data.GetPointData().GetArray(n) for n in range(data.GetPointData().GetNumberOfArrays())]
        found["values"] = {array.GetName(): _numbers(vtk_to_numpy(array)) for array in arrays}
    if node.IsA("vtkMRMLTableNode"):
        table = node.GetTable()
        found["columns"] = [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())]
        found["kinds"] = [table.GetColumn(n).GetDataTypeAsString() for n in range(table.GetNumberOfColumns())]
        found["rows"] = [
            [table.GetValue(row, column).ToString() for column in range(table.GetNumberOfColumns())]
            for row in range(table.GetNumberOfRows())
        ]
    if node.IsA("vtkMRMLDisplayableNode"):
        found["display"] = _display(node.GetDisplayNode())
    return found


def _display(display: Any) -> dict[str, Any]:
    colours = display.GetColorNode()
    return {
        "visible": [bool(display.GetVisibility()), bool(display.GetVisibility2D())],
        "views": list(display.GetViewNodeIDs()),
        "colours": [_numbers(display.GetColor()), _numbers(display.GetSelectedColor())],
        "active": display.GetActiveScalarName(),
        "range": _numbers(display.GetScalarRange()),
        "table": None if colours is None else _numbers(_shades(colours)),
    }


def _shades(colours: Any) -> list[float]:
    table = colours.GetLookupTable()
    return [part for n in (0, 20, table.GetNumberOfTableValues() - 1) for part in table.GetTableValue(n)]


def _placed(node: Any) -> dict[str, Any]:
    parent = node.GetParentTransformNode() if node.IsA("vtkMRMLTransformableNode") else None
    matrix = None if parent is None else _numbers(slicer.util.arrayFromTransformMatrix(parent, toWorld=True))
    return {"name": node.GetName(), "class": node.GetClassName(), "under": matrix}


def _is_defined(node: Any, n: int) -> bool:
    return bool(node.GetNthControlPointPositionStatus(n) == node.PositionDefined)


def _numbers(values: Any) -> list[float | None]:
    """To six decimals, which is more than any file is asked to keep."""
    flat = np.round(np.asarray(values, dtype=np.float64), 6).ravel() + 0.0
    return [None if value != value else value for value in flat.tolist()]


if __name__ == "__main__":
    from conftest import Scenes

    scenes = Scenes(Path(sys.argv[2]).parent / "cache")
    opened = scenes.new()
    register_classes(opened)
    opened.SetURL(sys.argv[1])
    assert opened.Connect()
    Path(sys.argv[2]).write_text(json.dumps(state()), encoding="utf-8")
    scenes.close()
