"""The image that a user of a method without masks would give it: cropped to the rectangle that shows the patient."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64
from scipy import ndimage

from ...xray.radiograph import Radiograph

# The rectangle is sought on this many cells along the shorter side.
_CELLS = 64
# A cell outside the field costs as many inside it: round fields give nearly the square inscribed in them.
_COST_OF_DARK = 10.0


def cropped_to_field(radiograph: Radiograph) -> Radiograph:
    """The rectangle of the image that holds most of the field and hardly anything else; pixels stay as they are.

    DiffPose and xvr crop the border of a collimated image (100 of 1536 pixels) and know no masks. Masked islands
    inside the field stay in, and so does air that burnt the detector out, which is no edge to a correlation.
    """
    size = radiograph.camera.size
    usable = radiograph.attenuation[radiograph.mask]
    if usable.size == radiograph.mask.size or not usable.size:
        return radiograph
    burnt_out = radiograph.attenuation <= usable.min()
    field = np.asarray(ndimage.binary_fill_holes(radiograph.mask | burnt_out))
    if field.all():
        return radiograph
    cell = max(1, min(size) // _CELLS)
    rows, columns = size[0] // cell, size[1] // cell
    cells = field[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    top, bottom, left, right = _richest_rectangle(np.asarray(cells.all(axis=(1, 3))))
    return radiograph.cropped(top * cell, left * cell, ((bottom - top) * cell, (right - left) * cell))


def _richest_rectangle(field: Bool[np.ndarray, "rows columns"]) -> tuple[int, int, int, int]:
    """(top, bottom, left, right), ends excluded, of the rectangle of largest value (maximum sum subarray)."""
    value = np.where(field, 1.0, -_COST_OF_DARK)
    above: Float64[np.ndarray, "edges columns"] = np.vstack([np.zeros(field.shape[1]), value.cumsum(axis=0)])
    best, rectangle = -np.inf, (0, field.shape[0], 0, field.shape[1])
    for top in range(field.shape[0]):
        sums = np.cumsum(above[top + 1 :] - above[top], axis=1)
        sums = np.hstack([np.zeros((len(sums), 1)), sums])
        lowest = np.minimum.accumulate(sums, axis=1)
        gain = sums[:, 1:] - lowest[:, :-1]
        band, right = np.unravel_index(np.argmax(gain), gain.shape)
        if gain[band, right] > best:
            best = gain[band, right]
            left = int(np.argmin(sums[band, : right + 1]))
            rectangle = (top, top + int(band) + 1, left, int(right) + 1)
    return rectangle
