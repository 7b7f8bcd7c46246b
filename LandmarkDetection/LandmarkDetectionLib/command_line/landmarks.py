"""`fluororeg landmarks`: carry landmarks to a CT, train a network that finds them, find them, and judge all of it."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer
from DiffRegistrationLib.command_line.geometry_options import (
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
from DiffRegistrationLib.command_line.output import (
    FAILED,
    JsonOption,
    console,
    input_errors_end_the_command,
    print_json,
    say,
)
from DiffRegistrationLib.command_line.training_progress import (
    LinesOption,
    asked_to_stop,
    print_line,
    progress_as_dict,
    shown_progress,
)
from DiffRegistrationLib.pose_network.torch_needed import torch_needed
from DiffRegistrationLib.xray.errors import InputError

from .exposure import exposure
from .landmark_evaluation import evaluate, evaluate_motion, evaluate_transfer
from .model_argument import ModelArgument, StyleOption

if TYPE_CHECKING:
    from ..training.validation import LandmarkValidation

app = typer.Typer(help="Skull landmarks: on CTs and in X-rays.", no_args_is_help=True)

app.command("evaluate")(evaluate)
app.command("evaluate-motion")(evaluate_motion)
app.command("evaluate-transfer")(evaluate_transfer)
app.command("exposure")(exposure)


@app.command("transfer")
def transfer(
    ct: Annotated[Path, typer.Argument(help="CT of a head: a DICOM folder, NRRD, NIfTI or MetaImage.")],
    out: Annotated[Path, typer.Option("--out", help="File of the landmarks, ending in .mrk.json.")],
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="Landmarks that were corrected or placed in 3D Slicer: they stay and lead."),
    ] = None,
    series: Annotated[
        str | None, typer.Option("--series", help="Series of a DICOM folder that holds several.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Carry the template's 55 landmarks to a CT: writes markups for 3D Slicer with an uncertainty for each.

    Where --out exists, what was corrected in it is kept.
    """
    from DiffRegistrationLib.xray.files.ct_files import read_ct

    from ..atlas.head import template_head
    from ..atlas.landmark_files import read_landmarks, write_landmarks
    from ..atlas.transfer import transferred

    with input_errors_end_the_command(as_json):
        if not out.name.endswith(".mrk.json"):
            raise InputError(out, "does not end in .mrk.json", "Give a name that 3D Slicer knows as markups.")
        before = keep or (out if out.exists() else None)
        kept = None if before is None else read_landmarks(before)
        volume = read_ct(ct, series=series)
        template = template_head()
        with console.status("Carrying landmarks…") as status:
            result = transferred(
                template, volume, kept=kept, tell=lambda stage, part: status.update(f"{stage} ({part:.0%})")
            )
        write_landmarks(out, result.landmarks)
    landmarks = result.landmarks
    if as_json:
        print_json(
            {
                "landmarks": str(out),
                "template": template.name,
                "agreement": result.agreement,
                "bone_overlap": result.bone_overlap,
                "surface_mm": result.surface_mm,
                "doubtful": result.is_doubtful,
                "outside": [n for n, there in zip(landmarks.names, landmarks.is_in_ct, strict=True) if not there],
                "words": list(result.words),
            }
        )
    for line in result.words:
        say(line)
    say(
        f"{int(landmarks.is_in_ct.sum())} of {len(landmarks.names)} landmarks lie in the CT; bone surfaces agree to "
        f"{result.surface_mm:.1f} mm. {out}",
        label="Doubtful:" if result.is_doubtful else "Carried:",
        style="bold yellow" if result.is_doubtful else "bold",
    )


@app.command("train")
def train(
    heads: Annotated[
        Path | None, typer.Argument(help="A CT, or a folder of CTs, with landmarks beside them; none: the templates.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="File of the network, ending in .pt.")] = Path("landmarks.pt"),
    population: Annotated[
        bool, typer.Option("--population", help="For any head: ever new ones are made from those given.")
    ] = False,
    landmarks: Annotated[
        Path | None, typer.Option("--landmarks", help="Landmarks of one CT (.mrk.json), if not beside it.")
    ] = None,
    views: Annotated[
        str,
        typer.Option(
            "--views", help="fluoroscopy, around-front, dual-fluoroscopy, frontal, lateral, any-view, or a .toml file."
        ),
    ] = "fluoroscopy",
    minutes: Annotated[float, typer.Option("--minutes", help="How long to train.")] = 10.0,
    begin_with: Annotated[
        Path | None,
        typer.Option(
            "--begin-with", help="A network that knows other heads or views already, as of heads in general."
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size", min=64, max=512, help="Pixels along an image's side: 96, or as the network begun with."
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=4096, help="Images a step.")] = 32,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Clean DRRs, shutters apart: for X-rays translated to that look (style train)."),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same images.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    as_json: LinesOption = False,
) -> None:
    """Train a network that finds the landmarks, for one patient's CT or (--population) for heads in general.

    A killed training goes on with the same command; more --minutes prolong it. Ctrl-C ends it and keeps what there
    is. Several GPUs or machines: torchrun --no-python fluororeg landmarks train …
    """
    with input_errors_end_the_command(as_json):
        with torch_needed():
            from DiffRegistrationLib.training.training_loop import Budget
            from DiffRegistrationLib.training.workflow import check_model_path

            from ..population.view_ranges import view_ranges
            from ..training.training_files import heads_to_train_on
            from ..training.workflow import recipe_of, train_landmarks
        if not minutes > 0:
            raise InputError("--minutes", f"expected more than 0, got {minutes:g}", "10 are enough for one patient.")
        check_model_path(out)
        ranges = view_ranges(views)
        recipe = recipe_of(begin_with, out, size=size, batch=batch, plain=plain)
        chosen = heads_to_train_on(heads, landmarks, is_population=population, say=say)
        with asked_to_stop() as stopped, shown_progress(as_json, _in_words, "Preparing heads…") as tell:
            result = train_landmarks(
                chosen,
                out,
                is_population=population,
                views=ranges,
                budget=Budget(seconds=60 * minutes),
                recipe=recipe,
                begin_with=begin_with,
                seed=seed,
                device=device,
                tell=tell,
                say=say,
                stopped=stopped,
            )
    if as_json:
        content = {"event": "end", "model": str(result.model), "views": str(result.views), "stopped": result.stopped}
        print_line(content | progress_as_dict(result.progress))
    v = result.progress.validation
    assert v is not None
    say(
        f"{v.seen_mm:.1f} mm off in the image where landmarks are seen, {v.hidden_mm:.1f} mm where not; "
        f"{v.within_2d:.1%} within 10 mm, {v.within_3d:.1%} in space, after {result.progress.step} steps",
        label="Stopped:" if result.stopped else "Trained:",
        style="bold",
    )
    say(f"{result.model}. Use it with fluororeg landmarks detect {result.model} X-RAY …", label="Written:")


@app.command("detect")
def detect(
    model: ModelArgument,
    xrays: Annotated[list[Path], typer.Argument(help="X-ray images.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for landmarks and report.")] = Path("landmarks"),
    ct: Annotated[
        Path | None, typer.Option("--ct", help="The head's CT: it is registered from there, and shows its landmarks.")
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option("--landmarks", help="Landmarks of that CT (.mrk.json), if the network has none.")
    ] = None,
    template: Annotated[
        bool,
        typer.Option(
            "--template", help="Without a CT: lay a template head over each X-ray, deformed to it (10 s to 2 min)."
        ),
    ] = False,
    skull: Annotated[
        bool, typer.Option("--skull", help="Write the skull, warped to the landmarks, as .vtp and .stl, too.")
    ] = False,
    style: StyleOption = None,
    depth: Annotated[
        float | None,
        typer.Option(
            "--depth", help="Distance of the head's middle from the source (mm), where known, as of the isocentre."
        ),
    ] = None,
    camera: CameraOption = None,
    sdd: SddOption = None,
    sod: SodOption = None,
    spacing: SpacingOption = None,
    angles: AnglesOption = None,
    frame: FrameOption = 0,
    mask: MaskOption = None,
    bone_bright: BoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the skull's landmarks in X-rays: writes a table, JSON, markups for 3D Slicer and an HTML report.

    Exit code 0, or 1 where no X-ray shows a head as the network knows them.
    """
    with input_errors_end_the_command(as_json):
        with torch_needed():
            from ..detection.detection_files import detections_as_dict
            from ..detection.workflow import detect_files
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
        with console.status("Finding landmarks…"):
            views = detect_files(
                model,
                files,
                output=out,
                ct=ct,
                landmarks=landmarks,
                style=style,
                depth_mm=depth,
                with_template=template,
                with_skull=skull,
            )
    if as_json:
        content = [detections_as_dict(view.found) for view in views]
        print_json({"views": content, "report": str(out / "report.html")})
    for view in views:
        found = view.found
        shown = found.is_shown
        typical = float(median(found.uncertainty_mm[shown])) if shown.any() else float("nan")
        text = f"{int(shown.sum())} landmarks in the image, which expect to be off by {typical:.1f} mm"
        if ct is not None:
            placed = (
                "by registering the CT" if found.is_registered else "by the network: the CT could not be registered"
            )
            text += f"; placed {placed}"
        if found.is_fitted:
            text += "; placed by a template head"
        if found.is_sure:
            say(text, label=f"{view.name}:", style="bold")
        else:
            say(f"{found.words}. Is this a head?", label=f"{view.name}, doubtful:", style="bold yellow")
    say(f"Report: {out / 'report.html'}")
    if not any(view.found.is_sure for view in views):
        raise typer.Exit(FAILED)


@app.command("data-set")
def data_set(
    out: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    heads: Annotated[
        Path | None, typer.Option("--heads", help="Folder of CTs with landmarks beside them; none: the templates.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Images.")] = 10240,
    views: Annotated[
        str,
        typer.Option(
            "--views", help="fluoroscopy, around-front, dual-fluoroscopy, frontal, lateral, any-view, or a .toml file."
        ),
    ] = "fluoroscopy",
    size: Annotated[int, typer.Option("--size", min=32, max=1024, help="Pixels along an image's side.")] = 96,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same images.")] = 0,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Processes that share the work.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Write X-rays of a synthetic population with their landmarks in 2D, depth and 3D, for other programs.

    A data set that was interrupted goes on with the same command. Several machines: torchrun --no-python fluororeg …
    """
    with input_errors_end_the_command(as_json):
        with torch_needed():
            from ..population.data_set_writing import write_data_set
            from ..population.view_ranges import view_ranges
            from ..training.training_files import heads_to_train_on
        chosen = heads_to_train_on(heads, None, is_population=True, say=say)
        with console.status("Making images…") as status:
            summary = write_data_set(
                chosen,
                out,
                count=count,
                ranges=view_ranges(views),
                image_size=size,
                seed=seed,
                processes=processes,
                tell=lambda progress: status.update(f"{progress.images} of {count} images"),
            )
    if as_json:
        print_json({"folder": str(out), "written": summary.written, "kept": summary.kept, "seconds": summary.seconds})
    say(f"{summary.written} shards written, {summary.kept} were there: {out}", label="Data set:", style="bold")


def _in_words(error: LandmarkValidation) -> str:
    return error.words
