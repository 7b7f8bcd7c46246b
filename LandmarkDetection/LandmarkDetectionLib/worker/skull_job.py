"""The job that warps the template's skull to landmarks that were found."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.worker.job_files import read_radiograph
from DiffRegistrationLib.worker.messages import Progress, Tell
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import check_file_for_writing

from ..atlas.definitions import skull_landmarks
from ..detection.landmark_run import run_from_text
from ..detection.skull import skull_of, usual_template
from ..detection.standing_camera import standing_for
from ..skull_shape.instantiation import SkullShape, skull_from_landmarks
from ..skull_shape.measured_landmarks import MeasuredLandmarks
from ..skull_shape.vtk_surfaces import write_surface
from .job import SkullJob

_REMEDY = "Find the landmarks again."


def run(job: SkullJob, tell: Tell) -> dict[str, Any]:
    """Warp it. The content: surface (path, with StandardDeviationMm at each vertex) and mean_std_mm (over the area).

    InputError for too few landmarks, without VTK, and for inputs that are missing or damaged.
    """
    check_file_for_writing(job.out)
    tell(Progress(job.id, 0.0, words="Preparing the template's skull…"))
    skull = _of_points(job.points) if job.points is not None else _of_view(job)
    tell(Progress(job.id, 0.9, words="Writing the skull…"))
    write_surface(job.out, skull.surface, {"StandardDeviationMm": skull.vertex_std_mm})
    mean = np.average(skull.vertex_std_mm, weights=skull.surface.vertex_areas)
    return {"surface": str(job.out), "mean_std_mm": float(mean)}


def _of_view(job: SkullJob) -> SkullShape:
    """The skull of what was found in one view of one frame."""
    if job.run is None:
        raise InputError("landmarks", "none were given", _REMEDY)
    try:
        text = job.run.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(job.run, "is no text", _REMEDY) from None
    run = run_from_text(text, job.run)
    found = run.at(job.frame, job.view) if 0 <= job.view < run.views else None
    if found is None:
        raise InputError(
            f"frame {job.frame}, view {job.view + 1}", "has no landmarks", "Choose a frame in which they were found."
        )
    camera = standing_for(read_radiograph(job.folder, 0).camera)
    return skull_of(found, camera.camera_from_world, usual_template())


def _of_points(path: Path) -> SkullShape:
    """The skull of points in space."""
    try:
        with np.load(path, allow_pickle=False) as content:
            measured = MeasuredLandmarks(skull_landmarks().names, content["points"], content["covariance"])
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(path, "holds no points of all landmarks with their covariances", _REMEDY) from error
    return skull_from_landmarks(usual_template(), measured)
