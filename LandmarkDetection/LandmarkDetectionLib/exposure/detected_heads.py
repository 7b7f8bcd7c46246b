"""What X-rays shone on where no CT is at hand: the template's skin, warped to the landmarks found in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..atlas.head import Head, template_head
from ..detection.landmark_detections import LandmarkDetections
from ..detection.skull import skull_of
from ..detection.standing_camera import standing_for
from ..skull_shape.extraction import skin_surface
from ..skull_shape.shape_model import SkullTemplate
from .beam import amounts, beam_of
from .head_exposure import HeadExposure, head_exposure
from .head_regions import head_regions
from .point_organs import point_organs


@dataclass(frozen=True, eq=False)
class SeenHead:
    """A frame, its landmarks, and for how much it counts."""

    name: str
    radiograph: Radiograph
    found: LandmarkDetections
    seconds: float = 1.0
    mas: float | None = None


def skin_template(head: Head) -> SkullTemplate:
    """A head's landmarks and its skin. InputError without VTK."""
    return SkullTemplate(head.landmarks.names, head.landmarks.points, skin_surface(head.ct))


@cache
def _usual() -> tuple[Head, SkullTemplate]:
    head = template_head()
    return head, skin_template(head)


def exposure_of_detections(frames: Sequence[SeenHead], head: Head | None = None) -> HeadExposure:
    """All frames on one skin, that of the template (or `head`): its vertices are the same places of every head.

    Frames whose landmarks lie as those of no head are left out. InputError where none is left.
    """
    head, template = _usual() if head is None else (head, skin_template(head))
    sure = [frame for frame in frames if frame.found.is_sure]
    if not sure:
        raise InputError(
            "X-rays", "none shows a head as the network knows them", "Give X-rays of heads, or a CT and poses."
        )
    regions = head_regions(template.surface.vertices, head.landmarks)
    parts = []
    # All in the same unit: seconds and mAs cannot be added.
    all_tell_mas = all(frame.mas is not None for frame in sure)
    for frame in sure:
        mas = frame.mas if all_tell_mas else None
        shape = skull_of(frame.found, standing_for(frame.radiograph.camera).camera_from_world, template)
        # The warped head lies in the world already.
        beam = beam_of(frame.name, frame.radiograph, np.eye(4), seconds=frame.seconds, mas=mas)
        parts.append((beam, head_exposure(shape.surface, regions, point_organs(shape.landmarks), [beam])))
    unit, _ = amounts([beam for beam, _ in parts])
    exposures = [exposure for _, exposure in parts]
    return HeadExposure(
        template.surface,
        regions,
        point_organs(head.landmarks),
        unit,
        np.sum([one.entrance for one in exposures], axis=0),
        np.sum([one.behind for one in exposures], axis=0),
        tuple(beam for one in exposures for beam in one.beams),
    )
