"""`fluororeg track`: bodies followed through sequences of X-rays."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

from ..registration.starts import START_NAMES
from ..xray.errors import InputError
from .device_option import DeviceOption
from .geometry_options import (
    AnglesOption,
    BoneOption,
    CameraOption,
    MaskOption,
    SddOption,
    SodOption,
    SpacingOption,
    xray_files,
)
from .output import FAILED, JsonOption, console, input_errors_end_the_command, print_json, say


def track(
    ct: Annotated[Path, typer.Argument(help="CT: a DICOM folder or volume file; - if each body has its own.")],
    views: Annotated[
        list[Path],
        typer.Argument(help="One per view: a multi-frame file, a folder of frames, or a pattern in quotation marks."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for poses, tables, report and movie.")] = Path("track"),
    start: Annotated[
        str,
        typer.Option("--start", help=f"Where to begin: {', '.join(START_NAMES)}, a pose file, or a network (.pt)."),
    ] = "auto",
    body_starts: Annotated[
        list[str] | None, typer.Option("--body-start", help="Start of one body, as NAME=START; repeat as needed.")
    ] = None,
    key_frame: Annotated[int | None, typer.Option("--key-frame", help="Number of the frame to begin with.")] = None,
    first: Annotated[int | None, typer.Option("--first", help="Number of the first frame to follow.")] = None,
    last: Annotated[int | None, typer.Option("--last", help="Number of the last frame to follow.")] = None,
    bodies: Annotated[
        list[str] | None,
        typer.Option("--body", help="A bone to follow by itself: NAME=label:3, NAME=mask:FILE or NAME=ct:FILE."),
    ] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="Label map of the CT, for bodies by label.")] = None,
    joints: Annotated[
        list[str] | None, typer.Option("--joint", help="Motion wanted of one body in another: PROXIMAL:DISTAL.")
    ] = None,
    anatomical_frames: Annotated[
        list[str] | None,
        typer.Option("--anatomical-frame", help="Axes of a body, as NAME=FILE (.json, .mrk.json); else the CT's."),
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Frames a second.")] = None,
    movie: Annotated[str | None, typer.Option("--movie", help="Also write a movie: gif or mp4.")] = None,
    camera: CameraOption = None,
    sdd: SddOption = None,
    sod: SodOption = None,
    spacing: SpacingOption = None,
    angles: AnglesOption = None,
    mask: MaskOption = None,
    bone_bright: BoneOption = None,
    weight: Annotated[
        list[float] | None, typer.Option("--weight", help="What a view counts beside others; once per view.")
    ] = None,
    series: Annotated[
        str | None, typer.Option("--series", help="Series of a DICOM folder that holds several.")
    ] = None,
    similarity: Annotated[
        str,
        typer.Option("--similarity", help="auto, gradient-ncc, local-ncc, global-ncc or mutual-information."),
    ] = "auto",
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Follow a CT, or bones of it, through X-ray sequences: poses over time, joint motion, report and movie.

    A tracking that was cut off goes on where it was. Exit code 0 if some frame shows all bodies, 1 if none does, 2 for
    input that cannot be used.
    """
    from ..tracking.track import Track
    from ..tracking.workflow import TrackProgress, track_files
    from ..xray.files.xray_sequences import XraySequence

    found: Track
    with input_errors_end_the_command(as_json):
        if movie not in (None, "gif", "mp4"):
            raise InputError("--movie", f"{movie!r} is no kind of movie", "Use gif or mp4.")
        if rate is not None and not 0 < rate < inf:
            raise InputError("--rate", f"{rate:g} frames a second", "Give a number above zero.")
        files = xray_files(
            views,
            cameras=camera,
            sdd=sdd,
            sod=sod,
            spacing=spacing,
            angles=angles,
            frame=0,
            masks=mask,
            bone_is_bright=bone_bright,
        )
        sequences = [XraySequence(f.path, f.camera, f.geometry, f.mask, f.bone_is_bright) for f in files]
        with console.status("Reading the CT and the X-rays…") as status:

            def watch(progress: TrackProgress) -> None:
                status.update(f"{progress.done} of {progress.total} frames. {progress.words}")

            found = track_files(
                None if str(ct) == "-" else ct,
                sequences,
                output=out,
                start=start,
                starts=_named("--body-start", body_starts),
                key_frame=key_frame,
                first=first,
                last=last,
                bodies=[_body(text) for text in bodies or ()],
                labels=labels,
                joints=[_joint(text) for text in joints or ()],
                anatomical_frames={n: Path(f) for n, f in _named("--anatomical-frame", anatomical_frames).items()},
                frames_per_second=rate,
                similarity=similarity,
                weights=weight,
                series=series,
                movie=movie,
                device=device,
                watch=watch,
            )
    counts = {body.name: _counts(body.frames) for body in found.bodies}
    if as_json:
        print_json(
            {
                "frames": len(found.times),
                "bodies": counts,
                "track": str(out / "track.json"),
                "poses": str(out / "poses.csv"),
                "report": str(out / "report.html"),
            }
        )
    for name, count in counts.items():
        words = ", ".join(f"{number} {verdict}" for verdict, number in count.items() if number)
        say(f"{words} of {len(found.times)} frames", label=f"{name}:", style="bold")
    say(f"Report: {out / 'report.html'}")
    if not any(all(body.trusted[place] for body in found.bodies) for place in range(len(found.times))):
        raise typer.Exit(FAILED)


def _counts(frames: Any) -> dict[str, int]:
    return {
        verdict: sum(frame.verdict.value == verdict for frame in frames)
        for verdict in ("accepted", "doubtful", "failed")
    }


def _named(option: str, texts: list[str] | None) -> dict[str, str]:
    """NAME=VALUE pairs. InputError for something else and for double names."""
    pairs: dict[str, str] = {}
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not (sign and name and value):
            raise InputError(option, f"{text!r} is no NAME=VALUE", "Write the body's name, = and the value.")
        if name in pairs:
            raise InputError(option, f"was given twice for {name}", "Give it once a body.")
        pairs[name] = value
    return pairs


def _body(text: str) -> Any:
    from ..tracking.bodies import BodyFile

    name, _, rest = text.partition("=")
    kind, _, value = rest.partition(":")
    if name and value and kind == "label" and re.fullmatch(r"-?[0-9]{1,9}", value):
        return BodyFile(name, label=int(value))
    if name and value and kind in ("mask", "ct"):
        return BodyFile(name, mask=Path(value) if kind == "mask" else None, ct=Path(value) if kind == "ct" else None)
    raise InputError("--body", f"{text!r} is no body", "Write NAME=label:3, NAME=mask:FILE or NAME=ct:FILE.")


def _joint(text: str) -> tuple[str, str]:
    proximal, _, distal = text.partition(":")
    if not (proximal and distal):
        raise InputError("--joint", f"{text!r} is no joint", "Write PROXIMAL:DISTAL, two names of bodies.")
    return proximal, distal
