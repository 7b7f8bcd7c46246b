"""What the demo does: X-rays whose truth is known, registered from files as users would register their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, UInt16
from scipy import ndimage

from .pose_network.torch_needed import torch_needed
from .registration.metrics import PoseError, pose_error
from .registration.result import RegistrationResult
from .registration.starts import pose_of_view
from .registration.workflow import register_files
from .xray.ct import CT
from .xray.errors import InputError
from .xray.files.atomic import atomic_write
from .xray.files.camera_files import write_camera
from .xray.files.ct_files import read_ct
from .xray.files.ct_writing import write_ct
from .xray.files.sample_data import sample
from .xray.files.xray_with_geometry import XrayFile
from .xray.geometry import PinholeCamera, rigid
from .xray.geometry.c_arm import c_arm_camera
from .xray.projector import Projector

if TYPE_CHECKING:
    from .training.training_loop import Progress

Say = Callable[[str], None]

_SEED = 20240607
_TRAINING_SECONDS = 60.0
# Photons that reach an empty pixel: a low-dose fluoroscopy frame.
_PHOTONS = 5000.0
# Leaves room below the end of 16 bits, so that no pixel counts as burnt out.
_GREY_PER_PHOTON = 8.0
# What a grid lets through: about half of the primary beam behind the middle of a head.
_SCATTER, _SCATTER_REACH_PIXELS = 0.1, 40.0


@dataclass(frozen=True, eq=False)
class Case:
    """One registration of the demo: `subject` says whose CT it is.

    `error` is how far the pose is from the `truth`: known to the last digit for simulated X-rays, for a real one the
    pose that the scanner wrote into the files.
    """

    name: str
    subject: str
    ct: Path
    xrays: tuple[XrayFile, ...]
    simulated: bool
    result: RegistrationResult
    error: PoseError
    report: Path
    truth: Float64[np.ndarray, "4 4"]


@dataclass(frozen=True, eq=False)
class SimulatedXrays:
    """A head and X-rays of it on disk: `truth` is world_from_ct, `cameras` belong to `xrays` (AP, then lateral)."""

    subject: str
    ct: Path
    xrays: tuple[XrayFile, XrayFile]
    cameras: tuple[PinholeCamera, PinholeCamera]
    truth: Float64[np.ndarray, "4 4"]


def simulated_xrays(out: Path) -> SimulatedXrays:
    """A head on the table in unknown position, seen from the front and from the side.

    Writes head.nrrd and one folder a view (xray.png, camera.json) below `out`.
    """
    subject, ct_path, ct = _head(out)
    rng = np.random.default_rng(_SEED)
    # The patient lies as it happens: turned by up to 10° and shifted by up to 20 mm on every axis.
    twist = [*np.radians(rng.uniform(-10, 10, 3)), *rng.uniform(-20, 20, 3)]
    projector = Projector(ct)
    views: list[tuple[XrayFile, PinholeCamera]] = []
    truth = np.eye(4)
    for name, view, primary in (("ap", "ap", 180.0), ("lateral", "left-lateral", 90.0)):
        camera = c_arm_camera(
            source_detector_distance=1020.0,
            source_object_distance=700.0,
            pixel_spacing=(0.8, 0.8),
            size=(480, 480),
            primary_angle_deg=primary,
        )
        if not views:
            middle = pose_of_view(view, ct, camera)
            truth = rigid.move_about(rigid.transform_points(middle, [ct.centre])[0], twist, middle)
        folder = out / f"simulated-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        xray = XrayFile(folder / "xray.png", folder / "camera.json")
        _write_png(xray.path, _exposed(projector, camera, truth, rng))
        write_camera(folder / "camera.json", camera)
        views.append((xray, camera))
    (ap, ap_camera), (lateral, lateral_camera) = views
    return SimulatedXrays(subject, ct_path, (ap, lateral), (ap_camera, lateral_camera), truth)


def simulated_views(out: Path, say: Say) -> Iterator[Case]:
    """The head's AP view, its lateral view, and both views together, registered from their files."""
    made = simulated_xrays(out)
    say(f"CT: {made.subject}")
    ct = read_ct(made.ct)
    (ap, lateral), (ap_camera, lateral_camera) = made.xrays, made.cameras
    for name, xrays, start, camera in (
        ("simulated AP", (ap,), "frontal", ap_camera),
        ("simulated lateral", (lateral,), "lateral", lateral_camera),
        ("simulated AP and lateral", (ap, lateral), "frontal", ap_camera),
    ):
        say(f"{name[0].upper()}{name[1:]}: all that is told is “{start}”, the position is unknown")
        folder = out / name.lower().replace(" ", "-")
        result = register_files(made.ct, xrays, output=folder, start=start)
        off = pose_error(result.pose, made.truth, ct.corners(0.5), ct.centre, camera)
        yield Case(name, made.subject, made.ct, xrays, True, result, off, folder / "report.html", made.truth)


def from_network(seen: Case, out: Path, say: Say, tell: Callable[[Progress], None]) -> Iterator[Case]:
    """A network that learns the head for a minute, then the view of `seen` again, of which nothing at all is told.

    Nothing where torch is absent. `tell` is told how the training goes.
    """
    try:
        with torch_needed():
            from .training.preset import preset_named
            from .training.recipe import DEFAULT_RECIPE, recipe_named
            from .training.training_loop import Budget
            from .training.training_state import state_path
            from .training.workflow import train
    except InputError as error:
        say(f"The pose network is left out. {error}")
        return
    model = out / "head.pt"
    # The demo shows the learning anew each time.
    for old in (model, state_path(model)):
        old.unlink(missing_ok=True)
    say(f"A network learns for {_TRAINING_SECONDS:.0f} s how this head looks from the front")
    ct, preset, recipe = read_ct(seen.ct), preset_named("head-ap"), recipe_named(DEFAULT_RECIPE)
    train(ct, model, preset=preset, recipe=recipe, budget=Budget(seconds=_TRAINING_SECONDS), tell=tell)
    say("Simulated AP from the network: nothing is told at all")
    folder = out / "simulated-ap-from-network"
    result = register_files(seen.ct, seen.xrays, output=folder, start=str(model))
    off = pose_error(result.pose, seen.truth, ct.corners(0.5), ct.centre, seen.xrays[0].read().camera)
    yield replace(seen, name="simulated AP from network", result=result, error=off, report=folder / "report.html")


def real_scout(out: Path, say: Say) -> Iterator[Case]:
    """The lateral scout of a real plastic skull, against the scanner's own pose; nothing where it cannot be had."""
    try:
        ct_path, scout = sample("skull-phantom-ct"), sample("skull-phantom-scout")
    except InputError as error:
        say(f"The real X-ray is left out. {error}")
        return
    say("Real lateral (CT localizer of a plastic skull): all that is told is “lateral”, the position is unknown")
    folder = out / "real-lateral"
    xray = XrayFile(scout)
    result = register_files(ct_path, [xray], output=folder, start="lateral")
    ct = read_ct(ct_path)
    off = pose_error(result.pose, np.eye(4), ct.corners(0.5), ct.centre, xray.read().camera)
    yield Case(
        "real lateral", "plastic skull", ct_path, (xray,), False, result, off, folder / "report.html", np.eye(4)
    )


def _head(out: Path) -> tuple[str, Path, CT]:
    """A head's CT, in a file below `out` and in memory: of a person where it is at hand, else a computed one."""
    try:
        ct, subject = read_ct(sample("visible-human-head")), "Visible Human head (U.S. National Library of Medicine)"
    except InputError:
        from .xray.phantom import head_phantom

        ct, subject = head_phantom(1.0).ct, "computed head, for which nothing needs to be downloaded"
    path = out / "head.nrrd"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_ct(path, ct)
    return subject, path, ct


def _exposed(
    projector: Projector,
    camera: PinholeCamera,
    pose: Float64[np.ndarray, "4 4"],
    rng: np.random.Generator,
) -> UInt16[np.ndarray, "rows columns"]:
    """Detector signal (bright = more X-rays): finer sampled than the solver's DRRs, with scatter, noise and blur."""
    line_integrals = projector.render(camera.rays(), pose, step_mm=0.4)[0].reshape(camera.size).astype(np.float64)
    primary = _PHOTONS * np.exp(-line_integrals)
    scatter = _SCATTER * ndimage.gaussian_filter(primary * line_integrals, _SCATTER_REACH_PIXELS)
    signal = ndimage.gaussian_filter(rng.poisson(primary + scatter).astype(np.float64), 0.7)
    return np.clip(_GREY_PER_PHOTON * signal, 0, np.iinfo(np.uint16).max).astype(np.uint16)


def _write_png(path: Path, image: UInt16[np.ndarray, "rows columns"]) -> None:
    from PIL import Image

    with atomic_write(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")
