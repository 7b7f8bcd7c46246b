"""A registration from files to files: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..pose_network.torch_needed import torch_needed
from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write, check_folder_for_writing, written_together
from ..xray.files.ct_files import frame_of_reference, read_ct
from ..xray.files.radiograph_files import write_image
from ..xray.files.transform_files import read_pose, write_pose
from ..xray.files.xray_with_geometry import XrayFile
from ..xray.geometry import rigid
from ..xray.geometry.pixel_grid import all_pixels
from ..xray.projector import Projector
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph, WorldFrame
from .registration import DEFAULT_SIMILARITY, Watch, register
from .result import RegistrationResult
from .similarity import SIMILARITIES
from .starts import START_NAMES, Start, start_from_name, start_from_pose

# What a trained network's file ends in.
MODEL_SUFFIX = ".pt"
# Six numbers of a pose ask for some structure: a square of 16 pixels is the least that can show it.
_FEWEST_PIXELS = 256
# Rays by which a start is judged to show the CT.
_RAYS_TRIED = 5000


def register_files(
    ct: Path,
    xrays: Sequence[Path | XrayFile],
    *,
    output: Path,
    start: str = "auto",
    series: str | None = None,
    similarity: str = DEFAULT_SIMILARITY,
    watch: Watch | None = None,
) -> RegistrationResult:
    """Register the CT at `ct` (file or DICOM folder) to X-ray files and write everything into `output`.

    `start` is one of `START_NAMES`, or the path of a pose or of a trained network. Written are pose.tfm and pose.h5
    (3D Slicer), pose.json, drr-1.nrrd … in the X-rays' geometry, result.json and report.html, after all reading and
    solving: bad input leaves nothing behind. InputError says what is wrong and what to do.
    """
    views = [xray if isinstance(xray, XrayFile) else XrayFile(Path(xray)) for xray in xrays]
    if not views:
        raise InputError("X-rays", "none was given", "Give at least one X-ray image.")
    if similarity not in SIMILARITIES:
        raise InputError(f"similarity {similarity!r}", "is not known", f"Use one of {', '.join(SIMILARITIES)}.")
    file = None if start in START_NAMES else _start_file(start)
    check_folder_for_writing(output)
    _refuse_overwriting(output, views)
    radiographs = [view.read() for view in views]
    loaded = read_ct(ct, series=series)
    radiographs = [_told_apart(r, view.path, ct, series) for r, view in zip(radiographs, views, strict=True)]
    _check_shared_world(radiographs)
    chosen = file.start(loaded, radiographs) if file else start_from_name(start, loaded, radiographs)
    projector = Projector(loaded)
    for radiograph, view in zip(radiographs, views, strict=True):
        _check_pixels(radiograph, view.path)
        _check_in_view(radiograph, view.path, projector, chosen)
    result = register(projector, radiographs, chosen, similarity=similarity, watch=watch)
    write_result(output, loaded, radiographs, result, network=file.network if file else None)
    return result


@dataclass(frozen=True)
class _StartFile:
    """A file named as start, already read: what it says once CT and X-rays are read, too; a network's metadata."""

    start: Callable[[CT, Sequence[Radiograph]], Start]
    network: Mapping[str, Any] | None = None


def _start_file(start: str) -> _StartFile:
    path = Path(start)
    if not path.exists():
        raise InputError(
            f"start {start!r}",
            "is neither the name of a start nor a file",
            f"Use one of {', '.join(START_NAMES)}, the path of a .tfm, .h5 or .json pose, or of a {MODEL_SUFFIX} "
            "network.",
        )
    if path.suffix != MODEL_SUFFIX:
        pose = start_from_pose(read_pose(path), f"pose file {path.name}")
        return _StartFile(lambda ct, radiographs: pose)
    with torch_needed():
        from ..pose_network.model_file import read_model
        from .network_start import start_from_network

    trained = read_model(path)

    def from_network(ct: CT, radiographs: Sequence[Radiograph]) -> Start:
        trained.check_knows(ct, path)
        return start_from_network(trained, ct, radiographs)

    return _StartFile(from_network, trained.metadata)


def _refuse_overwriting(output: Path, views: Sequence[XrayFile]) -> None:
    """An X-ray that is the DRR of an earlier run would be gone after this one."""
    for view in views:
        if view.path.parent.resolve() == output.resolve() and re.fullmatch(r"drr-\d+\.nrrd", view.path.name):
            raise InputError(
                view.path, "is one of the inputs, which would be overwritten", "Choose another output folder."
            )


def _check_pixels(radiograph: Radiograph, path: Path) -> None:
    usable = int(radiograph.mask.sum())
    if usable < _FEWEST_PIXELS:
        raise InputError(
            path,
            f"{usable} of its {radiograph.mask.size} pixels can be used, at least {_FEWEST_PIXELS} are needed",
            "Give a larger or better exposed image, or a mask that leaves more of it.",
        )


def _check_in_view(radiograph: Radiograph, path: Path, projector: Projector, start: Start) -> None:
    """InputError when at none of the starts enough usable rays cross the CT: there is nothing to compare."""
    pixels = all_pixels(radiograph.camera.size)[radiograph.mask.ravel()]
    rays = radiograph.camera.rays(pixels[:: len(pixels) // _RAYS_TRIED + 1])

    def crossing(pose: Float64[np.ndarray, "4 4"]) -> float:
        """How many pixels show the CT."""
        centre = rigid.transform_points(radiograph.camera.camera_from_world @ pose, [projector.ct.centre])[0]
        if centre[2] <= 0 or _holds(projector.ct, pose, rays.source[0]):
            return 0.0
        return float(projector.coverage(rays, pose).crosses.mean()) * len(pixels)

    if max(crossing(pose) for _, pose in start.poses) < _FEWEST_PIXELS:
        names = ", ".join(name for name, _ in start.poses)
        raise InputError(
            path,
            f"at the start ({names}) the CT lies outside its view, outside the part that may be used, or around the "
            "X-ray source",
            "Check the camera, its units and world axes, and the mask; or give a pose file with --start that puts the "
            "CT into the view.",
        )


def _holds(ct: CT, pose: Float64[np.ndarray, "4 4"], point: Float64[np.ndarray, "3"]) -> bool:
    """Whether a point (world mm) lies within the CT's grid."""
    voxel = rigid.transform_points(np.linalg.inv(pose @ ct.ct_from_voxel), [point])[0]
    return bool((voxel >= 0).all() and (voxel < ct.size).all())


def _told_apart(radiograph: Radiograph, path: Path, ct: Path, series: str | None) -> Radiograph:
    """A localizer of another session shares the scanner's axes with the CT, but not where the patient lay."""
    if radiograph.world != WorldFrame.SCANNER:
        return radiograph
    frames = frame_of_reference(path), frame_of_reference(ct, series=series)
    if None not in frames and frames[0] == frames[1]:
        line = Provenance("frame of reference", "shared by CT and X-ray", "FrameOfReferenceUID (0020,0052)")
        return replace(radiograph, provenance=(*radiograph.provenance, line))
    line = Provenance("frame of reference", "not shared by CT and X-ray", "FrameOfReferenceUID (0020,0052)")
    return replace(radiograph, world=WorldFrame.PATIENT, provenance=(*radiograph.provenance, line))


def _check_shared_world(radiographs: Sequence[Radiograph]) -> None:
    worlds = {radiograph.world for radiograph in radiographs}
    if len(worlds) > 1:
        raise InputError(
            "X-rays",
            f"their cameras speak of different worlds ({', '.join(sorted(worlds))}), so they cannot share one pose",
            "Give camera files in one common frame for all of them, or register them one by one.",
        )


def result_as_dict(result: RegistrationResult) -> dict[str, Any]:
    """The result for JSON: pose (4×4 world_from_ct, RAS mm), verdict, std (three rad, three mm), how it was found."""
    return {
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
    }


def write_result(
    folder: Path,
    ct: CT,
    radiographs: Sequence[Radiograph],
    result: RegistrationResult,
    title: str = "Registration",
    network: Mapping[str, Any] | None = None,
) -> None:
    """Write pose, DRRs, result.json and report.html: all of them or, after an error, none.

    `network` is the metadata of the network that the registration began from.
    """
    from ..report import write_report

    section = None
    if network is not None:
        from ..report.network_section import network_section

        section = network_section(network)
    with written_together(folder) as together:
        for suffix in (".tfm", ".h5", ".json"):
            write_pose(together / f"pose{suffix}", result.pose)
        for number, (radiograph, drr) in enumerate(zip(radiographs, result.drrs, strict=True), start=1):
            write_image(together / f"drr-{number}.nrrd", drr.astype(np.float32), radiograph.camera)
        with atomic_write(together / "result.json") as temporary:
            temporary.write_text(json.dumps(result_as_dict(result), indent=2) + "\n", encoding="utf-8")
        write_report(
            together / "report.html",
            radiographs=radiographs,
            result=result,
            ct_provenance=ct.provenance,
            title=title,
            network=section,
        )
