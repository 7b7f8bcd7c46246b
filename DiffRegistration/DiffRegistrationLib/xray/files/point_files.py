"""Points seen in several views as CSV, and the points in space that they make."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from ..geometry.triangulation import Triangulation
from .atomic import atomic_write

_NAMES = ("name", "point", "label")
_REMEDY = "Give columns cam1_u, cam1_v, cam2_u, cam2_v and so on (px), a row a point; name is optional."


@dataclass(frozen=True, eq=False)
class SeenPoints:
    """Names of points, and their pixels (u, v) in each view, NaN where a view does not show one."""

    names: tuple[str, ...]
    pixels: Float64[np.ndarray, "views points 2"]


def read_seen_points(path: str | Path, view_count: int) -> SeenPoints:
    """Points of a CSV file with the columns cam1_u, cam1_v, cam2_u …; empty where a view does not show the point.

    Names stand in a column name, point or label; without one, rows count from 1. InputError for a file that cannot be
    read, for missing columns, for one coordinate without the other and for what is no number.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns, rows = [str(name).strip() for name in reader.fieldnames or ()], list(reader)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror}", "Check the file's name and rights.") from error
    except (UnicodeDecodeError, csv.Error):
        raise InputError(path, "is no CSV text", _REMEDY) from None
    wanted = [f"cam{view}_{axis}" for view in range(1, view_count + 1) for axis in "uv"]
    lacking = [name for name in wanted if name not in columns]
    if lacking:
        raise InputError(
            path, f"has no column {', '.join(lacking)}; there are {', '.join(columns) or 'none'}", _REMEDY
        )
    if not rows:
        raise InputError(path, "holds no point", _REMEDY)
    named = next((name for name in _NAMES if name in columns), None)
    names, pixels = [], np.empty((len(rows), 2 * view_count))
    for number, row in enumerate(rows, start=1):
        stripped = {str(key).strip(): value for key, value in row.items()}
        names.append(str(stripped[named]).strip() if named else str(number))
        pixels[number - 1] = [_number(path, number, name, stripped[name]) for name in wanted]
    halves = np.isnan(pixels).reshape(len(rows), view_count, 2).sum(axis=2) == 1
    if halves.any():
        point, view = (int(index[0]) + 1 for index in np.nonzero(halves))
        raise InputError(
            path, f"row {point} gives one coordinate of cam{view} without the other", "Give both, or none."
        )
    return SeenPoints(tuple(names), pixels.reshape(len(rows), view_count, 2).swapaxes(0, 1))


def write_triangulated(path: str | Path, names: Sequence[str], found: Triangulation) -> None:
    """Write points with standard deviations (mm, in the cameras' world), and each view's reprojection error (px).

    Fields of a point that was not found, and of views that do not show one, are empty; a view whose pixel was left out
    as an outlier is named in the last column.
    """
    views = range(1, len(found.reprojection) + 1)
    head = ("name", "x_mm", "y_mm", "z_mm", "std_x_mm", "std_y_mm", "std_z_mm")
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((*head, *(f"cam{view}_error_px" for view in views), "left_out"))
        for number, name in enumerate(names):
            values = (*found.points[number], *found.std[number], *found.reprojection[:, number])
            out = left_out(found, number)
            writer.writerow((name, *(_text(value) for value in values), " ".join(f"cam{view}" for view in out)))


def left_out(found: Triangulation, point: int) -> list[int]:
    """The views, from 1, that show a point that was found and were not used for it."""
    unused = np.isfinite(found.reprojection[:, point]) & ~found.used[:, point]
    return [int(view) + 1 for view in np.flatnonzero(unused)] if found.found[point] else []


def _text(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""


def _number(path: Path, row: int, column: str, text: str | None) -> float:
    if text is None or not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise InputError(path, f"row {row}, column {column}: {text!r} is no number", "Correct it, or leave it empty.")
    return value
