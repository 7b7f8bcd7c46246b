"""Whether a translation moves what it translates: how far edges of the one image lie from those of the other."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64
from scipy import ndimage

# Windows of so many pixels are compared, at most so far apart, every half a window.
_WINDOW, _REACH = 24, 4
_SIGMA = 1.0
# A window counts where its edges are so much of the image's strongest ones, and where both images show the same.
_EDGY, _LEAST_AGREEMENT = 0.3, 0.3


def structure_shift(
    before: Float[np.ndarray, "rows columns"], after: Float[np.ndarray, "rows columns"]
) -> Float64[np.ndarray, "windows"]:
    """Shift (px) of each window with edges, by where strengths of edges correlate best, to a part of a pixel.

    Strength of an edge has no sign: a translation may turn tones over. Windows without edges, or of which the other
    image shows nothing like it, have no shift; whether there are any left is for the caller to ask.
    """
    edges = [
        ndimage.gaussian_gradient_magnitude(np.asarray(image, dtype=np.float64), _SIGMA) for image in (before, after)
    ]
    floor = _EDGY * float(np.percentile(edges[0], 99))
    shifts = []
    rows, columns = edges[0].shape
    for top in range(_REACH, rows - _WINDOW - _REACH + 1, _WINDOW // 2):
        for left in range(_REACH, columns - _WINDOW - _REACH + 1, _WINDOW // 2):
            window = edges[0][top : top + _WINDOW, left : left + _WINDOW]
            if np.percentile(window, 90) < floor:
                continue
            wider = edges[1][top - _REACH : top + _WINDOW + _REACH, left - _REACH : left + _WINDOW + _REACH]
            shift = _best_shift(window, wider)
            if shift is not None:
                shifts.append(float(np.hypot(*shift)))
    return np.array(shifts)


def _best_shift(
    window: Float64[np.ndarray, "w w"], wider: Float64[np.ndarray, "W W"]
) -> Float64[np.ndarray, "2"] | None:
    """(rows, columns) by which the window fits best; None where it fits nowhere, or best at the end of the reach."""
    places = np.lib.stride_tricks.sliding_window_view(wider, window.shape)
    centred = places - places.mean(axis=(2, 3), keepdims=True)
    own = window - window.mean()
    length = np.sqrt((centred**2).sum(axis=(2, 3)) * (own**2).sum())
    agreement = (centred * own).sum(axis=(2, 3)) / np.maximum(length, 1e-12)
    row, column = np.unravel_index(agreement.argmax(), agreement.shape)
    if agreement[row, column] < _LEAST_AGREEMENT or not (0 < row < 2 * _REACH and 0 < column < 2 * _REACH):
        return None

    def peak(low: float, middle: float, high: float) -> float:
        curve = low - 2 * middle + high
        return 0.5 * (low - high) / curve if curve < 0 else 0.0

    down = peak(*agreement[row - 1 : row + 2, column])
    right = peak(*agreement[row, column - 1 : column + 2])
    return np.array([row - _REACH + down, column - _REACH + right])
