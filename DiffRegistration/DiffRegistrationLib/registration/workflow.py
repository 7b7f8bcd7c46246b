"""A registration from files to files: what the command, the Slicer logic and scripts all call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..xray.ct import CT
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write
from ..xray.files.c_arm_geometry import CArmGeometry
from ..xray.files.camera_files import read_camera
from ..xray.files.ct_files import frame_of_reference, read_ct
from ..xray.files.radiograph_files import write_image
from ..xray.files.transform_files import read_pose, write_pose
from ..xray.files.xray_files import image_size, read_xray
from ..xray.geometry import Camera
from ..xray.projector import Projector
from ..xray.provenance import Provenance
from ..xray.radiograph import Radiograph, WorldFrame
from .registration import DEFAULT_SIMILARITY, Watch, register
from .result import RegistrationResult
from .similarity import SIMILARITIES
from .starts import START_NAMES, Start, start_from_name, start_from_pose


@dataclass(frozen=True)
class XrayFile:
    """One X-ray to register to, and what the user knows of it beyond the file."""

    path: Path
    camera: Path | None = None
    geometry: CArmGeometry | None = None
    frame: int = 0
    mask: Path | None = None
    bone_is_bright: bool | None = None

    def read(self) -> Radiograph:
        """The radiograph, its camera from the camera file if there is one. InputError for what cannot be used."""
        camera: Camera | None = None
        lines: tuple[Provenance, ...] = ()
        if self.camera is not None:
            calibrated = read_camera(self.camera, size=image_size(self.path))
            camera, lines = calibrated.camera, calibrated.provenance
        radiograph = read_xray(
            self.path,
            camera=camera,
            geometry=self.geometry,
            frame=self.frame,
            mask=self.mask,
            bone_is_bright=self.bone_is_bright,
        )
        return replace(radiograph, provenance=(*lines, *radiograph.provenance))


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

    `start` is one of `START_NAMES` or the path of a pose file. Written are pose.tfm and pose.h5 (3D Slicer),
    pose.json, drr-1.nrrd … in the X-rays' geometry, result.json and report.html, after all reading and solving: bad
    input leaves nothing behind. InputError says what is wrong and what to do.
    """
    views = [xray if isinstance(xray, XrayFile) else XrayFile(Path(xray)) for xray in xrays]
    if not views:
        raise InputError("X-rays", "none was given", "Give at least one X-ray image.")
    if similarity not in SIMILARITIES:
        raise InputError(f"similarity {similarity!r}", "is not known", f"Use one of {', '.join(SIMILARITIES)}.")
    given_pose = None if start in START_NAMES else _given_pose(start)
    created = _prepare_folder(output)
    try:
        radiographs = [view.read() for view in views]
        loaded = read_ct(ct, series=series)
        radiographs = [_told_apart(r, view.path, ct, series) for r, view in zip(radiographs, views, strict=True)]
        _check_shared_world(radiographs)
        chosen = start_from_name(start, loaded, radiographs) if given_pose is None else given_pose
        result = register(Projector(loaded), radiographs, chosen, similarity=similarity, watch=watch)
    except BaseException:
        for folder in created:
            folder.rmdir()
        raise
    write_result(output, loaded, radiographs, result)
    return result


def _given_pose(start: str) -> Start:
    path = Path(start)
    if not path.exists():
        raise InputError(
            f"start {start!r}",
            "is neither the name of a start nor a pose file",
            f"Use one of {', '.join(START_NAMES)}, or the path of a .tfm, .h5 or .json pose.",
        )
    return start_from_pose(read_pose(path), f"pose file {path.name}")


def _prepare_folder(folder: Path) -> list[Path]:
    """Make the folder and see that it can be written to, before any work; returns what was made, deepest first."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".fluororeg-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            folder, f"cannot be written to: {error.strerror}", "Choose another output folder with --out."
        ) from error
    return missing


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
    folder: Path, ct: CT, radiographs: Sequence[Radiograph], result: RegistrationResult, title: str = "Registration"
) -> None:
    """Write pose, DRRs, result.json and report.html; each file appears whole or not at all."""
    from ..report import write_report

    folder.mkdir(parents=True, exist_ok=True)
    for suffix in (".tfm", ".h5", ".json"):
        write_pose(folder / f"pose{suffix}", result.pose)
    for number, (radiograph, drr) in enumerate(zip(radiographs, result.drrs, strict=True), start=1):
        write_image(folder / f"drr-{number}.nrrd", drr.astype(np.float32), radiograph.camera)
    with atomic_write(folder / "result.json") as temporary:
        temporary.write_text(json.dumps(result_as_dict(result), indent=2) + "\n", encoding="utf-8")
    write_report(
        folder / "report.html", radiographs=radiographs, result=result, ct_provenance=ct.provenance, title=title
    )
