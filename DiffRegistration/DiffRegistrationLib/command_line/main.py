"""The command `fluororeg` and its verbs."""

from __future__ import annotations

import typer

from .benchmark import app as benchmark_app
from .demo import demo
from .drr import drr
from .info import info
from .register import register

app = typer.Typer(
    name="fluororeg",
    help="Align a patient's CT to X-ray images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("info")(info)
app.command("drr")(drr)
app.command("register")(register)
app.command("demo")(demo)
app.add_typer(benchmark_app, name="benchmark")


def run() -> None:
    """Entry point of the command."""
    app()
