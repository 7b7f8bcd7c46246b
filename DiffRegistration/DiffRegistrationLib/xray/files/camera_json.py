"""Our own camera files: JSON that a person can read and that loses no digit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..geometry import Camera, PinholeCamera, ScanningSlitCamera
from ..geometry.lens_distortion import LensDistortion
from ..provenance import Provenance
from .atomic import atomic_write
from .calibrated_camera import CalibratedCamera, check_size
from .distortion_json import QUANTITY, distortion_from_json, distortion_line, distortion_to_json
from .json_fields import JsonFields
from .rigid_values import rigid_from_file

FORMAT = "fluoro registration camera"
_VERSION = 1


def write_camera(
    path: str | Path,
    camera: Camera,
    provenance: tuple[Provenance, ...] = (),
    distortion: LensDistortion | None = None,
) -> None:
    """Write a pinhole or scanning-slit camera as JSON; InputError when the folder cannot be written to.

    `distortion` is that of the image as taken; readers undo it.
    """
    content = camera_to_json(camera, provenance, distortion)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def camera_to_json(
    camera: Camera, provenance: tuple[Provenance, ...] = (), distortion: LensDistortion | None = None
) -> dict[str, Any]:
    """What a camera file holds, ready for `json`."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": _VERSION,
        "world": "RAS",
        "size_rows_columns_px": [int(n) for n in camera.size],
        "camera_from_world_mm": camera.camera_from_world.tolist(),
    }
    if isinstance(camera, PinholeCamera):
        content["type"] = "pinhole"
        content["intrinsic_px"] = camera.intrinsic.tolist()
        content["pixel_spacing_rows_columns_mm"] = (
            None if camera.pixel_spacing is None else [float(d) for d in camera.pixel_spacing]
        )
    elif isinstance(camera, ScanningSlitCamera):
        content["type"] = "scanning slit"
        content["pixel_spacing_at_isocentre_rows_columns_mm"] = [float(d) for d in camera.pixel_spacing]
        content["centre_u_v_px"] = [float(c) for c in camera.centre]
        content["source_object_distance_mm"] = float(camera.source_object_distance)
        content["source_detector_distance_mm"] = float(camera.source_detector_distance)
    else:
        raise TypeError(f"no file format for a {type(camera).__name__}")
    if distortion is not None:
        content["distortion"] = distortion_to_json(distortion)
    content["provenance"] = [
        {"quantity": p.quantity, "value": p.value, "origin": p.origin, "assumed": p.assumed} for p in provenance
    ]
    return content


def camera_from_json(path: str | Path, content: Any, size: tuple[int, int] | None = None) -> CalibratedCamera:
    """The camera that `camera_to_json` wrote; InputError about `path` naming the field that is missing or wrong."""
    fields = JsonFields(path, content)
    version = fields.get("version")
    if version != _VERSION:
        raise InputError(
            path, f"camera format version {version}, expected {_VERSION}", "Update the program or write it again."
        )
    rows, columns = fields.whole_numbers("size_rows_columns_px", 2)
    check_size(path, (rows, columns), size)
    pose = rigid_from_file(path, "camera_from_world_mm", fields.get("camera_from_world_mm"))
    kind = fields.get("type")
    camera: Camera
    try:
        if kind == "pinhole":
            spacing = fields.get("pixel_spacing_rows_columns_mm")
            camera = PinholeCamera(
                np.array(fields.get("intrinsic_px"), dtype=np.float64),
                pose,
                (rows, columns),
                None if spacing is None else fields.numbers("pixel_spacing_rows_columns_mm", 2),
            )
        elif kind == "scanning slit":
            camera = ScanningSlitCamera(
                pose,
                (rows, columns),
                fields.numbers("pixel_spacing_at_isocentre_rows_columns_mm", 2),
                fields.numbers("centre_u_v_px", 2),
                *fields.numbers("source_object_distance_mm", 1),
                *fields.numbers("source_detector_distance_mm", 1),
            )
        else:
            raise InputError(path, f"camera type “{kind}”", "Expected “pinhole” or “scanning slit”.")
        lines = tuple(Provenance(**line) for line in content.get("provenance", ())) or _numbers_of(camera)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(
            path, f"the numbers are no camera: {error}", "Correct them or write the file again."
        ) from None
    if content.get("distortion") is None:
        return CalibratedCamera(camera, lines)
    distortion = distortion_from_json(path, content["distortion"])
    if not any(line.quantity == QUANTITY for line in lines):
        lines = (*lines, distortion_line(distortion, "camera file"))
    return CalibratedCamera(camera, lines, distortion)


def _numbers_of(camera: Camera) -> tuple[Provenance, ...]:
    """One line for each number of a camera file that does not say where it has them from."""
    origin = "camera file"
    lines = [Provenance("image size", f"{camera.size[0]} rows × {camera.size[1]} columns", origin)]
    if isinstance(camera, PinholeCamera):
        K, spacing = camera.intrinsic, camera.pixel_spacing
        value = f"focal length {K[0, 0]:.6g} × {K[1, 1]:.6g} px, principal point ({K[0, 2]:.6g}, {K[1, 2]:.6g}) px"
        lines.append(Provenance("camera matrix", value, origin))
        if spacing is not None:
            lines.append(Provenance("pixel spacing at the detector", f"{spacing[0]:g}, {spacing[1]:g} mm", origin))
            lines.append(Provenance("source-detector distance", f"{camera.source_detector_distance:.6g} mm", origin))
        source = ", ".join(f"{c:.6g}" for c in np.round(camera.source, 6) + 0.0)
        lines.append(Provenance("source", f"({source}) mm, RAS", origin))
    elif isinstance(camera, ScanningSlitCamera):
        spacing = camera.pixel_spacing
        lines.append(Provenance("pixel spacing at the isocentre", f"{spacing[0]:g}, {spacing[1]:g} mm", origin))
        lines.append(Provenance("source-object distance", f"{camera.source_object_distance:g} mm", origin))
        lines.append(Provenance("source-detector distance", f"{camera.source_detector_distance:g} mm", origin))
    return tuple(lines)
