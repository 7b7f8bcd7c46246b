"""`fluororeg train`: a pose network for one patient's CT, in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..pose_network.torch_needed import torch_needed
from ..xray.errors import InputError
from .output import input_errors_end_the_command, say
from .training_progress import LinesOption, asked_to_stop, print_line, progress_as_dict, shown_progress

if TYPE_CHECKING:
    from ..training.preset import Preset
    from ..training.validation import Validation
    from ..xray.ct import CT


def train(
    ct: Annotated[Path, typer.Argument(help="CT: a DICOM folder, NRRD, NIfTI or MetaImage.")],
    out: Annotated[Path, typer.Option("--out", help="File of the network, ending in .pt.")],
    preset: Annotated[
        str,
        typer.Option(
            "--preset", help="Views: head-ap, head-lateral, head-wide, pelvis-ap, wrist, or a .toml file like theirs."
        ),
    ] = "head-ap",
    minutes: Annotated[float, typer.Option("--minutes", help="How long to train.")] = 8.0,
    preview: Annotated[bool, typer.Option("--preview", help="Only draw the views that would be trained on.")] = False,
    recipe: Annotated[
        str, typer.Option("--recipe", help="Network, loss and pace: compact, resnet18 or diffpose.")
    ] = "compact",
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, max=4096, help="Images a step; the recipe's by default.")
    ] = None,
    size: Annotated[int | None, typer.Option("--size", min=32, max=512, help="Pixels along an image's side.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same images.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    series: Annotated[
        str | None, typer.Option("--series", help="Series of a DICOM folder that holds several.")
    ] = None,
    as_json: LinesOption = False,
) -> None:
    """Train a pose network for a CT: writes the network, what it takes to go on, and a picture of the views.

    A killed training goes on with the same command; more --minutes prolong it. Ctrl-C ends it and keeps what there
    is. Several GPUs or machines: torchrun --no-python fluororeg train …
    """
    with input_errors_end_the_command(as_json):
        with torch_needed():
            from ..training.preset import preset_named
            from ..training.recipe import recipe_named
            from ..training.training_loop import Budget
            from ..training.workflow import check_model_path
            from ..training.workflow import train as train_network
            from ..xray.files.ct_files import read_ct
        if not minutes > 0:
            raise InputError("--minutes", f"expected more than 0, got {minutes:g}", "8 are enough for one view.")
        chosen = recipe_named(recipe)
        chosen = chosen.changed(batch, size)
        # Both before the CT is read, which takes longer than to see a slip of the finger.
        views = preset_named(preset)
        check_model_path(out)
        if preview:
            _preview(read_ct(ct, series=series), out, views, as_json)
            return
        with asked_to_stop() as stopped, shown_progress(as_json, _in_words, "Preparing the CT…") as tell:
            result = train_network(
                read_ct(ct, series=series),
                out,
                preset=views,
                recipe=chosen,
                budget=Budget(seconds=60 * minutes),
                seed=seed,
                device=device,
                tell=tell,
                say=say,
                stopped=stopped,
            )
    content = {"event": "end", "model": str(result.model), "views": str(result.views), "stopped": result.stopped}
    if as_json:
        print_line(content | progress_as_dict(result.progress))
    v = result.progress.validation
    assert v is not None
    say(
        f"{v.distance_mm:.1f} mm (95 % below {v.p95_distance_mm:.1f} mm), {v.rotation_deg:.1f}°, {v.depth_mm:.1f} mm "
        f"of it in depth, on images it never saw, after {result.progress.step} steps",
        label="Stopped:" if result.stopped else "Trained:",
        style="bold",
    )
    say(f"{result.model}. Use it with fluororeg register … --start {result.model}", label="Written:")


def _preview(ct: CT, out: Path, preset: Preset, as_json: bool) -> None:
    from ..training.sampled_views import check_views, sampled_views, write_views

    picture = out.with_suffix(".views.png")
    views = sampled_views(ct, preset)
    write_views(picture, views)
    check_views(views, preset, picture)
    if as_json:
        print_line({"event": "end", "views": str(picture)})
    say(str(picture), label="Written:")


def _in_words(error: Validation) -> str:
    return f"{error.distance_mm:.1f} mm, {error.rotation_deg:.1f}°"
