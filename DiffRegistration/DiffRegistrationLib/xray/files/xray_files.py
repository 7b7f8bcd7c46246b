"""X-ray images from files: DICOM of C-arms, radiography and CT localizers, and pictures with a camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from ..errors import InputError
from ..geometry import Camera
from ..preprocessing import LineIntegrals, find_collimation
from ..provenance import Provenance
from ..radiograph import Radiograph, WorldFrame
from .c_arm_geometry import CArmGeometry
from .pixel_grid_symmetry import GridSymmetry
from .pixel_meaning import PixelMeaning, attenuation_of
from .stored_xray import StoredXray, XrayView
from .xray_dicom import is_dicom

__all__ = ["CArmGeometry", "frame_count", "image_size", "read_line_integrals", "read_xray", "read_xray_frames"]


def frame_count(path: Path) -> int:
    """Number of frames (pages) of an X-ray file. InputError if it is none."""
    return _open(Path(path)).frame_count


def image_size(path: Path) -> tuple[int, int]:
    """Size (rows, columns) of an X-ray as stored. InputError if it is none."""
    return _open(Path(path)).size


def read_xray(
    path: Path,
    *,
    camera: Camera | None = None,
    geometry: CArmGeometry | None = None,
    frame: int = 0,
    mask: Path | None = None,
    unattenuated: float | None = None,
    bone_is_bright: bool | None = None,
) -> Radiograph:
    """One frame of an X-ray file as line integrals with its camera.

    With `camera` (of the image as stored) nothing is turned. Without it the camera comes from DICOM tags and from the
    numbers in `geometry`, which override them, and the image is mirrored or turned so that the camera sees it from the
    source: world is then the patient's axes (RAS) about the isocentre, or a localizer's scanner frame of reference.

    `frame` counts from 0. `mask` is an image of the same size, above zero where the X-ray may be used; it replaces the
    search for the collimator. `unattenuated` is the pixel value of the open beam. `bone_is_bright` says the polarity
    of the pixel values; None takes it from the DICOM tags, and a picture's brightness for X-rays (bone dark).

    Everything read or assumed is in the radiograph's provenance. InputError for a file that is no X-ray, is damaged,
    burnt out or in colour, for missing geometry (all of it listed), and for a camera, mask or frame that does not fit.
    """
    return _read(Path(path), [frame], camera, geometry, mask, unattenuated, bone_is_bright)[0]


def read_xray_frames(
    path: Path,
    *,
    frames: Sequence[int] | None = None,
    camera: Camera | None = None,
    geometry: CArmGeometry | None = None,
    mask: Path | None = None,
    unattenuated: float | None = None,
    bone_is_bright: bool | None = None,
) -> tuple[Radiograph, ...]:
    """These frames (all of them if None) as `read_xray` gives them, decoded once.

    The collimator's edges are looked for once, in the mean of the frames.
    """
    return _read(
        Path(path), None if frames is None else list(frames), camera, geometry, mask, unattenuated, bone_is_bright
    )


def read_line_integrals(
    path: Path, *, frames: Sequence[int] | None = None, bone_is_bright: bool | None = None
) -> tuple[LineIntegrals, ...]:
    """The same without any camera, as the images are stored: for what asks for pixels alone.

    InputError as `read_xray` has it, but for geometry.
    """
    xray = _open(Path(path))
    chosen = list(range(xray.frame_count)) if frames is None else list(frames)
    found = []
    for stored, frame in zip(xray.decode(chosen), chosen, strict=True):
        values, meaning = xray.values(stored, frame, bone_is_bright)
        found.append(attenuation_of(values, meaning, subject=path, mask=xray.field(values)))
    return tuple(found)


def _read(
    path: Path,
    frames: list[int] | None,
    camera: Camera | None,
    geometry: CArmGeometry | None,
    mask_path: Path | None,
    unattenuated: float | None,
    bone_is_bright: bool | None,
) -> tuple[Radiograph, ...]:
    xray = _open(path)
    chosen = list(range(xray.frame_count)) if frames is None else frames
    for frame in chosen:
        if not 0 <= frame < xray.frame_count:
            raise InputError(
                path,
                f"frame {frame} was asked for, it has {xray.frame_count} (0 to {xray.frame_count - 1})",
                "Choose a frame that exists; frames count from 0.",
            )
    if not chosen:
        return ()
    views = [_view(xray, frame, camera, geometry) for frame in chosen]
    usable = None if mask_path is None else _read_mask(Path(mask_path), xray)
    stored = xray.decode(chosen)
    shared_field = None
    if usable is None and len(chosen) > 1:
        shared_field = field_of_all([xray.values(s, f, bone_is_bright) for s, f in zip(stored, chosen, strict=True)])
    radiographs = []
    for pixels, frame, view in zip(stored, chosen, views, strict=True):
        values, meaning = xray.values(pixels, frame, bone_is_bright)
        own_field = xray.field(values) if usable is None else None
        mask = next((m for m in (usable, own_field, shared_field) if m is not None), None)
        integrals = attenuation_of(values, meaning, subject=path, unattenuated=unattenuated, mask=mask)
        lines = integrals.provenance
        if usable is None and mask is not None:
            origin = (
                "edges of the collimator in the mean of the frames" if own_field is None else "black border left out"
            )
            lines = tuple(
                replace(line, origin=origin, assumed=True) if line.quantity == "field of view" else line
                for line in lines
            )
        turn = view.camera_from_stored.image
        kept = Provenance("frame", f"{frame} of {xray.frame_count}", "asked for")
        radiographs.append(
            Radiograph(
                turn(integrals.attenuation),
                turn(integrals.mask),
                view.camera,
                (kept, *view.provenance, *meaning.provenance, *lines),
                view.world,
            )
        )
    return tuple(radiographs)


def _open(path: Path) -> StoredXray:
    if path.is_dir():
        raise InputError(path, "is a folder, an X-ray file was expected", "Give one file of it.")
    try:
        dicom = is_dicom(path)
    except OSError as error:
        raise InputError(
            path, f"cannot be opened: {error.strerror}", "Check the name and the right to read it."
        ) from error
    if dicom:
        from .xray_dicom_images import open_dicom

        return open_dicom(path)
    from .xray_pictures import Picture

    return Picture(path)


def _view(xray: StoredXray, frame: int, camera: Camera | None, geometry: CArmGeometry | None) -> XrayView:
    if camera is None:
        return xray.view(frame, geometry)
    if camera.size != xray.size:
        raise InputError(
            xray.path,
            f"the image has {xray.size[1]}×{xray.size[0]} pixels, its camera {camera.size[1]}×{camera.size[0]}",
            "Give the camera of this image; a camera of a resampled image must be resampled with it.",
        )
    lines = (
        Provenance("camera", type(camera).__name__, "given by the user"),
        Provenance("image layout", str(GridSymmetry.identity()), "as the given camera expects"),
    )
    return XrayView(camera, GridSymmetry.identity(), lines, WorldFrame.CALIBRATION)


def _read_mask(path: Path, xray: StoredXray) -> Bool[np.ndarray, "rows columns"]:
    """True where the mask's pixels are above zero."""
    from .xray_pictures import Picture

    if not path.is_file():
        raise InputError(path, "there is no such mask file", "Check the name.")
    picture = Picture(path)
    if picture.size != xray.size:
        raise InputError(
            path,
            f"the mask has {picture.size[1]}×{picture.size[0]} pixels, the X-ray {xray.size[1]}×{xray.size[0]}",
            "Give a mask drawn on this X-ray as it is stored.",
        )
    usable = picture.decode([0])[0] > 0
    if not usable.any():
        raise InputError(
            path, "the mask covers everything: no pixel is above zero", "Paint what may be used white (above zero)."
        )
    return usable


def field_of_all(
    frames: list[tuple[Float32[np.ndarray, "rows columns"], PixelMeaning]],
) -> Bool[np.ndarray, "rows columns"]:
    """The collimator's opening in the mean of all frames, brought to bright = more X-rays."""
    total = np.zeros(frames[0][0].shape, dtype=np.float32)
    for values, meaning in frames:
        low, high = meaning.limits
        dose = high - values if meaning.bone_is_bright else values - (low if np.isfinite(low) else 0)
        total += np.where(np.isfinite(dose), dose, 0)
    return find_collimation(total / len(frames))
