"""What a user knows of the C-arm that took an image."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from ..provenance import Provenance


@dataclass(frozen=True)
class CArmGeometry:
    """What a user knows of the C-arm; each number that is not None overrides its DICOM tag or stands in for it.

    Distances are in mm from the focal spot, to the detector and to the isocentre. `pixel_spacing` is (between rows,
    between columns) in mm **on the detector**. Angles are DICOM's, in degrees: primary + = LAO, secondary + = cranial.
    `principal_point` is (u, v) in px of the image as stored. `patient_orientation` holds the patient's directions of
    the stored image's right and bottom in DICOM's letters: ("L", "F") for an image shown as if facing the patient.
    """

    source_detector_distance: float | None = None
    source_object_distance: float | None = None
    pixel_spacing: tuple[float, float] | None = None
    primary_angle_deg: float | None = None
    secondary_angle_deg: float | None = None
    principal_point: tuple[float, float] | None = None
    patient_orientation: tuple[str, str] | None = None

    def completed_by(self, other: CArmGeometry) -> CArmGeometry:
        """This geometry with what it lacks taken from `other`."""
        lacking = {f.name: getattr(other, f.name) for f in fields(self) if getattr(self, f.name) is None}
        return replace(self, **lacking)

    def provenance(self, origin: str) -> tuple[Provenance, ...]:
        """One line for each number given."""
        values = {
            "source-detector distance": _with_unit(self.source_detector_distance, "mm"),
            "source-object distance": _with_unit(self.source_object_distance, "mm"),
            "pixel spacing at the detector": _with_unit(self.pixel_spacing, "mm"),
            "primary angle": _with_unit(self.primary_angle_deg, "°"),
            "secondary angle": _with_unit(self.secondary_angle_deg, "°"),
            "principal point": _with_unit(self.principal_point, "px"),
            "patient orientation": None if self.patient_orientation is None else "\\".join(self.patient_orientation),
        }
        return tuple(Provenance(name, value, origin) for name, value in values.items() if value is not None)


def _with_unit(numbers: float | tuple[float, float] | None, unit: str) -> str | None:
    if numbers is None:
        return None
    values = numbers if isinstance(numbers, tuple) else (numbers,)
    return f"{', '.join(f'{value:.10g}' for value in values)} {unit}".replace(" °", "°")
