"""Landmarks of an X-ray as files: a table, JSON, and markups for 3D Slicer in the camera's frame."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.command_line.output import finite
from DiffRegistrationLib.xray.files.atomic import written_together
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64

from ..atlas.definitions import skull_landmarks
from ..atlas.landmark_files import write_landmarks
from ..atlas.landmark_set import LandmarkSet, LandmarkStatus
from .landmark_detections import LandmarkDetections

_IN_CAMERA = ("camera_x_mm", "camera_y_mm", "camera_z_mm")
_COLUMNS = ("name", "abbreviation", "u_px", "v_px", "uncertainty_mm", "in_image", "visibility", *_IN_CAMERA)


def detections_as_dict(found: LandmarkDetections) -> dict[str, Any]:
    """All that was found in one X-ray, for JSON; points are in the camera's frame (mm)."""
    return {
        "sure": found.is_sure,
        "words": found.words,
        "registered": found.is_registered,
        "fitted": found.is_fitted,
        "depth_told_mm": found.depth_told_mm,
        "misfit": found.misfit,
        "mm_per_pixel": found.mm_per_pixel,
        "landmarks": [
            {
                "name": name,
                "pixel": found.pixels[n].tolist(),
                "pixel_covariance": found.pixel_covariance[n].tolist(),
                "camera_point": found.camera_points[n].tolist(),
                "camera_covariance": found.camera_covariance[n].tolist(),
                "in_image": bool(found.is_in_image[n]),
                "visibility": float(found.visibility[n]),
            }
            for n, name in enumerate(found.names)
        ],
    }


def world_landmarks(found: LandmarkDetections, camera_from_world: Float64[np.ndarray, "4 4"]) -> LandmarkSet:
    """The landmarks in space, in the world's frame (RAS mm)."""
    points = rigid.transform_points(rigid.inverse(camera_from_world), np.nan_to_num(found.camera_points))
    known = np.isfinite(found.camera_points).all(axis=1)
    deviation = np.sqrt(np.trace(found.camera_covariance, axis1=1, axis2=2) / 3)
    return LandmarkSet(
        found.names,
        np.where(known[:, None], points, np.nan),
        deviation,
        tuple(LandmarkStatus.TRANSFERRED if k else LandmarkStatus.UNKNOWN for k in known),
    )


def write_detections(
    folder: Path, view: int, found: LandmarkDetections, camera_from_world: Float64[np.ndarray, "4 4"]
) -> None:
    """Write landmarks-VIEW.csv, .json and .mrk.json (in space, RAS), all or none."""
    stem = f"landmarks-{view}"
    with written_together(folder) as temporary:
        with (temporary / f"{stem}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            for n, name in enumerate(found.names):
                numbers = (*found.pixels[n], found.uncertainty_mm[n])
                writer.writerow(
                    (
                        name,
                        skull_landmarks().definition(name).abbreviation,
                        *(f"{value:.3f}" for value in numbers),
                        "yes" if found.is_in_image[n] else "no",
                        f"{found.visibility[n]:.3f}",
                        *(f"{value:.2f}" for value in found.camera_points[n]),
                    )
                )
        text = json.dumps(finite(detections_as_dict(found)), indent=1, allow_nan=False)
        (temporary / f"{stem}.json").write_text(text, encoding="utf-8")
        write_landmarks(temporary / f"{stem}.mrk.json", world_landmarks(found, camera_from_world))
