"""`fluororeg benchmark`: the figures of the documentation, measured again on this machine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

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
def projector(as_json: JsonOption = False) -> None:
    """DRR and pose gradient beside nanodrr on this machine's CPU."""
    from ..benchmarks import projector as benchmark

    with input_errors_end_the_command(as_json), console.status("Rendering…") as status:
        content = benchmark.run(status.update)
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
