"""Poses to and from files: ITK transforms as 3D Slicer opens them, and JSON.

An ITK transform file holds the motion that resampling needs, from the fixed space back to the moving one, in LPS. 3D
Slicer therefore shows the inverse of what is stored, as "transform to parent". Our pose is that transform to parent,
so its inverse is stored: load the file, put the CT under it, and the CT lies where it was registered.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from ..geometry import rigid
from .atomic import atomic_write, atomic_write_by_itk
from .lps import ras_transform
from .rigid_values import rigid_from_file

_FORMAT = "fluoro registration pose"
_VERSION = 1
_FIELD = "world_from_ct_ras_mm"
_ITK_SUFFIXES = (".tfm", ".h5")


def write_pose(path: str | Path, world_from_ct: Float64[np.ndarray, "4 4"]) -> None:
    """Write a pose (rigid, RAS mm) as .tfm, .h5 or .json, whichever the name says.

    InputError for another suffix, a matrix that is not rigid, and a folder that cannot be written to.
    """
    path = Path(path)
    pose = rigid_from_file(path, "the pose", world_from_ct)
    suffix = path.suffix
    if suffix not in (*_ITK_SUFFIXES, ".json"):
        raise InputError(path, f"no pose is written as “{suffix}”", "Use .tfm or .h5 for 3D Slicer, or .json.")
    write = atomic_write if suffix == ".json" else atomic_write_by_itk
    with write(path) as temporary:
        if suffix == ".json":
            content = {"format": _FORMAT, "version": _VERSION, _FIELD: pose.tolist()}
            temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        else:
            import SimpleITK

            stored = ras_transform(rigid.inverse(pose))
            transform = SimpleITK.AffineTransform(3)
            transform.SetMatrix(stored[:3, :3].ravel().tolist())
            transform.SetTranslation(stored[:3, 3].tolist())
            SimpleITK.WriteTransform(transform, str(temporary))


def read_pose(path: str | Path) -> Float64[np.ndarray, "4 4"]:
    """The pose world_from_ct (rigid, RAS mm) of a file that `write_pose` or 3D Slicer wrote.

    InputError for a file that cannot be read, holds no linear transform, or one that is not rigid.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(64).lstrip()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error
    if not start:
        raise InputError(path, "is empty", "Write the pose again, as .tfm, .h5 or .json.")
    if start.startswith(b"{"):
        return rigid_from_file(path, _FIELD, _json_matrix(path))
    return rigid.inverse(rigid_from_file(path, "the transform", ras_transform(_itk_matrix(path))))


def _json_matrix(path: Path) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise InputError(path, "is no JSON", "Write the pose again, as .tfm, .h5 or .json.") from None
    if content.get("format") != _FORMAT or content.get("version") != _VERSION:
        raise InputError(
            path, f"is JSON, but no “{_FORMAT}” of version {_VERSION}", "Give a pose, not a camera or a report."
        )
    if _FIELD not in content:
        raise InputError(path, f"the field “{_FIELD}” is missing", "Write the pose again.")
    return content[_FIELD]


def _itk_matrix(path: Path) -> Float64[np.ndarray, "4 4"]:
    """The 4×4 matrix (LPS mm) of a linear ITK transform of any kind."""
    import SimpleITK

    try:
        transform = SimpleITK.ReadTransform(str(path))
    # Bytes that are no text, in what ITK has to say of the file, are a ValueError.
    except (RuntimeError, ValueError):
        raise InputError(path, "holds no transform that ITK can read", "Give a .tfm, .h5 or .json pose.") from None
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise InputError(path, "holds no linear transform of space", "Harden or export a linear transform.")
    transform = transform.Downcast()
    if not hasattr(transform, "GetMatrix"):
        # Compositions and pure translations have no matrix of their own; their effect on four points is one.
        corners = np.array([transform.TransformPoint(point) for point in np.vstack([np.zeros(3), np.eye(3)]).tolist()])
        return rigid.rigid((corners[1:] - corners[0]).T, corners[0])
    matrix = np.reshape(transform.GetMatrix(), (3, 3))
    centre = np.array(transform.GetCenter())
    return rigid.rigid(matrix, np.array(transform.GetTranslation()) + centre - matrix @ centre)
