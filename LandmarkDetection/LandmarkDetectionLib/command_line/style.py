"""`fluororeg style`: learn to translate X-rays to the look of DRRs, and translate them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from DiffRegistrationLib.command_line.geometry_options import BoneOption, FrameOption
from DiffRegistrationLib.command_line.output import (
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

if TYPE_CHECKING:
    from ..style.validation import StyleValidation

app = typer.Typer(help="The look of X-rays, and that of DRRs.", no_args_is_help=True)


@app.command("train")
def train(
    xrays: Annotated[Path, typer.Argument(help="Folder of X-rays: DICOM files and pictures, unpaired, of any size.")],
    out: Annotated[Path, typer.Option("--out", help="File of the translation, ending in .pt.")] = Path("style.pt"),
    method: Annotated[
        str, typer.Option("--method", help="cut (one way, sooner) or cyclegan (there and back).")
    ] = "cut",
    ct: Annotated[
        list[Path] | None, typer.Option("--ct", help="CT whose DRRs show the look; repeat. None: the template heads.")
    ] = None,
    views: Annotated[
        str,
        typer.Option(
            "--views", help="fluoroscopy, around-front, dual-fluoroscopy, frontal, lateral, any-view, or a .toml file."
        ),
    ] = "fluoroscopy",
    minutes: Annotated[float, typer.Option("--minutes", help="How long to train.")] = 20.0,
    size: Annotated[int, typer.Option("--size", help="Pixels along an image's side.")] = 128,
    batch: Annotated[int, typer.Option("--batch", min=1, max=256, help="Images of each look a step.")] = 2,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same images.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")] = "auto",
    as_json: LinesOption = False,
) -> None:
    """Learn to translate X-rays to the look of DRRs, from images that show different things.

    OUT.preview.png shows what it does, anew every few seconds. A killed training goes on with the same command.
    Ctrl-C ends it and keeps what there is.
    """
    with input_errors_end_the_command(as_json):
        with torch_needed():
            from DiffRegistrationLib.training.training_loop import Budget
            from DiffRegistrationLib.training.workflow import check_model_path
            from DiffRegistrationLib.xray.files.ct_files import read_ct

            from ..population.view_ranges import view_ranges
            from ..style.trainer import StyleRecipe
            from ..style.workflow import train_style
            from ..style.xray_folder import xray_looks
            from ..training.training_files import template_cts
        if not minutes > 0:
            raise InputError("--minutes", f"expected more than 0, got {minutes:g}", "20 are enough for most.")
        check_model_path(out)
        ranges = view_ranges(views)
        looks = xray_looks(xrays, say)
        cts = [read_ct(path) for path in ct] if ct else template_cts(say)
        with asked_to_stop() as stopped, shown_progress(as_json, _in_words, "Rendering DRRs…") as tell:
            result = train_style(
                looks,
                cts,
                out,
                views=ranges,
                budget=Budget(seconds=60 * minutes),
                recipe=StyleRecipe(method=method, size=size, batch=batch),
                seed=seed,
                device=device,
                tell=tell,
                say=say,
                stopped=stopped,
            )
    if as_json:
        content: dict[str, Any] = {"event": "end", "model": str(result.model), "preview": str(result.preview)}
        print_line(content | {"stopped": result.stopped} | progress_as_dict(result.progress))
    v = result.progress.validation
    assert v is not None
    say(
        f"structures moved by {v.shift_px:.2f} px on average; tones are {v.tones:.3f} from those of DRRs "
        f"({v.tones_before:.3f} before), edges {v.edges:.3f} ({v.edges_before:.3f}), after "
        f"{result.progress.step} steps",
        label="Stopped:" if result.stopped else "Trained:",
        style="bold",
    )
    say(
        f"{result.model}. Look at {result.preview}, then: fluororeg style apply {result.model} X-RAY …",
        label="Written:",
    )


@app.command("apply")
def apply(
    model: Annotated[Path, typer.Argument(help="File of fluororeg style train.")],
    xrays: Annotated[list[Path], typer.Argument(help="X-ray images.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures.")] = Path("translated"),
    frame: FrameOption = 0,
    bone_bright: BoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Translate X-rays: writes NAME.png for each, 16 bits, bone bright, pixel by pixel where it was.

    They are line integrals then: give --bone-bright where they are read again.
    """
    with input_errors_end_the_command(as_json), console.status("Translating…"):
        with torch_needed():
            from ..style.applied import translate_files
            from ..style.translation_file import read_translation
        translation = read_translation(model)
        written = translate_files(translation, xrays, out, frame=frame, bone_is_bright=bone_bright)
    if as_json:
        print_json(
            {"model": str(model), "translated": [{"file": str(one.file), "shift_px": one.shift_px} for one in written]}
        )
    for one in written:
        shift = (
            "nothing in it can be compared" if one.shift_px is None else f"structures moved by {one.shift_px:.2f} px"
        )
        say(f"{one.file}; {shift}", label="Written:")


@app.command("simulate")
def simulate(
    ct: Annotated[Path, typer.Argument(help="CT of a head.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the X-rays.")],
    landmarks: Annotated[Path | None, typer.Option("--landmarks", help="Its landmarks, if not beside it.")] = None,
    views: Annotated[str, typer.Option("--views", help="As in style train.")] = "fluoroscopy",
    count: Annotated[int, typer.Option("--count", min=1, help="X-rays.")] = 120,
    as_json: JsonOption = False,
) -> None:
    """Simulate X-rays of a head in the evaluation ranges, random views, as a folder to learn a look from."""
    with input_errors_end_the_command(as_json), console.status("Simulating…"):
        with torch_needed():
            from ..evaluation.style_evaluation import write_simulated_xrays
            from ..population.view_ranges import view_ranges
            from ..training.training_files import heads_to_train_on
        (head,) = heads_to_train_on(ct, landmarks, is_population=False, say=say)
        write_simulated_xrays(out, head, view_ranges(views), count)
    if as_json:
        print_json({"folder": str(out), "count": count})
    say(f"{count} X-rays: {out}", label="Written:")


@app.command("evaluate")
def evaluate(
    ct: Annotated[Path, typer.Argument(help="CT of the head that the networks were trained on.")],
    network: Annotated[list[str], typer.Option("--network", help="Landmark network, as NAME=FILE; repeat.")],
    translation: Annotated[
        list[str] | None, typer.Option("--translation", help="Translation to judge, as NAME=FILE; repeat.")
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option("--landmarks", help="The CT's landmarks, if not beside it.")
    ] = None,
    views: Annotated[str, typer.Option("--views", help="As in style train.")] = "fluoroscopy",
    count: Annotated[int, typer.Option("--count", min=1, help="Simulated X-rays.")] = 60,
    as_json: JsonOption = False,
) -> None:
    """Judge what translating is worth: landmark errors on simulated X-rays as they are, in matched tones and
    translated, beside those on clean DRRs of the same views.
    """
    with input_errors_end_the_command(as_json):
        with torch_needed():
            from ..evaluation.style_evaluation import evaluated_style
            from ..network.model_file import read_detector
            from ..population.view_ranges import view_ranges
            from ..style.translation_file import read_translation
            from ..training.training_files import heads_to_train_on
        networks = {name: read_detector(file) for name, file in _named("--network", network).items()}
        (head,) = heads_to_train_on(ct, landmarks, is_population=False, say=say)
        for name, file in _named("--network", network).items():
            networks[name].check_knows(head.ct, file)
        translations = {name: read_translation(file) for name, file in _named("--translation", translation).items()}
        with console.status("Simulating and finding…") as status:
            content = evaluated_style(
                networks,
                translations,
                head,
                view_ranges(views),
                count,
                tell=lambda done: status.update(f"{done} of {count} X-rays"),
            )
    if as_json:
        print_json(content)
    for name, ways in content["errors"].items():
        for way, one in ways.items():
            text = f"{one['mean_mm']:.2f} mm, {one['within_10_mm']:.1%} within 10 mm ({one['landmarks']} landmarks)"
            say(text, label=f"{name}, {way}:", style="bold")
    for name, shift in content["shift_px"].items():
        if shift is not None:
            say(f"structures moved by {shift:.2f} px on average", label=f"{name}:", style="bold")


def _named(option: str, given: list[str] | None) -> dict[str, Path]:
    """Files by name. InputError for what is not NAME=FILE, and for a name that comes twice."""
    named: dict[str, Path] = {}
    for text in given or ():
        name, equals, file = text.partition("=")
        if not (name and equals and file) or name in named:
            raise InputError(
                f"{option} {text!r}", "is not NAME=FILE with a name of its own", f"Write {option} NAME=FILE."
            )
        named[name] = Path(file)
    return named


def _in_words(validation: StyleValidation) -> str:
    return validation.words
