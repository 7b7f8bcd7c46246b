"""An X-ray seen in a mirror: a head in it is a head, too, its sides exchanged, and found at the mirrored places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from DiffRegistrationLib.xray.geometry import Camera, PinholeCamera, ScanningSlitCamera
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..atlas.definitions import skull_landmarks
from .landmark_detections import LandmarkDetections


def mirrored(radiograph: Radiograph) -> Radiograph:
    """The X-ray with its columns in reverse, and the camera that sees a mirrored patient so."""
    return replace(
        radiograph,
        attenuation=np.ascontiguousarray(radiograph.attenuation[:, ::-1]),
        mask=np.ascontiguousarray(radiograph.mask[:, ::-1]),
        camera=_mirrored(radiograph.camera),
    )


def apart_in_mirror_mm(found: LandmarkDetections, in_mirror: LandmarkDetections, columns: int) -> float:
    """Median distance (mm at the head) of landmarks found in an X-ray with so many columns from those that are found
    in its mirror image, mirrored back.
    """
    back = in_mirror.pixels[skull_landmarks().partners]
    back[:, 0] = columns - 1 - back[:, 0]
    return float(np.nanmedian(np.linalg.norm(found.pixels - back, axis=1)) * found.mm_per_pixel)


def _mirrored(camera: Camera) -> Camera:
    last = camera.size[1] - 1
    if isinstance(camera, PinholeCamera):
        K = camera.intrinsic.copy()
        K[0, 1], K[0, 2] = -K[0, 1], last - K[0, 2]
        return replace(camera, intrinsic=K)
    assert isinstance(camera, ScanningSlitCamera)
    return replace(camera, centre=(last - camera.centre[0], camera.centre[1]))
