"""Landmarks found through a translation, which gives X-rays the look of DRRs."""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..network.model_file import TrainedDetector
from ..style.translated_xray import translated_xray
from ..style.translation_file import Translation
from .detector import detect
from .landmark_detections import LandmarkDetections


def detect_through(
    translation: Translation | None,
    trained: TrainedDetector,
    radiograph: Radiograph,
    depth_mm: float | None = None,
    *,
    with_less_likely: bool = False,
) -> LandmarkDetections:
    """As `detect`; with a `translation` what the network finds in the translated X-ray.

    A network that knows many looks is shown the X-ray as it is, too, and what it is surer of counts: a translation
    that was learnt from other X-rays may spoil this one. One of DRRs alone does not know what it does not know.
    """
    if translation is None:
        return detect(trained, radiograph, depth_mm, with_less_likely=with_less_likely)
    found = detect(trained, translated_xray(translation, radiograph), depth_mm, with_less_likely=with_less_likely)
    if trained.knows_drrs_alone:
        return found
    as_it_is = detect(trained, radiograph, depth_mm, with_less_likely=with_less_likely)
    return min(found, as_it_is, key=_doubt)


def _doubt(found: LandmarkDetections) -> tuple[bool, float]:
    """How far off the seen landmarks expect to be (mm), more where they do not lie as a head's."""
    seen = found.visibility > 0.5
    typical = float(np.nanmedian(found.uncertainty_mm[seen])) if seen.any() else np.inf
    return not found.is_sure, typical * max(1.0, found.misfit)
