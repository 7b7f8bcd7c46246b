"""`fluororeg register`: the pose of a CT in one or more X-rays, with report and verdict."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..registration.starts import START_NAMES
from ..xray.errors import InputError
from .device_option import DeviceOption
from .geometry_options import (
    AnglesOption,
    BoneOption,
    CameraOption,
    FrameOption,
    MaskOption,
    SddOption,
    SodOption,
    SpacingOption,
    xray_files,
)
from .output import FAILED, JsonOption, console, input_errors_end_the_command, print_json, say

if TYPE_CHECKING:
    from ..registration.calibration_prior import CalibrationPrior

_COLOURS = {"accepted": "green", "doubtful": "yellow", "failed": "red"}


def register(
    ct: Annotated[Path, typer.Argument(help="CT: a DICOM folder, NRRD, NIfTI or MetaImage.")],
    xrays: Annotated[list[Path], typer.Argument(help="X-ray images; several share one pose.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for pose, DRR and report.")] = Path("registration"),
    start: Annotated[
        str,
        typer.Option(
            "--start",
            help=f"Where to begin: {', '.join(START_NAMES)}, a pose file, or a network of poses or landmarks (.pt).",
        ),
    ] = "auto",
    landmarks: Annotated[
        Path | None,
        typer.Option("--landmarks", help="The CT's landmarks (.mrk.json), for a network of landmarks."),
    ] = None,
    camera: CameraOption = None,
    sdd: SddOption = None,
    sod: SodOption = None,
    spacing: SpacingOption = None,
    angles: AnglesOption = None,
    frame: FrameOption = 0,
    mask: MaskOption = None,
    bone_bright: BoneOption = None,
    series: Annotated[
        str | None, typer.Option("--series", help="Series of a DICOM folder that holds several.")
    ] = None,
    weight: Annotated[
        list[float] | None, typer.Option("--weight", help="What a view counts beside others; once per view.")
    ] = None,
    similarity: Annotated[
        str,
        typer.Option("--similarity", help="auto, gradient-ncc, local-ncc, global-ncc or mutual-information."),
    ] = "auto",
    refine_calibration: Annotated[
        str | None,
        typer.Option(
            "--refine-calibration",
            help="Refine the cameras with the pose, each number within about what it may be off (1 std): "
            "offset (detector, in pixels), scale (source-detector distance, relative), rotation (degrees) and "
            "translation (mm) of every camera but the first, as in offset=2,scale=0.002,rotation=0.3,translation=1. "
            "What is not named stays.",
        ),
    ] = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Register a CT to X-rays: writes the pose (.tfm, .h5, .json), the DRR (.nrrd) and an HTML report.

    Exit code 0 for a pose that is accepted or doubtful, 1 for one that failed, 2 for input that cannot be used.
    """
    from ..registration.calibration_refinement import RecalibratedResult
    from ..registration.workflow import register_files, result_as_dict

    began = time.perf_counter()
    with input_errors_end_the_command(as_json):
        files = xray_files(
            xrays,
            cameras=camera,
            sdd=sdd,
            sod=sod,
            spacing=spacing,
            angles=angles,
            frame=frame,
            masks=mask,
            bone_is_bright=bone_bright,
        )
        with console.status("Reading the CT and the X-rays…") as status:
            result = register_files(
                ct,
                files,
                output=out,
                start=start,
                landmarks=landmarks,
                series=series,
                similarity=similarity,
                weights=weight,
                refine_calibration=_prior(refine_calibration),
                device=device,
                watch=lambda stage, _iteration, _pose: status.update(f"Registering: {stage}"),
            )
    if as_json:
        content = result_as_dict(result)
        content["seconds_in_all"] = time.perf_counter() - began
        content["report"] = str(out / "report.html")
        print_json(content)
    say(result.reason, label=f"{result.verdict.value}:", style=f"bold {_COLOURS[result.verdict]}")
    say(f"Found in {result.seconds:.2f} s from {result.start}. Report: {out / 'report.html'}")
    if isinstance(result, RecalibratedResult):
        found = result.calibration
        say(
            f"Cameras refined by up to {found.moved:.1f} std of what was allowed; they are in {out}."
            + (f" But {found.reason}." if found.reason else "")
        )
    if result.verdict == "failed":
        raise typer.Exit(FAILED)


def _prior(text: str | None) -> CalibrationPrior | None:
    """The prior out of "offset=2,scale=0.002". InputError for names or numbers that are none."""
    from ..registration.calibration_prior import CalibrationPrior

    if text is None:
        return None
    names = {
        "offset": "offset_px",
        "scale": "focal_scale",
        "rotation": "camera_rotation_deg",
        "translation": "camera_translation_mm",
    }
    given: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        field = names.get(name.strip())
        try:
            number = float(value)
        except ValueError:
            field = None
        if field is None or field in given:
            raise InputError(
                "--refine-calibration",
                f"{part!r} is not one of {', '.join(names)} with a number, each at most once",
                "Write it as offset=2,scale=0.002,rotation=0.3,translation=1, or a part of that.",
            )
        given[field] = number
    return CalibrationPrior(**given)
