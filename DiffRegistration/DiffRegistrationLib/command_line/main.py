"""The command `fluororeg` and its verbs."""

from __future__ import annotations

import io
import sys
from typing import Any

import typer
from LandmarkDetectionLib.command_line.landmarks import app as landmarks_app
from LandmarkDetectionLib.command_line.style import app as style_app
from typer.core import TyperGroup

from .batch import batch
from .benchmark import app as benchmark_app
from .calibration import app as calibration_app
from .demo import demo
from .drr import drr
from .evaluate import evaluate
from .info import info
from .output import BAD_INPUT, print_json
from .register import register
from .simulate import simulate
from .track import track
from .train import train
from .triangulate import triangulate


class _Verbs(TyperGroup):
    """Options that are unknown or missing end like other bad input: with a JSON object where one was asked for."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        wants_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except Exception as error:
            # typer carries its own copy of click in some versions, so the class of usage errors has no fixed place.
            if wants_json and getattr(error, "exit_code", None) == BAD_INPUT and hasattr(error, "format_message"):
                verb = ctx.invoked_subcommand or ""
                content = {
                    "subject": f"fluororeg {verb}".strip(),
                    "problem": error.format_message(),
                    "remedy": f"See fluororeg {verb} --help." if verb else "See fluororeg --help.",
                }
                print_json({"error": content})
            raise


app = typer.Typer(
    name="fluororeg",
    help="Align a patient's CT to X-ray images.",
    cls=_Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("info")(info)
app.command("drr")(drr)
app.command("batch")(batch)
app.command("train")(train)
app.command("register")(register)
app.command("track")(track)
app.command("triangulate")(triangulate)
app.command("simulate")(simulate)
app.command("demo")(demo)
app.command("evaluate")(evaluate)
app.add_typer(landmarks_app, name="landmarks")
app.add_typer(style_app, name="style")
app.add_typer(calibration_app, name="calibration")
app.add_typer(benchmark_app, name="benchmark")


def run() -> None:
    """Entry point of the command."""
    # A pipe on Windows takes few of the letters and signs that file names and tables hold.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
