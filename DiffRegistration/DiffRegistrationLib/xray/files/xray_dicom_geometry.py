"""A C-arm's numbers from DICOM tags: distances, spacing, angles, detector area, each with its tag.

Sources: DICOM PS3.3 C.8.7.5 (positioner), C.8.11.4 and C.8.19.5 (detector, field of view), 10.7 (pixel spacing).
"""

from __future__ import annotations

from ..provenance import Provenance
from .c_arm_geometry import CArmGeometry
from .c_arm_view import CArmSource
from .pixel_grid_symmetry import GridSymmetry
from .xray_dicom_tags import FrameTags, tag_name

_Lines = tuple[Provenance, ...]


def c_arm_source(tags: FrameTags, given: CArmGeometry | None) -> CArmSource:
    """What the tags of a frame say of its C-arm; where one number needs another, a `given` one is used first."""
    given = given or CArmGeometry()
    sdd, lines = _first_positive(tags, "source-detector distance", "DistanceSourceToDetector")
    sod, more = _source_object_distance(tags, given.source_detector_distance or sdd)
    lines += more
    magnification = _magnification(given.source_detector_distance or sdd, given.source_object_distance or sod)
    spacing, more = _detector_spacing(tags, magnification)
    lines += more
    primary, more = _angle(tags, "primary angle", "PositionerPrimaryAngle")
    lines += more
    secondary, more = _angle(tags, "secondary angle", "PositionerSecondaryAngle")
    lines += more
    applied, more = _stored_from_detector(tags)
    lines += more
    principal_point, more = _principal_point(tags, given.pixel_spacing or spacing, applied)
    lines += more
    orientation = tags.texts("PatientOrientation")
    geometry = CArmGeometry(
        source_detector_distance=sdd,
        source_object_distance=sod,
        pixel_spacing=spacing,
        primary_angle_deg=primary,
        secondary_angle_deg=secondary,
        principal_point=principal_point,
        patient_orientation=(orientation[0], orientation[1]) if len(orientation) == 2 else None,
    )
    return CArmSource(geometry, lines + _circumstances(tags), _where(tags), applied)


def _where(tags: FrameTags) -> dict[str, str]:
    """For each number that a view needs, the tags that should hold it and whether they are there."""
    keywords = {
        "source_detector_distance": ("DistanceSourceToDetector",),
        "source_object_distance": ("DistanceSourceToIsocenter", "DistanceSourceToPatient"),
        "pixel_spacing": ("ImagerPixelSpacing", "PixelSpacing"),
        "primary_angle_deg": ("PositionerPrimaryAngle",),
        "secondary_angle_deg": ("PositionerSecondaryAngle",),
    }
    return {
        name: ", ".join(f"{tag_name(k)} {'absent' if tags.value(k) is None else 'unusable'}" for k in names)
        for name, names in keywords.items()
    }


def _first_positive(tags: FrameTags, quantity: str, *keywords: str) -> tuple[float | None, _Lines]:
    for keyword in keywords:
        value = tags.positive(keyword)
        if value is not None:
            return value, (Provenance(quantity, f"{value:.10g} mm", tag_name(keyword)),)
    return None, ()


def _source_object_distance(tags: FrameTags, sdd: float | None) -> tuple[float | None, _Lines]:
    """Source to isocentre; what XA calls source to patient ends there too."""
    quantity = "source-object distance"
    sod, lines = _first_positive(tags, quantity, "DistanceSourceToIsocenter", "DistanceSourceToPatient")
    factor = tags.positive("EstimatedRadiographicMagnificationFactor")
    if sod is None and sdd is not None and factor is not None and factor > 1:
        origin = f"source-detector distance / {tag_name('EstimatedRadiographicMagnificationFactor')}"
        return sdd / factor, (Provenance(quantity, f"{sdd / factor:.10g} mm", origin),)
    return sod, lines


def _magnification(sdd: float | None, sod: float | None) -> float | None:
    return sdd / sod if sdd is not None and sod is not None else None


def _detector_spacing(
    tags: FrameTags, isocentre_magnification: float | None
) -> tuple[tuple[float, float] | None, _Lines]:
    """Pixel spacing at the detector, brought there by the magnification if the tag's is that of the patient."""
    quantity = "pixel spacing at the detector"
    imager = tags.positive_pair("ImagerPixelSpacing")
    if imager is not None:
        return imager, (Provenance(quantity, _millimetres(imager), tag_name("ImagerPixelSpacing")),)
    spacing = tags.positive_pair("PixelSpacing")
    if spacing is None:
        return None, ()
    origin = tag_name("PixelSpacing")
    calibration = tags.text("PixelSpacingCalibrationType")
    at_patient = calibration is not None or tags.text("Modality") in ("XA", "RF")
    if not at_patient:
        origin += ", not calibrated, so at the detector"
        return spacing, (Provenance(quantity, _millimetres(spacing), origin, assumed=True),)
    factor = tags.positive("EstimatedRadiographicMagnificationFactor")
    if factor is not None:
        reason = tag_name("EstimatedRadiographicMagnificationFactor")
    elif isocentre_magnification is not None:
        factor, reason = isocentre_magnification, "source-detector / source-object distance"
    else:
        return None, ()
    origin += f" in the patient ({calibration or 'no calibration type'}) × {factor:.6g}, {reason}"
    detector = (spacing[0] * factor, spacing[1] * factor)
    # A fiducial may lie off the isocentre, and XA without a calibration type need not be calibrated.
    certain = calibration == "GEOMETRY"
    return detector, (Provenance(quantity, _millimetres(detector), origin, assumed=not certain),)


def _angle(tags: FrameTags, quantity: str, keyword: str) -> tuple[float | None, _Lines]:
    """Angle of the frame: that of the first plus its offset, or plus a mean step for each frame before it."""
    start = tags.number(keyword)
    steps = tags.numbers(f"{keyword}Increment")
    if start is None:
        return None, ()
    origin = tag_name(keyword)
    if steps is not None and len(steps) == 1:
        start += tags.frame * steps[0]
        origin += f" + {tags.frame} × {tag_name(f'{keyword}Increment')}"
    elif steps is not None and tags.frame < len(steps):
        start += steps[tags.frame]
        origin += f" + value {tags.frame + 1} of {tag_name(f'{keyword}Increment')}"
    return start, (Provenance(quantity, f"{start:.10g}°", origin),)


def _stored_from_detector(tags: FrameTags) -> tuple[GridSymmetry, _Lines]:
    """The turning and then mirroring that made the stored image of the detector's."""
    degrees = tags.number("FieldOfViewRotation") or 0.0
    mirrored = tags.text("FieldOfViewHorizontalFlip") == "YES"
    applied = GridSymmetry.turned_clockwise(round(degrees / 90))
    if mirrored:
        applied = GridSymmetry.mirrored_columns().after(applied)
    if applied == GridSymmetry.identity():
        return applied, ()
    origin = f"{tag_name('FieldOfViewRotation')}, {tag_name('FieldOfViewHorizontalFlip')}"
    value = f"{degrees:g}° clockwise{', then mirrored' if mirrored else ''}"
    return applied, (Provenance("field of view as stored", value, origin),)


def _principal_point(
    tags: FrameTags, spacing: tuple[float, float] | None, stored_from_detector: GridSymmetry
) -> tuple[tuple[float, float] | None, _Lines]:
    """(u, v) in the stored image where the central ray meets the detector, None if the tags do not tell.

    Detector coordinates are (row, column) in detector elements from the outer corner of the first one.
    """
    element = tags.positive_pair("DetectorElementSpacing")
    corner_keyword = next((k for k in ("FieldOfViewOrigin", "DetectorActiveOrigin") if tags.pair(k) is not None), None)
    if element is None or spacing is None or corner_keyword is None:
        return None, ()
    corner = tags.pair(corner_keyword)
    assert corner is not None
    isocentre = tags.pair("PositionOfIsocenterProjection")
    area = tags.positive_pair("PhysicalDetectorSize")
    active = tags.numbers("DetectorActiveDimensions")
    if isocentre is not None:
        centre = (isocentre[0] + 0.5, isocentre[1] + 0.5)
        origin, assumed = tag_name("PositionOfIsocenterProjection"), False
    elif area is not None:
        centre = (area[0] / element[0] / 2, area[1] / element[1] / 2)
        origin, assumed = f"middle of {tag_name('PhysicalDetectorSize')}", True
    elif active and min(active) > 0:
        start = tags.pair("DetectorActiveOrigin") or (0.0, 0.0)
        centre = (start[0] + active[0] / element[0] / 2, start[1] + active[-1] / element[1] / 2)
        origin, assumed = f"middle of {tag_name('DetectorActiveDimensions')}", True
    else:
        return None, ()
    stored_size = int(tags.dataset.Rows), int(tags.dataset.Columns)
    detector_size = stored_from_detector.pair(stored_size)
    rows_mm, columns_mm = stored_from_detector.pair(spacing)
    on_detector = (
        (centre[1] - corner[1]) * element[1] / columns_mm - 0.5,
        (centre[0] - corner[0]) * element[0] / rows_mm - 0.5,
    )
    u, v = stored_from_detector.pixel(on_detector, detector_size)
    line = Provenance("principal point", f"{u:.10g}, {v:.10g} px", f"{origin}, {tag_name(corner_keyword)}", assumed)
    return (u, v), (line,)


def _circumstances(tags: FrameTags) -> _Lines:
    """Tags that change no number but tell a reader of the record what it rests on."""
    lines: _Lines = ()
    position = tags.text("PatientPosition")
    if position is not None:
        origin = f"{tag_name('PatientPosition')}; angles are the patient's, so it changes none"
        lines += (Provenance("patient position", position, origin),)
    positioner = tags.text("PositionerType")
    if positioner is not None:
        lines += (Provenance("positioner", positioner, tag_name("PositionerType"), assumed=positioner != "CARM"),)
    return lines


def _millimetres(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.10g}, {pair[1]:.10g} mm"
