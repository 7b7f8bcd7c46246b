"""Landmarks of CTs and X-rays as a registration takes them: by their names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from DiffRegistrationLib.registration.landmark_start import CTLandmarks, SeenLandmarks

from ..atlas.landmark_set import LandmarkSet
from .landmark_detections import LandmarkDetections


def known_in(landmarks: LandmarkSet) -> CTLandmarks:
    """Those that their CT shows."""
    usable = landmarks.is_known & landmarks.is_in_ct
    names = tuple(name for name, use in zip(landmarks.names, usable, strict=True) if use)
    return CTLandmarks(names, landmarks.points[usable], landmarks.uncertainty_mm[usable])


def seen_in(views: Sequence[LandmarkDetections], switched_off: Sequence[Collection[str]] = ()) -> list[SeenLandmarks]:
    """What a pose is made of: what the network itself says of each view, but of landmarks that are switched off there;
    of a view in which the CT was registered where that has them.

    Places that the shape of heads brought together err together. Where no view is sure, what they say may still be
    right: the solver's verdict will tell.
    """
    none_is_sure = not any(found.is_sure for found in views)
    off = switched_off or [()] * len(views)
    return [
        SeenLandmarks(
            found.names,
            found.pixels if found.is_registered else found.network_pixels,
            found.pixel_covariance if found.is_registered else found.network_covariance,
            np.where(np.isin(found.names, list(names)), 0.0, found.visibility * (found.is_sure or none_is_sure)),
        )
        for found, names in zip(views, off, strict=True)
    ]
