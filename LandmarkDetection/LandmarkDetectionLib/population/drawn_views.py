"""A view of a head, drawn again where it shows next to nothing of it."""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64

from .view_ranges import ViewRanges

# A view that shows fewer landmarks within its edges is drawn again, so many times.
_FEWEST_SHOWN, _TRIES = 6, 20


def drawn_view(
    ranges: ViewRanges,
    points: Float64[np.ndarray, "n 3"],
    axes: Float64[np.ndarray, "3 3"],
    random: np.random.Generator,
) -> tuple[int, Float64[np.ndarray, "4 4"], float]:
    """Number of the family, camera_from_ct (mm) and field of a view about the middle of a head's known landmarks.

    `points` are those (mm, the CT's frame), `axes` the head's Frankfurt axes in it, as columns.
    """
    head_from_ct = rigid.rigid(axes.T, -axes.T @ points.mean(axis=0))
    for _ in range(_TRIES):
        family, pose, field = ranges.drawn_of_family(random)
        x, y, z = rigid.transform_points(pose @ head_from_ct, points).T
        if (np.maximum(np.abs(x), np.abs(y)) < 0.5 * field * z).sum() >= min(_FEWEST_SHOWN, len(points)):
            break
    return family, pose @ head_from_ct, field
