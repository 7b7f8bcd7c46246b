"""Skulls as phantoms and collections hold them: bone alone, and often without the jaw and the neck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from DiffRegistrationLib.xray.attenuation import attenuation_from_hounsfield
from DiffRegistrationLib.xray.geometry import rigid

from ..atlas.head import Head
from ..atlas.head_frame import ct_from_head
from ..atlas.landmark_set import LandmarkSet, LandmarkStatus

_BONE_ABOVE_HOUNSFIELD = 150.0
_SOFT = ("eye lens right", "eye lens left")
# In the Frankfurt frame (mm): behind this y the neck begins at the first height, before it the jaw at the second.
_BEFORE_NECK_MM, _NECK_MM, _JAW_MM = 30.0, -33.0, -57.0


def dry_skull(head: Head) -> Head:
    """The bone of a head alone; where the eyes were is not known any more."""
    bone = np.float32(attenuation_from_hounsfield(np.array([_BONE_ABOVE_HOUNSFIELD]))[0])
    attenuation = np.where(head.ct.attenuation > bone, head.ct.attenuation, np.float32(0))
    gone = np.array([name in _SOFT for name in head.landmarks.names])
    return Head(f"{head.name}, dry", replace(head.ct, attenuation=attenuation), _outside(head.landmarks, gone))


def without_jaw(head: Head) -> Head:
    """A head cut off below the skull's base and the upper teeth."""
    ct, frame = head.ct, rigid.inverse(ct_from_head(head.landmarks))
    to_head = frame @ ct.ct_from_voxel
    k, j, i = np.ogrid[tuple(slice(n) for n in ct.attenuation.shape)]
    y, z = (to_head[row, 0] * i + to_head[row, 1] * j + to_head[row, 2] * k + to_head[row, 3] for row in (1, 2))
    kept = _is_kept(y, z)
    points = rigid.transform_points(frame, np.nan_to_num(head.landmarks.points))
    gone = ~_is_kept(points[:, 1], points[:, 2]) | np.array([_is_of_jaw(name) for name in head.landmarks.names])
    attenuation = np.where(kept, ct.attenuation, np.float32(0))
    return Head(f"{head.name}, cut off", replace(ct, attenuation=attenuation), _outside(head.landmarks, gone))


def _is_kept(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.asarray(z > np.where(y < _BEFORE_NECK_MM, _NECK_MM, _JAW_MM))


def _is_of_jaw(name: str) -> bool:
    return name.startswith(("condylion", "coronoid tip", "gonion", "lower"))


def _outside(landmarks: LandmarkSet, gone: np.ndarray) -> LandmarkSet:
    status = tuple(
        LandmarkStatus.OUTSIDE if is_gone and known else one
        for one, is_gone, known in zip(landmarks.status, gone, landmarks.is_known, strict=True)
    )
    return LandmarkSet(landmarks.names, landmarks.points, landmarks.uncertainty_mm, status)
