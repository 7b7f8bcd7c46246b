"""The real X-ray: a skull's lateral localizer, and its CT in the same frame, whose landmarks are carried over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.sample_data import sample
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.geometry import ScanningSlitCamera
from jaxtyping import Float64

from ..atlas.head import template_head
from ..atlas.transfer import transferred
from ..detection.landmark_detections import LandmarkDetections
from ..detection.template_refinement import refined_by_template
from ..detection.translated_detection import detect_through
from ..network.model_file import TrainedDetector
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
    trained: TrainedDetector, translation: Translation | None = None, *, with_template: bool = False
) -> ScoutFigures:
    """The scout's landmarks, found in it through a `translation` if there is one, against those of its CT;
    `with_template` those of a template that is laid over it from there.

    InputError, which says how to get it, without the data.
    """
    radiograph = XrayFile(sample("skull-phantom-scout")).read()
    carried = transferred(template_head(), read_ct(sample("skull-phantom-ct"))).landmarks
    found = detect_through(translation, trained, radiograph)
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
