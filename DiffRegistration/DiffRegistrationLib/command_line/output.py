"""What every verb shares: JSON on stdout, words and progress on stderr, and a clear end for bad input."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

from ..xray.errors import InputError

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]

# Words go to stderr, so that stdout can be piped.
console = Console(stderr=True, highlight=False)

BAD_INPUT, FAILED = 2, 1


def print_json(content: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(content, indent=2) + "\n")
    sys.stdout.flush()


@contextmanager
def input_errors_end_the_command(as_json: bool) -> Iterator[None]:
    """Bad input ends the command with its message and exit code 2, without a traceback."""
    try:
        yield
    except InputError as error:
        if as_json:
            content = {"subject": error.subject, "problem": error.problem, "remedy": error.remedy}
            print_json({"error": content})
        console.print(f"[bold red]Error:[/] {_plain(str(error))}", soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None


def _plain(text: str) -> str:
    # Brackets of file names are not markup.
    return text.replace("[", "\\[")
