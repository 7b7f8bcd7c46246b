"""A C-arm image's camera from numbers, whoever gave them, and how the image has to be laid out to fit it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from ..geometry.c_arm import c_arm_camera
from ..provenance import Provenance
from ..radiograph import WorldFrame
from .c_arm_geometry import CArmGeometry
from .pixel_grid_symmetry import GridSymmetry
from .stored_xray import XrayView

# Letters of Patient Orientation (0020,0020) in RAS.
_LETTERS = {
    "R": (1.0, 0.0, 0.0),
    "L": (-1.0, 0.0, 0.0),
    "A": (0.0, 1.0, 0.0),
    "P": (0.0, -1.0, 0.0),
    "H": (0.0, 0.0, 1.0),
    "F": (0.0, 0.0, -1.0),
}
# How much better (in cosines) the best layout must fit the letters than the second best one to be believed.
_CLEAR = 0.5
# Up to here an image turns with the C-arm, so that a rotational run never flips; beyond, the beam is AP and the image
# is shown as if facing the patient all the same.
_LARGEST_TURN_DEG = 135.0
_REMEDY = "Give a camera file, or the missing numbers (--sdd, --sod, --spacing, --angles; CArmGeometry in Python)"


@dataclass(frozen=True)
class CArmSource:
    """What a file says of its C-arm: numbers, their provenance, and for each number the tags that should hold it.

    `stored_from_detector` is the turning and mirroring that the system applied to the detector's image.
    """

    geometry: CArmGeometry = field(default_factory=CArmGeometry)
    provenance: tuple[Provenance, ...] = ()
    where: dict[str, str] = field(default_factory=dict)
    stored_from_detector: GridSymmetry = field(default_factory=GridSymmetry.identity)


def c_arm_view(
    subject: object, size: tuple[int, int], given: CArmGeometry | None, source: CArmSource | None = None
) -> XrayView:
    """The view of a stored image of `size` (rows, columns): `given` numbers first, then those of its file.

    InputError that lists everything missing, or names the number that no C-arm has.
    """
    given = given or CArmGeometry()
    source = source or CArmSource()
    geometry = given.completed_by(source.geometry)
    overridden = {line.quantity for line in given.provenance("")}
    provenance = given.provenance("given by the user")
    provenance += tuple(line for line in source.provenance if line.quantity not in overridden)
    sdd, sod, spacing, primary, secondary = _complete(subject, geometry, source.where)
    try:
        upright = c_arm_camera(
            source_detector_distance=sdd,
            source_object_distance=sod,
            pixel_spacing=spacing,
            size=size,
            primary_angle_deg=primary,
            secondary_angle_deg=secondary,
        )
        layout, line = _layout(upright.camera_from_world[:2, :3], primary, geometry, source.stored_from_detector)
        principal_point = geometry.principal_point
        if principal_point is None:
            principal_point = ((size[1] - 1) / 2, (size[0] - 1) / 2)
            value = f"{principal_point[0]:g}, {principal_point[1]:g} px"
            provenance += (Provenance("principal point", value, "middle of the image", assumed=True),)
        camera = c_arm_camera(
            source_detector_distance=sdd,
            source_object_distance=sod,
            pixel_spacing=layout.pair(spacing),
            size=layout.pair(size),
            primary_angle_deg=primary,
            secondary_angle_deg=secondary,
            principal_point=layout.pixel(principal_point, size),
        )
    except InputError as error:
        raise InputError(subject, f"{error.subject}: {error.problem}", error.remedy) from error
    return XrayView(camera, layout, (*provenance, line), WorldFrame.PATIENT)


def _complete(
    subject: object, geometry: CArmGeometry, where: dict[str, str]
) -> tuple[float, float, tuple[float, float], float, float]:
    """The numbers that every C-arm view needs; InputError that lists the missing ones and where they should be."""
    needed = {
        "source_detector_distance": "source-detector distance (mm, usually 900 to 1300; --sdd)",
        "source_object_distance": "source-isocentre distance (mm, usually 500 to 850, less than the former; --sod)",
        "pixel_spacing": "pixel spacing at the detector (mm between rows and columns, usually 0.1 to 0.6; --spacing)",
        "primary_angle_deg": "primary angle (degrees, LAO positive; --angles)",
        "secondary_angle_deg": "secondary angle (degrees, cranial positive; --angles)",
    }
    missing = [name for name in needed if getattr(geometry, name) is None]
    if missing:
        listed = "; ".join(needed[name] + (f" [{where[name]}]" if name in where else "") for name in missing)
        raise InputError(subject, f"its X-ray geometry is incomplete. Missing: {listed}", f"{_REMEDY}.")
    assert geometry.source_detector_distance is not None and geometry.source_object_distance is not None
    assert geometry.pixel_spacing is not None
    assert geometry.primary_angle_deg is not None and geometry.secondary_angle_deg is not None
    return (
        geometry.source_detector_distance,
        geometry.source_object_distance,
        geometry.pixel_spacing,
        geometry.primary_angle_deg,
        geometry.secondary_angle_deg,
    )


def _direction(letters: str) -> Float64[np.ndarray, "3"] | None:
    """Unit vector (RAS) of letters such as "LA", the first weighing most; None for anything else."""
    if not letters or any(letter not in _LETTERS for letter in letters):
        return None
    vector = sum((np.array(_LETTERS[letter]) * 0.5**place for place, letter in enumerate(letters)), start=np.zeros(3))
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else None


def _layout(
    camera_axes: Float64[np.ndarray, "2 3"],
    primary_angle_deg: float,
    geometry: CArmGeometry,
    stored_from_detector: GridSymmetry,
) -> tuple[GridSymmetry, Provenance]:
    """How the stored image becomes the camera's, whose right and down are `camera_axes` (RAS)."""
    quantity = "image layout"
    from_behind = abs((primary_angle_deg + 180) % 360 - 180) <= _LARGEST_TURN_DEG
    facing = GridSymmetry.mirrored_columns() if from_behind else GridSymmetry.identity()
    default = facing.after(stored_from_detector.inverse())
    usual = "image shown as if facing the patient, head up, while the camera looks from the source"
    if stored_from_detector != GridSymmetry.identity():
        usual += f"; the detector's image was stored {stored_from_detector}"
    if geometry.patient_orientation is None:
        return default, Provenance(quantity, str(default), f"{usual}; no patient orientation", assumed=True)
    written = "\\".join(geometry.patient_orientation)
    right, down = (_direction(letters) for letters in geometry.patient_orientation)
    if right is not None and down is not None:
        cosines = camera_axes @ np.column_stack([right, down])
        ranked = sorted(GridSymmetry.every(), key=lambda symmetry: symmetry.agreement(cosines))
        if ranked[-1].agreement(cosines) - ranked[-2].agreement(cosines) >= _CLEAR:
            return ranked[-1], Provenance(quantity, str(ranked[-1]), f"patient orientation {written}")
    origin = f"{usual}; patient orientation {written} does not fit the angles"
    return default, Provenance(quantity, str(default), origin, assumed=True)
