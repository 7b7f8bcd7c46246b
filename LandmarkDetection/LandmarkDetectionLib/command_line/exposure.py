"""`fluororeg landmarks exposure`: what a run of X-rays shone on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from DiffRegistrationLib.command_line.geometry_options import (
    AnglesOption,
    CameraOption,
    MaskOption,
    SddOption,
    SodOption,
    SpacingOption,
    xray_files,
)
from DiffRegistrationLib.command_line.output import (
    JsonOption,
    console,
    input_errors_end_the_command,
    print_json,
    say,
)
from DiffRegistrationLib.xray.errors import InputError


def exposure(
    ct: Annotated[
        Path, typer.Argument(help="CT of the head: a DICOM folder or volume file; - for none, with --model.")
    ],
    views: Annotated[
        list[Path],
        typer.Argument(help="One per view: an X-ray, a multi-frame file, a folder of frames, or a pattern."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for table and surface.")] = Path("exposure"),
    track: Annotated[
        Path | None, typer.Option("--track", help="Where the head was: the folder of fluororeg track.")
    ] = None,
    pose: Annotated[
        Path | None, typer.Option("--pose", help="One pose for all frames instead (.tfm, .h5, .json).")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="Without a CT: network that finds the landmarks in the X-rays.")
    ] = None,
    body: Annotated[
        str | None, typer.Option("--body", help="The body of the track that is the head, if it has several.")
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option("--landmarks", help="Landmarks of the CT (.mrk.json), if not beside it.")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Frames a second; else the track's.")] = None,
    mas: Annotated[float | None, typer.Option("--mas", help="Tube current times time of each frame (mAs).")] = None,
    camera: CameraOption = None,
    sdd: SddOption = None,
    sod: SodOption = None,
    spacing: SpacingOption = None,
    angles: AnglesOption = None,
    mask: MaskOption = None,
    series: Annotated[
        str | None, typer.Option("--series", help="Series of a DICOM folder that holds several.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What a run of X-rays shone on: head surface, its regions, eye lenses in or out, per frame and in all.

    Without a CT it is the template's skin, warped to the landmarks that --model finds in each X-ray. Writes a table
    (.csv), sums (.json) and the coloured skin (.vtp). Relative geometric exposure: not a dose.
    """
    from DiffRegistrationLib.xray.files.xray_sequences import XraySequence

    from ..exposure.exposure_files import DESCRIPTION, SURFACE, TABLE, description
    from ..exposure.head_exposure import NOT_A_DOSE
    from ..exposure.workflow import exposure_of_files, exposure_of_xrays
    from ..population.head_folder import landmarks_beside

    with input_errors_end_the_command(as_json):
        files = xray_files(
            views,
            cameras=camera,
            sdd=sdd,
            sod=sod,
            spacing=spacing,
            angles=angles,
            frame=0,
            masks=mask,
            bone_is_bright=None,
        )
        sequences = [XraySequence(f.path, f.camera, f.geometry, f.mask, f.bone_is_bright) for f in files]
        without_ct = str(ct) == "-"
        if without_ct != (model is not None):
            raise InputError("--model", "goes with - in place of the CT", "Give a CT and its poses, or - and --model.")
        of_ct = {"--track": track, "--pose": pose, "--body": body, "--landmarks": landmarks, "--series": series}
        beside = [option for option, value in of_ct.items() if value is not None]
        if without_ct and beside:
            raise InputError(", ".join(beside), "given without a CT", "Leave out, or give the CT in place of -.")
        with console.status("Reading…") as status:

            def tell(done: int, total: int) -> None:
                status.update(f"{done} of {total} frames")

            if model is not None:
                found = exposure_of_xrays(model, sequences, output=out, frames_per_second=rate, mas=mas, tell=tell)
            else:
                found = exposure_of_files(
                    ct,
                    landmarks or landmarks_beside(ct),
                    sequences,
                    output=out,
                    track=track,
                    pose=pose,
                    body=body,
                    frames_per_second=rate,
                    mas=mas,
                    series=series,
                    tell=tell,
                )
    content = description(found)
    if as_json:
        print_json({**content, "table": str(out / TABLE), "surface": str(out / SURFACE)})
    for region in content["regions"]:
        say(f"{region['entered_percent']:.0f} % of the surface entered by the beam", label=f"{region['name']}:")
    for organ in content["organs"]:
        say(_organ_in_words(organ), label=f"{organ['name']}:")
    say(NOT_A_DOSE)
    say(f"{out / TABLE}, {out / DESCRIPTION}, {out / SURFACE}", label="Written:")


def _organ_in_words(organ: dict[str, Any]) -> str:
    """Whether it was in the field, and by how much."""
    about = "about here; " if organ["approximate"] else ""
    if organ["largest_margin_mm"] is None:
        return f"{about}behind the source in all frames"
    nearest = f"{organ['largest_margin_mm']:.0f} mm"
    if not organ["frames_in_field"]:
        return f"{about}outside the field in all frames, {nearest.removeprefix('-')} at the nearest"
    frames = organ["frames_in_field"]
    return f"{about}in the field in {frames} frame{'s' if frames > 1 else ''}, up to {nearest} within its edge"
