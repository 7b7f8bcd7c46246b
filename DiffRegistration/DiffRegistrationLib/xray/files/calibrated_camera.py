"""A camera as a file gave it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from ..geometry import Camera
from ..geometry.lens_distortion import LensDistortion
from ..provenance import Provenance

# What to do about a camera file that does not say how many pixels its image has.
SIZE_REMEDY = (
    "Give its rows and columns: register takes them from the X-ray, drr from --size, and calibration convert --size "
    "writes a file that says them."
)


@dataclass(frozen=True, eq=False)
class CalibratedCamera:
    """A camera and where each of its numbers came from.

    `distortion` says how the image as taken differs from the one that `camera` sees; None where it does not.
    """

    camera: Camera
    provenance: tuple[Provenance, ...] = ()
    distortion: LensDistortion | None = None

    def ideal_pixels(self, path: str | Path, pixels: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Pixels (u, v) of the image as taken, NaN where there are none, as `camera` sees them.

        InputError about the camera file `path` for pixels at which its distortion folds over.
        """
        if self.distortion is None:
            return pixels
        there = np.isfinite(pixels).all(axis=1)
        ideal = np.full(pixels.shape, np.nan)
        try:
            ideal[there] = self.distortion.undistorted(pixels[there])
        except InputError as error:
            raise InputError(path, f"its {error.subject} {error.problem}", error.remedy) from None
        return ideal


def check_size(subject: object, found: tuple[int, int], expected: tuple[int, int] | None) -> None:
    """InputError, naming both, when a camera's size (rows, columns) is not that of the image it is meant for."""
    if expected is not None and tuple(found) != tuple(expected):
        raise InputError(
            subject,
            f"calibrates images of {found[0]} rows × {found[1]} columns, but the image has "
            f"{expected[0]} rows × {expected[1]} columns",
            "Use the calibration of this image; crop, bin or resample camera and image together.",
        )
