"""Landmarks as files of 3D Slicer's markups (.mrk.json); `described_points` says what their descriptions mean."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write
from DiffRegistrationLib.xray.files.lps import ras_points

from .described_points import BY_HAND_MM, NamedPoint, description_of, landmark_name, landmarks_of_points
from .landmark_set import LandmarkSet

__all__ = ["BY_HAND_MM", "read_landmarks", "write_landmarks"]

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_REMEDY = "Save the landmarks as markups (.mrk.json) with 3D Slicer, or carry them over anew."


def write_landmarks(path: str | Path, landmarks: LandmarkSet) -> None:
    """Write landmarks (RAS mm of their CT) as a list of points that 3D Slicer opens; unknown ones have no position.

    InputError when the file cannot be written.
    """
    markup = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": [_control_point(landmarks, number) for number in range(len(landmarks.names))],
    }
    text = json.dumps({"@schema": _SCHEMA, "markups": [markup]}, indent=1, ensure_ascii=False)
    # A row a number is hard to read.
    text = re.sub(r"\[\s+(-?[\d.]+),\s+(-?[\d.]+),\s+(-?[\d.]+)\s+\]", r"[\1, \2, \3]", text)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_landmarks(path: str | Path) -> LandmarkSet:
    """All 55 landmarks, in their order, from 3D Slicer's markups in LPS or RAS; those not in the file are unknown.

    What was transferred and then moved is CORRECTED; a point without our description was PLACED by a person. Capital
    letters do not count in names. InputError for a file that cannot be read or holds no markups, names that are not
    among the landmarks or are there twice, fewer than four landmarks, and positions that are no numbers.
    """
    path = Path(path)
    return landmarks_of_points(path, [_named_point(path, *one) for one in _control_points(path)])


def _control_point(landmarks: LandmarkSet, number: int) -> dict[str, Any]:
    name, known = landmarks.names[number], bool(landmarks.is_known[number])
    entry: dict[str, Any] = {"id": str(number + 1), "label": name, "description": description_of(landmarks, number)}
    if known:
        entry["position"] = [round(v, 3) for v in ras_points(landmarks.points[number].tolist()).tolist()]
    return entry | {
        "selected": True,
        "locked": False,
        "visibility": True,
        "positionStatus": "defined" if known else "undefined",
    }


def _control_points(path: Path) -> list[tuple[dict[str, Any], bool]]:
    """Every control point of all lists in a file, and whether it is in LPS."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error
    except ValueError:
        raise InputError(path, "is no JSON", _REMEDY) from None
    found: list[tuple[dict[str, Any], bool]] = []
    try:
        for markup in content["markups"]:
            system, units = markup.get("coordinateSystem", "LPS"), markup.get("coordinateUnits", "mm")
            if system not in ("LPS", "RAS"):
                raise InputError(path, f"has points in “{system}”, expected LPS or RAS", _REMEDY)
            if units != "mm":
                raise InputError(path, f"has points in “{units}”, expected mm", "Save them in millimetres.")
            found += [(dict(point), system == "LPS") for point in markup.get("controlPoints", ())]
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InputError(path, "holds no markups as 3D Slicer writes them", _REMEDY) from None
    if not found:
        raise InputError(path, "holds no control points", _REMEDY)
    return found


def _named_point(path: Path, point: dict[str, Any], is_lps: bool) -> NamedPoint:
    label, description = str(point.get("label", "")), str(point.get("description", ""))
    if point.get("positionStatus", "defined") != "defined" or landmark_name(label) is None:
        return NamedPoint(label, None, description)
    try:
        position = np.array(point.get("position"), dtype=np.float64)
    except (TypeError, ValueError):
        position = np.empty(0)
    if position.shape != (3,) or not np.isfinite(position).all():
        name = landmark_name(label)
        raise InputError(path, f"the position of “{name}” is not three finite numbers", "Place it again.")
    return NamedPoint(label, ras_points(position) if is_lps else position, description)
