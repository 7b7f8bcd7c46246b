"""A camera from what a C-arm's display shows: two distances and two angles.

DICOM PS3.3 C.8.7.5.1.2 measures both positioner angles at the detector: the primary angle p in the transaxial plane, 0
in front of the chest and +90° at the patient's left hand (LAO), and the secondary angle s from that plane toward the
head (cranial positive). With the patient's axes R, A, S the unit vector from the isocentre to the detector is

    z = cos s · (−sin p · R + cos p · A) + sin s · S
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from ..errors import InputError
from . import rigid
from .pinhole import PinholeCamera


def _detector_axes(primary_angle: float, secondary_angle: float, roll: float) -> Float64[np.ndarray, "3 3"]:
    """Rows x (image right), y (image down), z (source to detector) in patient axes; angles in rad."""
    toward_detector = np.array([-np.sin(primary_angle), np.cos(primary_angle), 0.0])
    toward_head = np.array([0.0, 0.0, 1.0])
    z = np.cos(secondary_angle) * toward_detector + np.sin(secondary_angle) * toward_head
    y = np.sin(secondary_angle) * toward_detector - np.cos(secondary_angle) * toward_head
    return rigid.rotation_exp([0.0, 0.0, roll]).T @ np.stack([np.cross(y, z), y, z])


def c_arm_camera(
    *,
    source_detector_distance: float,
    source_object_distance: float,
    pixel_spacing: tuple[float, float],
    size: tuple[int, int],
    primary_angle_deg: float = 0.0,
    secondary_angle_deg: float = 0.0,
    roll_deg: float = 0.0,
    principal_point: tuple[float, float] | None = None,
    isocentre: ArrayLike = (0.0, 0.0, 0.0),
) -> PinholeCamera:
    """The camera of a C-arm around a supine patient whose axes are the world's (RAS mm).

    As seen from the source: at 0°/0° the beam runs from back to front, the image's right is the patient's right and
    its bottom the feet; ±180°/0° is AP (the image's right is then the patient's left), ±90°/0° lateral. The head stays
    at the top for any pair of angles; `roll_deg` then turns the detector about the beam, its x axis toward its y axis.

    Distances and `isocentre` (RAS) are in mm, `source_object_distance` ends at the isocentre, `pixel_spacing` is
    (between rows, between columns) in mm on the detector, `size` (rows, columns), `principal_point` (u, v) in pixels
    (the image's centre if None). InputError for distances, spacing, size or angles that no C-arm has.
    """
    if not source_object_distance > 0:
        raise InputError(
            "source-object distance",
            f"expected more than 0 mm, got {source_object_distance:g} mm",
            "Give the distance from the focal spot to the isocentre.",
        )
    if not source_object_distance < source_detector_distance < np.inf:
        raise InputError(
            "source-detector distance",
            f"expected more than the source-object distance of {source_object_distance:g} mm, "
            f"got {source_detector_distance:g} mm",
            "Give both distances from the focal spot; they may have been swapped.",
        )
    if not 0 < min(pixel_spacing) <= max(pixel_spacing) < np.inf:
        raise InputError(
            "pixel spacing",
            f"expected positive numbers, got {pixel_spacing[0]:g} and {pixel_spacing[1]:g} mm",
            "Give the distance between rows and between columns in mm on the detector.",
        )
    if min(size) < 1:
        raise InputError(
            "image size", f"expected at least 1×1, got {size[0]}×{size[1]}", "Give the number of rows and columns."
        )
    numbers = {
        "primary angle": primary_angle_deg,
        "secondary angle": secondary_angle_deg,
        "roll": roll_deg,
        "isocentre": isocentre,
        "principal point": (0.0, 0.0) if principal_point is None else principal_point,
    }
    for name, value in numbers.items():
        if not np.isfinite(value).all():
            raise InputError(name, f"expected finite numbers, got {value}", "Give it in degrees, mm or pixels.")
    rotation = _detector_axes(*np.radians([primary_angle_deg, secondary_angle_deg, roll_deg]))
    source = np.asarray(isocentre, dtype=np.float64) - source_object_distance * rotation[2]
    return PinholeCamera.from_distances(
        source_detector_distance, pixel_spacing, size, rigid.rigid(rotation, -rotation @ source), principal_point
    )
