"""What the demo does: X-rays whose truth is known, registered as a user would register files of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64
from scipy import ndimage

from .registration.metrics import PoseError, pose_error
from .registration.result import RegistrationResult
from .registration.starts import pose_of_view
from .registration.workflow import XrayFile, register_files
from .xray.ct import CT
from .xray.errors import InputError
from .xray.files.camera_files import write_camera
from .xray.files.ct_files import read_ct
from .xray.files.radiograph_files import write_image
from .xray.files.sample_data import sample
from .xray.geometry import PinholeCamera, rigid
from .xray.geometry.c_arm import c_arm_camera
from .xray.projector import Projector

Say = Callable[[str], None]

_SEED = 20240607
# Photons that reach an empty pixel: a low-dose fluoroscopy frame.
_PHOTONS = 5000.0


@dataclass(frozen=True, eq=False)
class Case:
    """One registered X-ray and how far the pose is from what is known of the truth."""

    name: str
    result: RegistrationResult
    error: PoseError
    report: Path


def simulated_views(out: Path, say: Say) -> Iterator[Case]:
    """AP and lateral X-rays of a head, from unknown position."""
    ct_path = _head_ct(out, say)
    ct = read_ct(ct_path)
    projector = Projector(ct)
    rng = np.random.default_rng(_SEED)
    for name, primary, start in (("AP", 180.0, "frontal"), ("lateral", 90.0, "lateral")):
        camera = c_arm_camera(
            source_detector_distance=1020.0,
            source_object_distance=700.0,
            pixel_spacing=(0.7, 0.7),
            size=(480, 480),
            primary_angle_deg=primary,
        )
        view = "ap" if name == "AP" else "left-lateral"
        usual = pose_of_view(view, ct, camera)
        twist = [*np.radians(rng.uniform(-10, 10, 3)), *rng.uniform(-20, 20, 3)]
        truth = rigid.move_about(rigid.transform_points(usual, [ct.centre])[0], twist, usual)
        folder = out / f"simulated-{name.lower()}"
        folder.mkdir(parents=True, exist_ok=True)
        xray, camera_file = folder / "xray.nrrd", folder / "camera.json"
        write_image(xray, _exposed(projector, camera, truth, rng), camera)
        write_camera(camera_file, camera)
        say(f"Simulated {name} X-ray, registered from “{start}”, position unknown")
        result = register_files(ct_path, [XrayFile(xray, camera_file)], output=folder, start=start)
        off = pose_error(result.pose, truth, _corners(ct), ct.centre, camera)
        yield Case(f"simulated {name}", result, off, folder / "report.html")


def real_scout(out: Path, say: Say) -> Iterator[Case]:
    """The lateral scout of a real skull, against the scanner's own pose."""
    try:
        ct_path, scout = sample("skull-phantom-ct"), sample("skull-phantom-scout")
    except InputError as error:
        say(f"No real X-ray: {error}")
        return
    say("Real lateral X-ray (CT localizer), registered from “lateral”, position unknown")
    folder = out / "real-lateral"
    result = register_files(ct_path, [scout], output=folder, start="lateral")
    ct, radiograph = read_ct(ct_path), XrayFile(scout).read()
    off = pose_error(result.pose, np.eye(4), _corners(ct), ct.centre, radiograph.camera)
    yield Case("real lateral", result, off, folder / "report.html")


def _head_ct(out: Path, say: Say) -> Path:
    try:
        path = sample("visible-human-head")
    except InputError:
        from .xray.files.ct_writing import write_ct
        from .xray.phantom import head_phantom

        say("CT: the procedural head phantom (the Visible Human head is not at hand)")
        path = out / "head-phantom.nrrd"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_ct(path, head_phantom(1.0).ct)
    else:
        say("CT: the Visible Human head")
    return path


def _exposed(
    projector: Projector,
    camera: PinholeCamera,
    pose: Float64[np.ndarray, "4 4"],
    rng: np.random.Generator,
) -> Float32[np.ndarray, "rows columns"]:
    """Detector signal (bright = more X-rays): finer sampled than the solver's DRRs, with photon noise and blur."""
    line_integrals = projector.render(camera.rays(), pose, step_mm=0.4)[0].reshape(camera.size)
    signal = rng.poisson(_PHOTONS * np.exp(-line_integrals.astype(np.float64)))
    return ndimage.gaussian_filter(signal.astype(np.float32), 0.7)


def _corners(ct: CT) -> Float64[np.ndarray, "8 3"]:
    """Targets for the error: the corners of the box half the size of the CT."""
    corner = np.array(np.meshgrid(*[[0.25, 0.75]] * 3)).reshape(3, -1).T * (np.array(ct.size) - 1)
    return rigid.transform_points(ct.ct_from_voxel, corner)
