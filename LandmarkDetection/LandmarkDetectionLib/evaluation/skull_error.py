"""How far the skull that detected landmarks make lies from the head's own."""

from __future__ import annotations

from functools import partial

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid

from ..atlas.head import Head
from ..detection.landmark_detections import LandmarkDetections
from ..detection.skull import skull_of, skull_template, usual_template
from ..skull_shape.extraction import skull_surface
from ..skull_shape.shape_model import SkullTemplate
from ..skull_shape.surface_distance import SurfaceDistance, surface_distance
from .simulated_cases import LandmarkCase


class SkullError:
    """Distances from warped skulls to true ones; for a `patient` its own skull is what is warped, else the template.

    InputError without VTK.
    """

    def __init__(self, patient: Head | None) -> None:
        self._own: SkullTemplate | None = None if patient is None else skull_template(patient)

    def __call__(self, case: LandmarkCase, head: Head, found: LandmarkDetections) -> SurfaceDistance:
        """From the skull of what was `found` in the case's X-ray, at its known depth, to that of its `head` (mm)."""
        own = self._own
        true = skull_surface(head.ct) if own is None else own.surface
        # The camera's frame is the cases' world.
        warped = skull_of(found, np.eye(4), own or usual_template())
        return surface_distance(warped.surface, true.carried(partial(rigid.transform_points, case.camera_from_ct)))
