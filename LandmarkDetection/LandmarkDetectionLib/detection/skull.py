"""The skull that landmarks found in an X-ray belong to: the template's, warped to them."""

from __future__ import annotations

from functools import cache

import numpy as np
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64

from ..atlas.head import Head, template_head
from ..skull_shape.extraction import skull_surface
from ..skull_shape.instantiation import SkullShape, skull_from_landmarks
from ..skull_shape.measured_landmarks import MeasuredLandmarks
from ..skull_shape.shape_model import SkullTemplate
from .landmark_detections import LandmarkDetections


def skull_template(head: Head) -> SkullTemplate:
    """A head's landmarks and the surface of its bone. InputError without VTK."""
    return SkullTemplate(head.landmarks.names, head.landmarks.points, skull_surface(head.ct))


@cache
def usual_template() -> SkullTemplate:
    """That of the template that landmarks are carried from; made once, which takes seconds."""
    return skull_template(template_head())


def skull_of(
    found: LandmarkDetections, camera_from_world: Float64[np.ndarray, "4 4"], template: SkullTemplate
) -> SkullShape:
    """The skull in the world's frame (RAS mm), with how sure each part of it is.

    InputError where fewer than four of its landmarks are known in space.
    """
    known = np.isfinite(found.camera_points).all(axis=1)
    world_from_camera = rigid.inverse(camera_from_world)
    points = rigid.transform_points(world_from_camera, np.where(known[:, None], found.camera_points, 0.0))
    turn = world_from_camera[:3, :3]
    covariance = np.einsum("ij,njk,lk->nil", turn, found.camera_covariance, turn)
    return skull_from_landmarks(
        template, MeasuredLandmarks(found.names, np.where(known[:, None], points, np.nan), covariance)
    )
