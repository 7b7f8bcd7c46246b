"""X-rays in which little of the head shows: their usable part is closed from one side, as where a head leaves it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

_SIDES = 4


def closed_to(radiograph: Radiograph, pixels: Float64[np.ndarray, "n 2"], part: float, side: int) -> Radiograph:
    """The X-ray with its mask closed from a side (0 to 3: left, top, right, bottom) up to `part` of the head.

    `pixels` (u, v) are the head's landmarks; that part of those in the usable part of the image stays in it.
    """
    if part >= 1:
        return radiograph
    rows, columns = np.indices(radiograph.mask.shape)
    across = side % _SIDES % 2
    at = np.rint(pixels).astype(int)
    size = np.array(radiograph.mask.shape[::-1])
    inside = ((at >= 0) & (at < size)).all(axis=1)
    inside[inside] = radiograph.mask[at[inside, 1], at[inside, 0]]
    if not inside.any():
        return radiograph
    along = pixels[inside, across]
    from_low = side % _SIDES < 2
    limit = float(np.quantile(along, 1 - part if from_low else part))
    place = rows if across else columns
    return replace(radiograph, mask=radiograph.mask & (place > limit if from_low else place < limit))
