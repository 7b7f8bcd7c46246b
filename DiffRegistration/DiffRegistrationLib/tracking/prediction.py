"""Where a body will be: it goes on as it moved, less surely the longer ago that was seen."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from ..xray.geometry import rigid

# A motion goes on for so many frames at most; no body keeps its way for longer.
_LONGEST = 3.0
# Steps larger than these are not believed to go on at once.
_LARGEST_DEG, _LARGEST_MM = 15.0, 30.0


def predicted(
    centre: Float64[np.ndarray, "3"],
    time: float,
    last: tuple[float, Float64[np.ndarray, "4 4"]],
    before: tuple[float, Float64[np.ndarray, "4 4"]] | None,
) -> Float64[np.ndarray, "4 4"]:
    """Pose (world_from_ct) at `time` of a body whose centre (CT frame, mm) turns and moves on as from `before` to
    `last`, each (time, pose); as at `last` where that is all that is known. Times may run backward."""
    if before is None or before[0] == last[0]:
        return last[1]
    point = rigid.transform_points(before[1], [centre])[0]
    step = rigid.increment_between(point, last[1], before[1])
    if np.degrees(np.linalg.norm(step[:3])) > _LARGEST_DEG or np.linalg.norm(step[3:]) > _LARGEST_MM:
        return last[1]
    part = (time - last[0]) / (last[0] - before[0])
    part = float(np.clip(part, -_LONGEST, _LONGEST))
    now = rigid.transform_points(last[1], [centre])[0]
    return rigid.orthonormalised(rigid.move_about(now, part * step, last[1]))
