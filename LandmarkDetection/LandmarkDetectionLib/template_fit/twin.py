"""The other place in which a head casts nearly the same X-ray.

X-rays do not tell what lies in front from what lies behind, and heads are nearly symmetric: mirrored in depth and in
its own middle plane a head is a head again, turned otherwise. Seen from the side it leans the other way; seen from the
front it is seen from behind. Only perspective tells the two apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from DiffRegistrationLib.xray.geometry import Camera

from .placed_template import PlacedTemplate

# The head's middle plane is x = 0 of its frame.
_ACROSS = np.diag([-1.0, 1.0, 1.0])


def twin(placed: PlacedTemplate, camera: Camera) -> PlacedTemplate:
    """In its usual shape, about the same middle."""
    middle, source = placed.middle_and_source(camera)
    along = (middle - source) / np.linalg.norm(middle - source)
    in_depth = np.eye(3) - 2 * np.outer(along, along)
    pose = np.eye(4)
    pose[:3, :3] = in_depth @ placed.world_from_head[:3, :3] @ _ACROSS
    pose[:3, 3] = middle + in_depth @ (placed.world_from_head[:3, 3] - middle)
    return replace(placed, world_from_head=pose, shape=placed.template.usual_shape)
