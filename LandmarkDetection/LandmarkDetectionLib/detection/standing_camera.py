"""The pinhole camera in whose frame points are given that were found in an X-ray, scanning ones included."""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.xray.geometry import Camera, PinholeCamera, ScanningSlitCamera


def standing_for(camera: Camera) -> PinholeCamera:
    """The camera itself; for a scanning one the pinhole camera that shows the same at the isocentre."""
    if isinstance(camera, PinholeCamera):
        return camera
    assert isinstance(camera, ScanningSlitCamera)
    focal = camera.source_object_distance / np.array(camera.pixel_spacing)
    middle = (camera.size[0] - 1) / 2
    K = np.array([[focal[1], 0, camera.centre[0]], [0, focal[0], middle], [0, 0, 1.0]])
    # Its source travels; the one in the middle stands for all.
    shift = np.eye(4)
    shift[1, 3] = (camera.centre[1] - middle) * camera.pixel_spacing[0]
    return PinholeCamera(K, shift @ camera.camera_from_world, camera.size)
