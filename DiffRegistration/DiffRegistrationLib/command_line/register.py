"""`fluororeg register`: the pose of a CT in one or more X-rays, with report and verdict."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ..registration.starts import START_NAMES
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

_COLOURS = {"accepted": "green", "doubtful": "yellow", "failed": "red"}


def register(
    ct: Annotated[Path, typer.Argument(help="CT: a DICOM folder, NRRD, NIfTI or MetaImage.")],
    xrays: Annotated[list[Path], typer.Argument(help="X-ray images; several share one pose.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for pose, DRR and report.")] = Path("registration"),
    start: Annotated[
        str,
        typer.Option("--start", help=f"Where to begin: {', '.join(START_NAMES)}, a pose file, or a network (.pt)."),
    ] = "auto",
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
    similarity: Annotated[
        str,
        typer.Option("--similarity", help="auto, gradient-ncc, local-ncc, global-ncc or mutual-information."),
    ] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Register a CT to X-rays: writes the pose (.tfm, .h5, .json), the DRR (.nrrd) and an HTML report.

    Exit code 0 for a pose that is accepted or doubtful, 1 for one that failed, 2 for input that cannot be used.
    """
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
                series=series,
                similarity=similarity,
                watch=lambda stage, _iteration, _pose: status.update(f"Registering: {stage}"),
            )
    if as_json:
        content = result_as_dict(result)
        content["seconds_in_all"] = time.perf_counter() - began
        content["report"] = str(out / "report.html")
        print_json(content)
    say(result.reason, label=f"{result.verdict.value}:", style=f"bold {_COLOURS[result.verdict]}")
    say(f"Found in {result.seconds:.2f} s from {result.start}. Report: {out / 'report.html'}")
    if result.verdict == "failed":
        raise typer.Exit(FAILED)
