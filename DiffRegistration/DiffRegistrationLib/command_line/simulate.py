"""`fluororeg simulate`: an X-ray of a CT as a detector would store it, with the truth beside it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..xray.errors import InputError
from .camera_options import (
    OneCameraOption,
    PoseOption,
    SizeOption,
    ViewOption,
    camera_from_options,
    check_pose_options,
    pose_as_usual,
    refuse_overwriting,
)
from .geometry_options import SddOption, SodOption, SpacingOption
from .output import JsonOption, console, input_errors_end_the_command, print_json, say

if TYPE_CHECKING:
    from ..xray.ct import CT
    from ..xray.geometry import PinholeCamera
    from ..xray.simulator import SimulatedXray, Simulator, XraySettings

_RANGES = "evaluation-1"


def simulate(
    ct: Annotated[Path, typer.Argument(help="CT: a DICOM folder, NRRD, NIfTI or MetaImage.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for X-ray, camera, true pose and settings.")],
    camera: OneCameraOption = None,
    pose: PoseOption = None,
    view: ViewOption = None,
    size: SizeOption = None,
    sdd: SddOption = None,
    sod: SodOption = None,
    spacing: SpacingOption = None,
    angles: Annotated[
        str | None,
        typer.Option("--angles", help="C-arm angles in degrees: primary,secondary (LAO and cranial positive)."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="Beam, effects and detector: a settings.json of an earlier run.")
    ] = None,
    ranges: Annotated[
        str | None,
        typer.Option("--ranges", help=f"Instead draw them by --seed: training-1 or evaluation-1 ({_RANGES})."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Whole number that everything random is drawn by, from 0.")] = 0,
    only: Annotated[
        str | None, typer.Option("--only", help="Effects to keep, as in scatter,noise; all others are left out.")
    ] = None,
    without: Annotated[
        str | None, typer.Option("--without", help="Effects to leave out, as in vessels,motion.")
    ] = None,
    kilovolts: Annotated[float | None, typer.Option("--kilovolts", help="Tube voltage in kV, whatever else.")] = None,
    kerma: Annotated[
        float | None, typer.Option("--kerma", help="Air kerma at the detector in nGy, which the noise follows from.")
    ] = None,
    series: Annotated[
        str | None, typer.Option("--series", help="Series of a DICOM folder that holds several.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate an X-ray: writes xray.png, camera.json, pose.json (the truth) and settings.json, ready to register.

    Without a camera file the CT stands at the isocentre of a C-arm (SDD 1020, SOD 700 mm), AP unless turned. Effects
    are called as in settings.json; docs/simulator.md explains them.
    """
    from ..xray.files.atomic import check_folder_for_writing
    from ..xray.files.ct_files import read_ct
    from ..xray.files.transform_files import read_pose
    from ..xray.simulator.settings_file import settings_as_dict
    from ..xray.simulator.simulation_files import simulation_files, write_simulation

    with input_errors_end_the_command(as_json):
        check_pose_options(pose, view)
        if angles is not None and view is not None:
            raise InputError("--view", "was given beside --angles, which turn the view too", "Give one of the two.")
        if seed < 0:
            raise InputError(f"--seed {seed}", "expected a whole number from 0", "Give another number.")
        looking = _pinhole(camera, size, sdd, sod, spacing, angles)
        chosen = _settings(settings, ranges, seed, looking, only, without, kilovolts, kerma)
        files = simulation_files(out)
        refuse_overwriting(list(files.values()), [ct, camera, pose, settings])
        check_folder_for_writing(out)
        world_from_ct = None if pose is None else read_pose(pose)
        with console.status("Reading the CT…") as status:
            loaded = read_ct(ct, series=series)
            if world_from_ct is None:
                world_from_ct = pose_as_usual(view, loaded, looking, from_file=camera is not None)
            began = time.perf_counter()
            status.update("Placing what is in the beam…")
            simulator = _simulator(loaded, chosen, seed)
            status.update("Exposing…")
            xray = simulator.expose(looking, world_from_ct)
            seconds = time.perf_counter() - began
            usable = _usable(xray)
            write_simulation(out, xray)
    if as_json:
        print_json(
            {
                "files": {name: str(path) for name, path in files.items()},
                "size": list(looking.size),
                "seed": seed,
                "ranges": (ranges or _RANGES) if settings is None else None,
                "settings": settings_as_dict(chosen),
                "usable": usable,
                "seconds": seconds,
            }
        )
    say(f"X-ray of {looking.size[1]}×{looking.size[0]} pixels in {seconds:.1f} s: {files['xray']}")
    if usable == 0:
        say("nothing of it can be registered: it is burnt out, dark or empty", label="Warning:", style="yellow")
        return
    bright = " --bone-bright" if chosen.display.bone_is_bright else ""
    say(f"{usable:.0%} of it can be used. From the true pose: fluororeg register {ct} {files['xray']} \\")
    say(f"  --camera {files['camera']} --start {files['pose']}{bright}")


def _pinhole(
    path: Path | None, size: str | None, sdd: float | None, sod: float | None, spacing: str | None, angles: str | None
) -> PinholeCamera:
    """The camera to expose with. InputError for one that the simulator cannot use."""
    from ..xray.geometry import PinholeCamera

    camera = camera_from_options(path, size=size, sdd=sdd, sod=sod, spacing=spacing, angles=angles)
    if not isinstance(camera, PinholeCamera):
        raise InputError(path, "is the camera of a scanning slit", "Give the camera of a C-arm or of a flat detector.")
    if camera.pixel_spacing is None:
        raise InputError(path, "does not tell the pixel spacing", "Give a camera file with the spacing in mm.")
    return camera


def _settings(
    file: Path | None,
    ranges: str | None,
    seed: int,
    camera: PinholeCamera,
    only: str | None,
    without: str | None,
    kilovolts: float | None,
    kerma: float | None,
) -> XraySettings:
    """What the options say of beam, effects and detector. InputError where they contradict each other or physics."""
    from ..xray.simulator import effects
    from ..xray.simulator.noise import QuantumNoise
    from ..xray.simulator.ranges import drawn_settings, ranges_named
    from ..xray.simulator.settings_file import read_settings
    from ..xray.simulator.spectrum import Tube

    if file is not None and ranges is not None:
        raise InputError("--ranges", "was given beside --settings, which already say everything", "Give one of them.")
    if only is not None and without is not None:
        raise InputError("--without", "was given beside --only", "Give one of the two.")
    kept, left_out = _effects("--only", only), _effects("--without", without)
    if file is not None:
        settings = read_settings(file)
    else:
        rows, columns = camera.size
        dy, dx = camera.pixel_spacing or (0.0, 0.0)
        settings = drawn_settings(ranges_named(ranges or _RANGES), seed, (rows * dy, columns * dx))
    settings = effects.only(settings, kept) if only is not None else effects.without(settings, left_out)
    try:
        if kilovolts is not None:
            option = f"--kilovolts {kilovolts:g}"
            tube = settings.tube if isinstance(settings.tube, Tube) else Tube()
            settings = replace(settings, tube=replace(tube, kilovolts=kilovolts))
        if kerma is not None:
            option = f"--kerma {kerma:g}"
            noise = settings.noise or QuantumNoise(1.0)
            settings = replace(settings, noise=replace(noise, air_kerma_nanogray=kerma))
    except ValueError as error:
        raise InputError(option, f"cannot be: {error}", "Give another number.") from None
    return settings


def _effects(option: str, text: str | None) -> list[str]:
    """The effects that are named in "a,b". InputError for other names, which lists those there are."""
    from ..xray.simulator.effects import EFFECTS

    names = [] if text is None else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in EFFECTS:
            raise InputError(f"{option} {text}", f"{name!r} is no effect", f"Use some of {', '.join(EFFECTS)}.")
    return names


def _simulator(ct: CT, settings: XraySettings, seed: int) -> Simulator:
    """The simulator of a patient. InputError for objects that this CT has no place for, with a way out."""
    from ..xray.simulator import Simulator
    from ..xray.simulator.effects import OBJECTS

    try:
        return Simulator(ct, settings, seed)
    except InputError as error:
        remedy = f"{error.remedy} Or leave the objects out: --without {','.join(OBJECTS)}."
        raise InputError(error.subject, error.problem, remedy) from error


def _usable(xray: SimulatedXray) -> float:
    """The share of the image that a registration would use."""
    try:
        return float(xray.radiograph().mask.mean())
    except InputError:
        return 0.0
