"""Anatomical axes of a bone: those of its CT, or ones that a file gives as a matrix or as points set in 3D Slicer.

A frame is ct_from_anatomical, a rigid 4×4 matrix (RAS mm): its columns are the bone's right, anterior and superior
axes and its origin, in the CT's own frame. A file is either JSON with the field "ct_from_anatomical_ras_mm" (4×4, row
by row), or 3D Slicer's markups (.mrk.json) with the points

    origin      where the bone's axes meet
    superior    any point up the bone's long axis from the origin
    right       any point to the patient's right of the origin
    anterior    any point in front of the origin

of which origin and two others are needed. Of two directions the first in this order is kept as it is, and the other
turned in their plane until it is at right angles; three become the nearest axes that are at right angles. The points
are those of the CT as it was loaded, under no transform; the file says itself whether it holds LPS or RAS.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..xray.errors import InputError
from ..xray.files.lps import ras_points
from ..xray.files.rigid_values import rigid_from_file
from ..xray.geometry import rigid

_FIELD = "ct_from_anatomical_ras_mm"
_ORIGIN = "origin"
# In the order in which they are kept where they are not at right angles.
_AXES = {"superior": 2, "right": 0, "anterior": 1}
_LEAST_ANGLE_DEG = 10.0
_REMEDY = f"Give JSON with the field “{_FIELD}”, or markups of 3D Slicer (.mrk.json) with named points."
_POINTS_REMEDY = "Name the points origin, superior, right and anterior in 3D Slicer; origin and two others are needed."


def default_frame(centre: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "4 4"]:
    """ct_from_anatomical with the CT's own axes, about a body's `centre` (mm, the CT's frame)."""
    return rigid.rigid(np.eye(3), centre)


def read_anatomical_frame(path: str | Path) -> Float64[np.ndarray, "4 4"]:
    """ct_from_anatomical (rigid, RAS mm) of a JSON or .mrk.json file.

    InputError for a file that cannot be read or is of neither kind, a matrix that is not rigid, points that are
    missing, named twice or on one line, and axes of which one points the wrong way.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error
    except ValueError:
        raise InputError(path, "is no JSON", _REMEDY) from None
    if isinstance(content, dict) and _FIELD in content:
        return rigid_from_file(path, _FIELD, content[_FIELD])
    if isinstance(content, dict) and "markups" in content:
        return _from_points(path, _named_points(path, content["markups"]))
    raise InputError(path, f"holds neither “{_FIELD}” nor markups", _REMEDY)


def _named_points(path: Path, markups: Any) -> dict[str, Float64[np.ndarray, "3"]]:
    """The points of interest of all lists in the file, RAS mm, by their names in small letters."""
    points: dict[str, Float64[np.ndarray, "3"]] = {}
    try:
        for markup in markups:
            system, units = markup["coordinateSystem"], markup.get("coordinateUnits", "mm")
            if system not in ("LPS", "RAS"):
                raise InputError(path, f"has points in “{system}”, expected LPS or RAS", "Save them with 3D Slicer.")
            if units != "mm":
                raise InputError(path, f"has points in “{units}”, expected mm", "Save them in millimetres.")
            for point in markup["controlPoints"]:
                name = str(point.get("label", "")).strip().lower()
                if name not in (_ORIGIN, *_AXES) or point.get("positionStatus", "defined") != "defined":
                    continue
                if name in points:
                    raise InputError(path, f"has two points named “{name}”", "Delete or rename one of them.")
                position = np.array(point["position"], dtype=np.float64)
                if position.shape != (3,) or not np.isfinite(position).all():
                    raise InputError(path, f"the point “{name}” is not three finite numbers", "Place it again.")
                points[name] = ras_points(position) if system == "LPS" else position
    except (KeyError, TypeError, AttributeError):
        raise InputError(
            path, "holds no markups as 3D Slicer writes them", "Save the points with 3D Slicer."
        ) from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, "has a point whose position is no number", "Place it again.") from None
    return points


def _from_points(path: Path, points: dict[str, Float64[np.ndarray, "3"]]) -> Float64[np.ndarray, "4 4"]:
    given = [name for name in _AXES if name in points]
    if _ORIGIN not in points or len(given) < 2:
        found = ", ".join(points) or "none of them"
        raise InputError(path, f"has too few points for an anatomical frame: {found}", _POINTS_REMEDY)
    directions = {}
    for name in given:
        direction = points[name] - points[_ORIGIN]
        length = float(np.linalg.norm(direction))
        if length == 0:
            raise InputError(path, f"the points “{name}” and “{_ORIGIN}” are the same", "Move one of them.")
        directions[name] = direction / length
    for one, other in zip(given, given[1:] + given[:1], strict=True):
        sine = float(np.linalg.norm(np.cross(directions[one], directions[other])))
        if sine < np.sin(np.radians(_LEAST_ANGLE_DEG)):
            raise InputError(
                path,
                f"the points “{one}”, “{other}” and “{_ORIGIN}” lie nearly on a line",
                f"Place them so that the directions to {one} and {other} are about at right angles.",
            )
    axes = np.zeros((3, 3))
    if len(given) == 3:
        for name, direction in directions.items():
            axes[:, _AXES[name]] = direction
        if np.linalg.det(axes) < 0:
            raise InputError(
                path,
                "one of the points superior, right and anterior lies on the wrong side of the origin",
                "Check right and left: right is the patient's own right.",
            )
        U, _, Vt = np.linalg.svd(axes)
        return rigid.rigid(U @ Vt, points[_ORIGIN])
    first, second = (_AXES[name] for name in given)
    axes[:, first] = directions[given[0]]
    across = directions[given[1]] - (directions[given[1]] @ axes[:, first]) * axes[:, first]
    axes[:, second] = across / np.linalg.norm(across)
    third = 3 - first - second
    axes[:, third] = np.cross(axes[:, (third + 1) % 3], axes[:, (third + 2) % 3])
    return rigid.rigid(axes, points[_ORIGIN])
