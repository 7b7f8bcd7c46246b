"""`fluororeg benchmark`: the figures of the documentation, measured again on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..pose_network.torch_needed import torch_needed
from ..xray.errors import InputError
from .device_option import DeviceOption
from .output import JsonOption, console, input_errors_end_the_command, print_json

app = typer.Typer(help="Measure speed, memory and convergence on this machine.", no_args_is_help=True)


def _show(content: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(content)
        return
    for key, value in content.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        console.print(f"{key}: {shown}", soft_wrap=True, markup=False)


@app.command("projector")
def projector(
    device: Annotated[str, typer.Option("--device", help="cpu or cuda: where both render.")] = "cpu",
    as_json: JsonOption = False,
) -> None:
    """DRR and pose gradient beside nanodrr on this machine's CPU, or on its GPU, and registrations there."""
    with input_errors_end_the_command(as_json), console.status("Rendering…") as status:
        if device == "cpu":
            from ..benchmarks import projector as benchmark

            content = benchmark.run(status.update)
        elif device == "cuda":
            with torch_needed():
                from ..benchmarks import projector_on_gpu

            content = projector_on_gpu.run(status.update)
        else:
            raise InputError(f"device {device!r}", "is not one to measure on", "Use --device cpu or --device cuda.")
    _show(content, as_json)


@app.command("scout")
def scout(
    starts: Annotated[int, typer.Option("--starts", min=1, help="How many seeded starts.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """The real lateral X-ray of a skull from many starts, and from none."""
    from ..benchmarks import scout as benchmark

    with input_errors_end_the_command(as_json), console.status("Registering…") as status:
        content = benchmark.run(starts, status.update)
    _show(content, as_json)


@app.command("wrist")
def wrist(
    starts: Annotated[int, typer.Option("--starts", min=1, help="How many seeded starts a bone and frame.")] = 20,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for report and poses.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Real dual fluoroscopy of a wrist: beads triangulated, two bones registered from many starts and from none."""
    from ..benchmarks import wrist as benchmark

    with input_errors_end_the_command(as_json), console.status("Registering…") as status:
        content = benchmark.run(starts, status.update, out)
    _show(content, as_json)


SubjectOption = Annotated[
    str, typer.Option("--subject", help="Whose CT is learnt: visible-human, or phantom, which needs no data.")
]


@app.command("head-motion")
def head_motion(
    frames: Annotated[int, typer.Option("--frames", min=2, help="Frames of each activity.")] = 100,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for tracks, reports and movies.")] = None,
    subject: SubjectOption = "visible-human",
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """A head that nods and walks in simulated dual fluoroscopy, followed with no start told."""
    from ..benchmarks import head_motion as benchmark

    with input_errors_end_the_command(as_json), console.status("Simulating…") as status:
        content = benchmark.run(frames, tell=status.update, folder=out, subject=subject, device=device)
    _show(content, as_json)


@app.command("training")
def training(
    recipe: Annotated[list[str] | None, typer.Option("--recipe", help="A recipe to compare; may be repeated.")] = None,
    loss: Annotated[
        list[str] | None, typer.Option("--loss", help="A loss to compare in the default recipe; may be repeated.")
    ] = None,
    minutes: Annotated[float, typer.Option("--minutes", help="How long each is trained.")] = 8.0,
    preset: Annotated[str, typer.Option("--preset", help="The views.")] = "head-ap",
    subject: SubjectOption = "visible-human",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, mps or auto: where they are trained.")] = "cpu",
    reach: Annotated[
        float | None, typer.Option("--reach", help="Error (mm) of another training: say when it was reached.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Error of pose networks against training time: all recipes, or those and the losses that are named."""
    with input_errors_end_the_command(as_json), console.status("Training…") as status:
        with torch_needed():
            from ..benchmarks import training as benchmark

        chosen = benchmark.compared(recipe or ([] if loss else benchmark.COMPARED_RECIPES), loss or [])
        content = benchmark.run(
            chosen, minutes, subject=subject, preset=preset, device=device, reach_mm=reach, tell=status.update
        )
    if not as_json:
        for name, one in content["trainings"].items():
            last = one["milestones"][-1]["validation"]
            console.print(
                f"{name}: {last['distance_mm']:.1f} mm, {last['rotation_deg']:.1f}° after {one['steps']} steps, "
                f"{one['images_per_second']:.0f} images/s",
                soft_wrap=True,
                markup=False,
            )
        return
    _show(content, as_json)


@app.command("interruptions")
def interruptions(
    minutes: Annotated[float, typer.Option("--minutes", help="How long each of two is trained.")] = 4.0,
    kills: Annotated[int, typer.Option("--kills", min=1, help="How often the first is killed.")] = 10,
    subject: SubjectOption = "visible-human",
    as_json: JsonOption = False,
) -> None:
    """A training that is killed at random moments and gone on with, beside one that is not."""
    with input_errors_end_the_command(as_json), console.status("Training…") as status:
        with torch_needed():
            from ..benchmarks import interruptions as benchmark

        content = benchmark.run(minutes, kills, subject=subject, tell=status.update)
    _show(content, as_json)
