"""The real X-ray: a skull's lateral localizer, and its CT in the same frame, whose landmarks are carried over."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.sample_data import sample
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.geometry import ScanningSlitCamera
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from ..atlas.head import template_head
from ..atlas.landmark_set import LandmarkSet
from ..atlas.transfer import transferred
from ..detection.detector import detect
from ..detection.landmark_detections import LandmarkDetections
from ..detection.template_refinement import refined_by_template
from ..detection.translated_detection import detect_through
from ..network.model_file import TrainedDetector
from ..style.translated_xray import translated_xray
from ..style.translation_file import Translation

WITHIN_MM = 10.0


@dataclass(frozen=True, eq=False)
class ScoutFigures:
    """Distances (mm at the isocentre) of detected from carried landmarks, which a slit shows in both directions.

    NaN for landmarks that the CT does not show. The carried ones are themselves good to some millimetres.
    """

    found: LandmarkDetections
    carried_pixels: Float64[np.ndarray, "n 2"]
    errors_mm: Float64[np.ndarray, "n"]

    @property
    def mean_mm(self) -> float:
        """Mean radial error."""
        return float(np.nanmean(self.errors_mm))

    @property
    def within(self) -> float:
        """Part within 10 mm."""
        known = self.errors_mm[np.isfinite(self.errors_mm)]
        return float((known <= WITHIN_MM).mean())


def scout_figures(
    trained: TrainedDetector,
    translation: Translation | None = None,
    *,
    with_template: bool = False,
    translated_alone: bool = False,
) -> ScoutFigures:
    """The scout's landmarks, found in it through a `translation` if there is one, against those of its CT;
    `with_template` those of a template that is laid over it from there, `translated_alone` those that even a network
    of many looks finds in the translated scout.

    InputError, which says how to get it, without the data.
    """
    radiograph, carried = _scout()
    if translation is not None and translated_alone:
        found = detect(trained, translated_xray(translation, radiograph), with_less_likely=with_template)
    else:
        found = detect_through(translation, trained, radiograph, with_less_likely=with_template)
    if with_template:
        found = refined_by_template(found, radiograph)
    camera = radiograph.camera
    assert isinstance(camera, ScanningSlitCamera)
    there = carried.is_in_ct & carried.is_known
    pixels = np.full((len(there), 2), np.nan)
    # Both are in the scanner's frame.
    pixels[there] = camera.project(carried.points[there])
    pitch = np.array(camera.pixel_spacing)[::-1]
    errors = np.linalg.norm((found.pixels - pixels) * pitch, axis=1)
    return ScoutFigures(found, pixels, errors)


@cache
def _scout() -> tuple[Radiograph, LandmarkSet]:
    """The scout, and the template's landmarks carried to its CT."""
    radiograph = XrayFile(sample("skull-phantom-scout")).read()
    return radiograph, transferred(template_head(), read_ct(sample("skull-phantom-ct"))).landmarks
