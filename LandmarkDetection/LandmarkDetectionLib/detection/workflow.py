"""Landmarks of X-ray files, from files to files: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import check_folder_for_writing
from DiffRegistrationLib.xray.files.xray_with_geometry import XrayFile
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..network.model_file import read_detector
from ..skull_shape.vtk_surfaces import write_surface
from .detection_files import write_detections
from .detector import detect
from .landmark_detections import LandmarkDetections
from .landmark_report import write_landmark_report
from .skull import skull_of, usual_template


@dataclass(frozen=True, eq=False)
class DetectedView:
    """An X-ray and its landmarks."""

    name: str
    radiograph: Radiograph
    found: LandmarkDetections


def detect_files(
    model: Path, xrays: Sequence[Path | XrayFile], *, output: Path, with_skull: bool = False
) -> list[DetectedView]:
    """Find the landmarks of each X-ray and write landmarks-1.csv, .json and .mrk.json … and report.html to `output`;
    `with_skull` also skull-1.vtp and .stl …, the template's skull warped to them (RAS mm of the X-ray's world).

    InputError says what is wrong and what to do; bad input leaves nothing behind.
    """
    files = [xray if isinstance(xray, XrayFile) else XrayFile(Path(xray)) for xray in xrays]
    if not files:
        raise InputError("X-rays", "none was given", "Give at least one X-ray image.")
    trained = read_detector(model)
    check_folder_for_writing(output)
    views = []
    for number, file in enumerate(files, start=1):
        radiograph = file.read()
        views.append(DetectedView(f"View {number}", radiograph, detect(trained, radiograph)))
    skulls = []
    if with_skull:
        template = usual_template()
        skulls = [skull_of(view.found, view.radiograph.camera.camera_from_world, template) for view in views]
    for number, view in enumerate(views, start=1):
        write_detections(output, number, view.found, view.radiograph.camera.camera_from_world)
    for number, skull in enumerate(skulls, start=1):
        write_surface(output / f"skull-{number}.vtp", skull.surface, {"StandardDeviationMm": skull.vertex_std_mm})
        write_surface(output / f"skull-{number}.stl", skull.surface)
    write_landmark_report(output / "report.html", views, trained)
    return views
