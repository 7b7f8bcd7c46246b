"""Parts of a head's surface by name, from its landmarks.

Seen from the side, in the Frankfurt frame, lines from landmark to landmark divide the head: from the ear to the
glabella, below it the face; from the ear to the anterior nasal spine (Camper's line), below it jaw and teeth; and from
the chin over the jaw's angle and the mastoid to the inion, below it the neck. What lies behind the ear and above the
neck is the brain case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from jaxtyping import Float64, Int64

from ..atlas.head_frame import ct_from_head
from ..atlas.landmark_set import LandmarkSet

REGIONS = ("brain case", "face", "jaw and teeth", "neck")


@dataclass(frozen=True, eq=False)
class HeadRegions:
    """Names, and for each vertex of a surface the number of its region among them."""

    names: tuple[str, ...]
    of_vertex: Int64[np.ndarray, "n"]


def head_regions(vertices: Float64[np.ndarray, "n 3"], landmarks: LandmarkSet) -> HeadRegions:
    """The regions of a head's vertices (mm, the landmarks' frame). InputError where a landmark for them is unknown."""
    head_from_ct = rigid.inverse(ct_from_head(landmarks))
    glabella, spine, chin, inion = (
        _mean(landmarks, head_from_ct, (name,)) for name in ("glabella", "anterior nasal spine", "menton", "inion")
    )
    angle, mastoid = (
        _mean(landmarks, head_from_ct, (f"{name} right", f"{name} left")) for name in ("gonion", "mastoid tip")
    )
    y, z = rigid.transform_points(head_from_ct, vertices)[:, 1:].T
    border = np.array([inion, mastoid, angle, chin])
    below = z < np.interp(y, border[:, 0], border[:, 1])
    front = y > 0
    above_eyes = z > y * glabella[1] / glabella[0]
    above_mouth = z > y * spine[1] / spine[0]
    region = np.zeros(len(vertices), dtype=np.int64)
    region[front & ~above_eyes] = 1
    region[front & ~above_mouth] = 2
    region[below] = 3
    return HeadRegions(REGIONS, region)


def _mean(
    landmarks: LandmarkSet, head_from_ct: Float64[np.ndarray, "4 4"], names: tuple[str, ...]
) -> Float64[np.ndarray, "2"]:
    """(y, z) in the head's frame of a landmark, or of the middle of those of a pair that are known."""
    points = landmarks.named(names)
    known = points.points[points.is_known]
    if not len(known):
        raise InputError(
            "landmarks", f"{' and '.join(names)} not known", "Place it, or find the others with the skull's shape."
        )
    return rigid.transform_points(head_from_ct, known).mean(axis=0)[1:]
