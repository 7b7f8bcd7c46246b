"""A CT localizer (scout) as an X-ray: a fan across the table, parallel along it, in the scanner's own frame."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Float64

from ..errors import InputError
from ..geometry import ScanningSlitCamera, rigid
from ..provenance import Provenance
from ..radiograph import WorldFrame
from . import lps
from .c_arm_geometry import CArmGeometry
from .pixel_grid_symmetry import GridSymmetry
from .stored_xray import XrayView
from .xray_dicom_tags import FrameTags, tag_name

_REMEDY = "Export the localizer anew with its geometry, or give a camera file"
# Up and the right of someone who looks from the table's foot end into the gantry, in the patient's LPS.
_GANTRY = {
    "HFS": ((0, -1, 0), (1, 0, 0)),
    "HFP": ((0, 1, 0), (-1, 0, 0)),
    "FFS": ((0, -1, 0), (-1, 0, 0)),
    "FFP": ((0, 1, 0), (1, 0, 0)),
    "HFDR": ((1, 0, 0), (0, 1, 0)),
    "HFDL": ((-1, 0, 0), (0, -1, 0)),
    "FFDR": ((1, 0, 0), (0, -1, 0)),
    "FFDL": ((-1, 0, 0), (0, 1, 0)),
}
# The tube stands on the image's normal to within this cosine, or the angle is counted in some other way.
_ALONG_NORMAL = 0.9


def localizer_view(tags: FrameTags, given: CArmGeometry | None) -> XrayView:
    """Camera of a localizer from its image plane, distances and tube angle; world is the scanner's frame of reference.

    `given` distances override the tags'. InputError that lists what is missing, names the tag that cannot be, or
    refuses other given numbers.
    """
    given = given or CArmGeometry()
    _refuse_what_the_plane_says(tags.subject, given)
    position, orientation, spacing, sdd, sod, provenance = _numbers(tags, given)
    size = int(tags.dataset.Rows), int(tags.dataset.Columns)
    right, down = orientation
    toward_source, line = _toward_source(tags, right, down)
    provenance += (line,)
    travels_along_columns = abs(down[2]) >= abs(right[2])
    # v runs along the travel as stored; u is the fan, mirrored where (u, v, away from the source) needs it.
    fan, travel = (right, down) if travels_along_columns else (down, right)
    sign = 1 if np.dot(np.cross(fan, travel), -toward_source) > 0 else -1
    layout = GridSymmetry(((sign, 0), (0, 1)) if travels_along_columns else ((0, sign), (1, 0)))
    # Scanners write the position of the first pixel as if the fan's axis ran through column N/2, not (N − 1)/2.
    axis = (size[1] / 2, 0.0) if travels_along_columns else (0.0, size[0] / 2)
    on_axis = position + axis[0] * spacing[1] * right + axis[1] * spacing[0] * down
    source = on_axis + sod * toward_source
    rotation = np.stack([sign * fan, travel, -toward_source])
    lps_camera_from_world = rigid.rigid(rotation, -rotation @ source)
    view = layout.pixel(axis, size)
    camera = ScanningSlitCamera(
        # RAS world → LPS, then into the camera's own frame, which neither convention touches.
        camera_from_world=lps_camera_from_world @ lps.ras_from_index(np.eye(4)),
        size=layout.pair(size),
        pixel_spacing=layout.pair(spacing),
        centre=view,
        source_object_distance=sod,
        source_detector_distance=sdd,
    )
    provenance += (
        Provenance("world", "the scanner's frame of reference", tag_name("ImageOrientationPatient")),
        Provenance("image layout", str(layout), "fan along u, travel along v, as seen from the source"),
        Provenance("fan's axis", f"column {view[0]:g}", "middle of the image", assumed=True),
        Provenance("image plane", "through the isocentre", tag_name("ImagePositionPatient"), assumed=True),
    )
    return XrayView(camera, layout, provenance, WorldFrame.SCANNER)


def _refuse_what_the_plane_says(subject: object, given: CArmGeometry) -> None:
    """InputError for numbers that a localizer's own image plane fixes, which would have no effect."""
    idle = {
        "--spacing": given.pixel_spacing,
        "--angles": (given.primary_angle_deg if given.primary_angle_deg is not None else given.secondary_angle_deg),
        "the principal point": given.principal_point,
        "the patient orientation": given.patient_orientation,
    }
    named = [name for name, value in idle.items() if value is not None]
    if named:
        raise InputError(
            subject,
            f"this is a CT localizer: its image plane is in its tags, and {' and '.join(named)} cannot change it",
            "Leave that out; --sdd and --sod can be given.",
        )


def localizer_mask(values: Float32[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """False in rows and columns along the border that are black all through: nothing was measured there."""
    finite = np.isfinite(values)
    lit = finite & (values > values[finite].min(initial=np.inf))
    mask = np.zeros(values.shape, dtype=bool)
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if rows.size:
        mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return mask & finite


def _numbers(
    tags: FrameTags, given: CArmGeometry
) -> tuple[
    Float64[np.ndarray, "3"],
    Float64[np.ndarray, "2 3"],
    tuple[float, float],
    float,
    float,
    tuple[Provenance, ...],
]:
    """Position, orientation (LPS), spacing, SDD, SOD and their provenance; InputError that lists what is missing."""
    position = tags.numbers("ImagePositionPatient")
    orientation = tags.numbers("ImageOrientationPatient")
    spacing = tags.positive_pair("PixelSpacing")
    sdd = given.source_detector_distance or tags.positive("DistanceSourceToDetector")
    sod = given.source_object_distance or tags.positive("DistanceSourceToPatient")
    wanted = {
        f"{tag_name('ImagePositionPatient')} (three numbers in mm)": position is not None and len(position) == 3,
        f"{tag_name('ImageOrientationPatient')} (six cosines)": orientation is not None and len(orientation) == 6,
        f"{tag_name('PixelSpacing')} (mm between rows and columns)": spacing is not None,
        f"{tag_name('DistanceSourceToDetector')} (mm, usually 900 to 1100; --sdd)": sdd is not None,
        f"{tag_name('DistanceSourceToPatient')} (mm, usually 500 to 650; --sod)": sod is not None,
    }
    missing = "; ".join(name for name, there in wanted.items() if not there)
    if missing:
        raise InputError(tags.subject, f"the localizer's geometry is incomplete. Missing: {missing}", f"{_REMEDY}.")
    assert position is not None and orientation is not None and spacing is not None
    assert sdd is not None and sod is not None
    axes = np.array(orientation).reshape(2, 3)
    if not np.allclose(axes @ axes.T, np.eye(2), atol=1e-3):
        raise InputError(
            tags.subject,
            f"{tag_name('ImageOrientationPatient')} is {list(orientation)}, expected two unit vectors at right angles",
            f"{_REMEDY}.",
        )
    if not sod < sdd:
        raise InputError(
            tags.subject,
            f"the source-object distance of {sod:g} mm is not less than the source-detector distance of {sdd:g} mm",
            "Give --sod and --sdd; they may have been swapped.",
        )
    axes[1] -= axes[0] * (axes[0] @ axes[1])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    origins = (
        "given by the user" if given.source_detector_distance else tag_name("DistanceSourceToDetector"),
        "given by the user" if given.source_object_distance else tag_name("DistanceSourceToPatient"),
    )
    provenance = (
        Provenance("source-detector distance", f"{sdd:g} mm", origins[0]),
        Provenance("source-object distance", f"{sod:g} mm", origins[1]),
        Provenance("pixel spacing at the isocentre", f"{spacing[0]:g}, {spacing[1]:g} mm", tag_name("PixelSpacing")),
    )
    return np.array(position), axes, spacing, sdd, sod, provenance


def _toward_source(
    tags: FrameTags, right: Float64[np.ndarray, "3"], down: Float64[np.ndarray, "3"]
) -> tuple[Float64[np.ndarray, "3"], Provenance]:
    """Unit vector (LPS) from the image plane to the tube: by its angle, else where the image is seen from."""
    usual = -np.cross(right, down)
    angle = tags.number("AngularPosition")
    gantry = _GANTRY.get(tags.text("PatientPosition") or "")
    if angle is None or gantry is None:
        origin = "image as seen from the source; no tube angle or no patient position"
        return usual, Provenance("source", _side(usual), origin, assumed=True)
    radians = np.radians(angle)
    up, aside = np.array(gantry, dtype=np.float64)
    cosine = float(usual @ (np.cos(radians) * up + np.sin(radians) * aside))
    named = f"{tag_name('AngularPosition')} {angle:g}°"
    if cosine >= _ALONG_NORMAL:
        return usual, Provenance("source", _side(usual), named)
    if cosine <= -_ALONG_NORMAL:
        return -usual, Provenance("source", _side(-usual), f"{named}, image as seen from the detector")
    origin = f"image as seen from the source; {named} does not fit the image plane"
    return usual, Provenance("source", _side(usual), origin, assumed=True)


def _side(toward: Float64[np.ndarray, "3"]) -> str:
    r, a, s = lps.ras_points(toward)
    return f"toward (R {r:.3g}, A {a:.3g}, S {s:.3g})"
