"""Landmarks of X-ray files, from files to files: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import check_folder_for_writing
from DiffRegistrationLib.xray.files.ct_files import read_ct
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Float64

from ..network.model_file import TrainedDetector, read_detector
from ..skull_shape.vtk_surfaces import write_surface
from ..style.translation_file import read_translation
from .detection_files import write_detections
from .landmark_detections import LandmarkDetections
from .landmark_report import write_landmark_report
from .refinement import KnownHead, refined
from .registration_start import landmarks_of_ct
from .skull import skull_of, usual_template
from .standing_camera import standing_for
from .template_refinement import refined_by_template
from .translated_detection import detect_through


@dataclass(frozen=True, eq=False)
class DetectedView:
    """An X-ray and its landmarks."""

    name: str
    radiograph: Radiograph
    found: LandmarkDetections

    @property
    def camera_from_world(self) -> Float64[np.ndarray, "4 4"]:
        """Of the frame that the points found are given in."""
        return standing_for(self.radiograph.camera).camera_from_world


def detect_files(
    model: Path,
    xrays: Sequence[Path | XrayFile],
    *,
    output: Path,
    ct: Path | None = None,
    landmarks: Path | None = None,
    style: Path | None = None,
    depth_mm: float | None = None,
    with_template: bool = False,
    with_skull: bool = False,
) -> list[DetectedView]:
    """Find the landmarks of each X-ray and write landmarks-1.csv, .json and .mrk.json … and report.html to `output`;
    `with_skull` also skull-1.vtp and .stl …, the template's skull warped to them (RAS mm of the X-ray's world).

    Given the head's `ct`, it is registered from what the network found, and landmarks are shown where the CT has them:
    those in the file `landmarks`, or those that the network knows, or the template's, carried over. Without a CT,
    `with_template` lays a template head over each X-ray from there, deformed as heads differ. The network sees the
    X-rays through the translation in the file `style`, as `detect_through`. `depth_mm` is the distance of the head's
    middle from the source along the beam, where it is known. InputError says what is wrong and what to do; bad input
    leaves nothing behind.
    """
    files = [xray if isinstance(xray, XrayFile) else XrayFile(Path(xray)) for xray in xrays]
    if not files:
        raise InputError("X-rays", "none was given", "Give at least one X-ray image.")
    trained = read_detector(model)
    translation = None if style is None else read_translation(style)
    check_folder_for_writing(output)
    if ct is None and landmarks is not None:
        raise InputError(landmarks, "was given without the CT that it belongs to", "Give the CT, too.")
    if with_template and (ct is not None or trained.is_of_patient):
        problem = "a CT was given" if ct is not None else f"{model.name} knows one patient's head"
        raise InputError("template", f"{problem}, for which a template cannot stand", "Give that CT alone.")
    known = None if ct is None else _known_head(ct, landmarks, trained, model)
    views = []
    for number, file in enumerate(files, start=1):
        radiograph = file.read()
        found = detect_through(translation, trained, radiograph, depth_mm, with_less_likely=with_template)
        if known is not None:
            found = refined(found, known, radiograph)
        elif with_template:
            found = refined_by_template(found, radiograph, depth_mm)
        views.append(DetectedView(f"View {number}", radiograph, found))
    skulls = []
    if with_skull:
        template = usual_template()
        skulls = [skull_of(view.found, view.camera_from_world, template) for view in views]
    for number, view in enumerate(views, start=1):
        write_detections(output, number, view.found, view.camera_from_world)
    for number, skull in enumerate(skulls, start=1):
        write_surface(output / f"skull-{number}.vtp", skull.surface, {"StandardDeviationMm": skull.vertex_std_mm})
        write_surface(output / f"skull-{number}.stl", skull.surface)
    write_landmark_report(output / "report.html", views, trained)
    return views


def _known_head(path: Path, landmarks: Path | None, trained: TrainedDetector, model: Path) -> KnownHead:
    ct = read_ct(path)
    trained.check_knows(ct, model)
    return KnownHead(Projector(ct), landmarks_of_ct(trained, landmarks)(ct))
