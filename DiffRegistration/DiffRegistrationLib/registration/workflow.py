"""A registration from files to files: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write, check_folder_for_writing, written_together
from ..xray.files.camera_files import read_camera
from ..xray.files.camera_json import write_camera
from ..xray.files.ct_files import frame_of_reference, read_ct
from ..xray.files.radiograph_files import write_image
from ..xray.files.transform_files import write_pose
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry.lens_distortion import LensDistortion
from ..xray.projector.accelerated_projector import projector_on
from ..xray.radiograph import Radiograph
from .calibration_prior import CalibrationPrior
from .calibration_refinement import RecalibratedResult, RefinedCalibration, recalibrated
from .inputs import (
    check_in_view,
    check_pixels,
    check_shared_world,
    check_spares,
    check_weights,
    start_file,
    told_apart,
)
from .registration import DEFAULT_SIMILARITY, Watch
from .result import RegistrationResult, Verdict
from .similarity import check_similarity
from .sound_views import register_sound_views
from .starts import START_NAMES, start_from_name


def register_files(
    ct: Path,
    xrays: Sequence[Path | XrayFile],
    *,
    output: Path,
    start: str = "auto",
    landmarks: Path | None = None,
    series: str | None = None,
    similarity: str = DEFAULT_SIMILARITY,
    weights: Sequence[float] | None = None,
    refine_calibration: CalibrationPrior | None = None,
    device: str = "cpu",
    watch: Watch | None = None,
) -> RegistrationResult:
    """Register the CT at `ct` (file or DICOM folder) to X-ray files and write everything into `output`.

    `start` is one of `START_NAMES`, or the path of a pose or of a trained network, which may be one that finds
    landmarks: it goes by the CT's in the file `landmarks`, or by those that it knows or that are carried over. Written
    are pose.tfm and pose.h5 (3D Slicer), pose.json, drr-1.nrrd … in the X-rays' geometry, result.json and report.html,
    after all reading and solving: bad input leaves nothing behind. `weights` is what each view counts (1).
    `refine_calibration` refines the cameras with the pose once that has not failed, and writes them as camera-1.json;
    the result then is a `RecalibratedResult`. `device` is where rays are cast and poses refined, see `projector_on`.
    InputError says what is wrong and what to do.
    """
    views = [xray if isinstance(xray, XrayFile) else XrayFile(Path(xray)) for xray in xrays]
    if not views:
        raise InputError("X-rays", "none was given", "Give at least one X-ray image.")
    check_similarity(similarity)
    check_weights(weights, len(views))
    make_projector = projector_on(device)
    file = None if start in START_NAMES else start_file(start, landmarks)
    check_folder_for_writing(output)
    check_spares(output, views)
    radiographs = [view.read() for view in views]
    loaded = read_ct(ct, series=series)
    frame = frame_of_reference(ct, series=series)
    radiographs = [
        told_apart(r, frame_of_reference(view.path), frame) for r, view in zip(radiographs, views, strict=True)
    ]
    check_shared_world(radiographs)
    if refine_calibration is not None:
        refine_calibration.check_fits(radiographs)
    chosen = file.start(loaded, radiographs) if file else start_from_name(start, loaded, radiographs)
    projector = make_projector(loaded)
    for radiograph, view in zip(radiographs, views, strict=True):
        check_pixels(radiograph, view.path)
        check_in_view(radiograph, view.path, projector, chosen)
    result = register_sound_views(projector, radiographs, chosen, similarity=similarity, weights=weights, watch=watch)
    distortions: list[LensDistortion | None] = []
    misfits = any(view.left_out is not None for view in result.views)
    if refine_calibration is not None and (misfits or result.verdict == Verdict.FAILED):
        result = replace(result, reason=f"{result.reason}; the cameras were left as they are")
    elif refine_calibration is not None:
        # Distortion is told in pixels of the image, not by the camera: it stays.
        distortions = [read_camera(view.camera).distortion if view.camera else None for view in views]
        if watch is not None:
            watch("cameras", None, result.pose)
        result, seen = recalibrated(projector, radiographs, result, refine_calibration, similarity=similarity)
        radiographs = list(seen)
    write_result(output, loaded, radiographs, result, network=file.network if file else None, distortions=distortions)
    return result


def result_as_dict(result: RegistrationResult) -> dict[str, Any]:
    """The result for JSON: pose (4×4 world_from_ct, RAS mm), verdict, std (three rad, three mm), how it was found.

    Where cameras were refined, `calibration` says by how much.
    """
    content: dict[str, Any] = {
        "pose": result.pose.tolist(),
        "verdict": result.verdict.value,
        "reason": result.reason,
        "similarity": result.similarity,
        "std": result.std.tolist(),
        "covariance": result.covariance.tolist(),
        "centre": result.centre.tolist(),
        "start": result.start,
        "seconds": result.seconds,
        "iterations": len(result.iterations),
        "views": [asdict(view) for view in result.views],
    }
    if isinstance(result, RecalibratedResult):
        content["calibration"] = _calibration_as_dict(result.calibration)
    return content


def _calibration_as_dict(found: RefinedCalibration) -> dict[str, Any]:
    return {
        "prior": asdict(found.prior),
        "moved": found.moved,
        "reason": found.reason,
        "converged": found.converged,
        "views": [
            {
                shift.name: {
                    "value": shift.value,
                    "std": shift.std,
                    "prior_std": shift.prior_std,
                    "determined": shift.determined,
                }
                for shift in shifts
            }
            for shifts in found.shifts
        ],
    }


def write_result(
    folder: Path,
    ct: CT,
    radiographs: Sequence[Radiograph],
    result: RegistrationResult,
    title: str = "Registration",
    network: Mapping[str, Any] | None = None,
    distortions: Sequence[LensDistortion | None] = (),
) -> None:
    """Write pose, DRRs, result.json and report.html: all of them or, after an error, none.

    `network` is the metadata of the network that the registration began from. Cameras that were refined are written,
    too, with the `distortions` of the X-rays' files, and are those of `radiographs`.
    """
    from ..report import write_report

    section = None
    if network is not None:
        from ..report.network_section import network_section

        section = network_section(network)
    calibration = None
    if isinstance(result, RecalibratedResult):
        from ..report.calibration_section import calibration_section

        calibration = calibration_section(result.calibration)
    with written_together(folder) as together:
        for suffix in (".tfm", ".h5", ".json"):
            write_pose(together / f"pose{suffix}", result.pose)
        for number, (radiograph, drr) in enumerate(zip(radiographs, result.drrs, strict=True), start=1):
            write_image(together / f"drr-{number}.nrrd", drr.astype(np.float32), radiograph.camera)
        if calibration is not None:
            for number, radiograph in enumerate(radiographs, start=1):
                distortion = distortions[number - 1] if distortions else None
                path, origin = together / f"camera-{number}.json", radiograph.provenance[-1:]
                write_camera(path, radiograph.camera, origin, distortion)
        with atomic_write(together / "result.json") as temporary:
            temporary.write_text(json.dumps(result_as_dict(result), indent=2) + "\n", encoding="utf-8")
        write_report(
            together / "report.html",
            radiographs=radiographs,
            result=result,
            ct_provenance=ct.provenance,
            title=title,
            network=section,
            calibration=calibration,
        )
