"""Landmarks as 3D Slicer's markups (.mrk.json), and how a point that was moved in Slicer is recognised.

The description of each point says how it came to its place, where that is (RAS mm) and how sure it is:

    transferred to (12.300, -4.500, 88.100) ± 2.0 mm

Slicer keeps descriptions as they are when a point is dragged. A point that no longer lies where its description says
was therefore moved by a person.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write
from DiffRegistrationLib.xray.files.lps import ras_points
from jaxtyping import Float64

from .definitions import skull_landmarks
from .landmark_set import LandmarkSet, LandmarkStatus

BY_HAND_MM = 1.5
"""What a point is good to that a person placed: about what two people differ by on a CT."""
_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_FEWEST = 4
# Positions are written to 0.001 mm; nobody drags a point by less than this.
_MOVED_MM = 0.05
_WORDS = {
    LandmarkStatus.PLACED: "placed at",
    LandmarkStatus.TRANSFERRED: "transferred to",
    LandmarkStatus.CORRECTED: "corrected to",
    LandmarkStatus.OUTSIDE: "outside the CT, transferred to",
}
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_DESCRIPTION = re.compile(rf"^(.+?) \({_NUMBER}, {_NUMBER}, {_NUMBER}\) ± {_NUMBER} mm$")
_REMEDY = "Save the landmarks as markups (.mrk.json) with 3D Slicer, or carry them over anew."


class _Point(NamedTuple):
    position: Float64[np.ndarray, "3"]
    uncertainty_mm: float
    status: LandmarkStatus


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
    names = skull_landmarks().names
    by_label = {name.casefold(): name for name in names}
    found: dict[str, _Point] = {}
    strange, seen = [], set()
    for point, to_ras in _control_points(path):
        label = str(point.get("label", "")).strip()
        name = by_label.get(label.casefold())
        if name is None:
            strange.append(label or "(no name)")
            continue
        if name in seen:
            raise InputError(path, f"has two points named “{name}”", "Delete or rename one of them.")
        seen.add(name)
        if point.get("positionStatus", "defined") == "defined":
            found[name] = _read(path, name, point, to_ras)
    if strange:
        raise InputError(
            path,
            f"has points that are none of the skull's landmarks: {', '.join(strange)}",
            "Rename or delete them; the documentation lists the names.",
        )
    if len(found) < _FEWEST:
        raise InputError(
            path, f"has {len(found)} of the skull's landmarks, expected {_FEWEST} or more", "Place more of them."
        )
    nowhere = _Point(np.full(3, np.nan), float("nan"), LandmarkStatus.UNKNOWN)
    points = [found.get(name, nowhere) for name in names]
    return LandmarkSet(
        names,
        np.array([point.position for point in points]),
        np.array([point.uncertainty_mm for point in points]),
        tuple(point.status for point in points),
    )


def _control_point(landmarks: LandmarkSet, number: int) -> dict[str, Any]:
    name, status = landmarks.names[number], landmarks.status[number]
    known = bool(landmarks.is_known[number])
    entry: dict[str, Any] = {"id": str(number + 1), "label": name}
    if known:
        x, y, z = (float(v) for v in landmarks.points[number])
        uncertainty = landmarks.uncertainty_mm[number]
        words = _WORDS.get(status, _WORDS[LandmarkStatus.PLACED])
        entry["description"] = f"{words} ({x:.3f}, {y:.3f}, {z:.3f}) ± {np.nan_to_num(uncertainty, nan=0.0):.1f} mm"
        entry["position"] = [round(v, 3) for v in ras_points([x, y, z]).tolist()]
    else:
        entry["description"] = "unknown"
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


def _read(path: Path, name: str, point: dict[str, Any], is_lps: bool) -> _Point:
    try:
        position = np.array(point.get("position"), dtype=np.float64)
    except (TypeError, ValueError):
        position = np.empty(0)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise InputError(path, f"the position of “{name}” is not three finite numbers", "Place it again.")
    if is_lps:
        position = ras_points(position)
    described = _DESCRIPTION.match(str(point.get("description", "")).strip())
    status = {words: status for status, words in _WORDS.items()}.get(described[1]) if described else None
    if described is None or status is None:
        return _Point(position, BY_HAND_MM, LandmarkStatus.PLACED)
    before = np.array([float(described[k]) for k in (2, 3, 4)])
    if np.linalg.norm(position - before) <= _MOVED_MM:
        return _Point(position, float(described[5]), status)
    was_placed = status is LandmarkStatus.PLACED
    return _Point(position, BY_HAND_MM, LandmarkStatus.PLACED if was_placed else LandmarkStatus.CORRECTED)
