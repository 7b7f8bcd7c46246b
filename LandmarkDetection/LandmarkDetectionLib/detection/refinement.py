"""Where the head's CT is at hand: it is registered from what the network found, and its landmarks are shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from DiffRegistrationLib.registration.quality import WHOLE
from DiffRegistrationLib.registration.registration import register
from DiffRegistrationLib.registration.result import RegistrationResult, Verdict
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..atlas.landmark_set import LandmarkSet
from .head_in_place import with_head_in_place
from .landmark_detections import LandmarkDetections
from .registration_start import start_of

_REACH_MM = 50.0
# What agrees with a network: so many seen landmarks, typically this sharp, within so many standard deviations.
_FEWEST_SEEN, _SHARP_MM, _AGREEING = 8, 8.0, 1.7


@dataclass(frozen=True, eq=False)
class KnownHead:
    """The CT of the head that X-rays show, and its landmarks."""

    projector: Projector
    landmarks: LandmarkSet


def refined(found: LandmarkDetections, head: KnownHead, radiograph: Radiograph) -> LandmarkDetections:
    """The CT's landmarks in `radiograph`, where the CT could be registered from those `found`; else those as they are.

    An accepted registration counts, and a doubtful one whose edges agree and that brings the landmarks to where the
    network, which knows nothing of it, is sure to have found them. Landmarks that the CT does not show stay as they
    were found.
    """
    ct = head.projector.ct
    try:
        start = start_of([found], head.landmarks, ct, [radiograph])
    except InputError:
        # Too few were found where the CT has any.
        return found
    # Farther off the CT may look like an X-ray of a small part of it, too.
    start = replace(start, reach_mm=min(start.reach_mm, _REACH_MM))
    result = register(head.projector, [radiograph], start, wants_drrs=False)
    shown = _shown(found, head.landmarks.named(found.names), result, radiograph)
    edges_agree = result.views[0].agreement >= WHOLE.accepted
    if result.verdict == Verdict.ACCEPTED or (
        result.verdict == Verdict.DOUBTFUL and edges_agree and _agree(found, shown)
    ):
        return shown
    return found


def _agree(found: LandmarkDetections, shown: LandmarkDetections) -> bool:
    """Whether landmarks that are seen lie where they were found, and that was said to be sharp."""
    seen = (found.visibility > 0.5) & np.isfinite(found.pixels).all(axis=1)
    if not found.is_sure or np.count_nonzero(seen) < _FEWEST_SEEN:
        return False
    off = (shown.pixels - found.pixels)[seen]
    covariance = found.pixel_covariance[seen]
    deviations = np.sqrt(np.einsum("ni,nij,nj->n", off, np.linalg.inv(covariance), off))
    sharp = float(np.median(found.uncertainty_mm[seen])) < _SHARP_MM
    return sharp and float(np.median(deviations)) < _AGREEING


def _shown(
    found: LandmarkDetections, landmarks: LandmarkSet, result: RegistrationResult, radiograph: Radiograph
) -> LandmarkDetections:
    there = landmarks.is_known & landmarks.is_in_ct
    world = rigid.transform_points(result.pose, landmarks.points[there])
    J = np.zeros((len(world), 3, 6))
    for axis in range(3):
        J[:, :, axis] = np.cross(np.eye(3)[axis], world - result.centre)
        J[:, axis, 3 + axis] = 1
    placed = np.nan_to_num(landmarks.uncertainty_mm[there]) ** 2
    covariance = np.einsum("nik,kl,njl->nij", J, result.covariance, J) + placed[:, None, None] * np.eye(3)
    shown = with_head_in_place(found, there, world, covariance, radiograph)
    return replace(shown, is_sure=True, words="", is_registered=True)
