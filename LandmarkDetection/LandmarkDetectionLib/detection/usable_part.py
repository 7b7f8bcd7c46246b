"""Whether pixels lie where an X-ray shows something."""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Bool, Float64


def in_usable_part(radiograph: Radiograph, pixels: Float64[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
    """Whether pixels (u, v) are usable ones of the image; NaN is none."""
    at = np.rint(np.nan_to_num(pixels, nan=-1e6)).astype(int)
    rows, columns = radiograph.camera.size
    inside = (at[:, 0] >= 0) & (at[:, 0] < columns) & (at[:, 1] >= 0) & (at[:, 1] < rows)
    clipped = np.clip(at, 0, [columns - 1, rows - 1])
    return np.asarray(inside & radiograph.mask[clipped[:, 1], clipped[:, 0]])
