"""A camera as a file gave it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError
from ..geometry import Camera
from ..provenance import Provenance

# What to do about a camera file that does not say how many pixels its image has.
SIZE_REMEDY = "Give its rows and columns: register takes them from the X-ray, drr from --size."


@dataclass(frozen=True, eq=False)
class CalibratedCamera:
    """A camera and where each of its numbers came from."""

    camera: Camera
    provenance: tuple[Provenance, ...] = ()


def check_size(subject: object, found: tuple[int, int], expected: tuple[int, int] | None) -> None:
    """InputError, naming both, when a camera's size (rows, columns) is not that of the image it is meant for."""
    if expected is not None and tuple(found) != tuple(expected):
        raise InputError(
            subject,
            f"calibrates images of {found[0]} rows × {found[1]} columns, but the image has "
            f"{expected[0]} rows × {expected[1]} columns",
            "Use the calibration of this image; crop, bin or resample camera and image together.",
        )
