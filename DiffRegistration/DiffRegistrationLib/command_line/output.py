"""What every verb shares: JSON on stdout, words and progress on stderr, and a clear end for bad input."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ..xray.errors import UNUSABLE, InputError, as_input_error

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]

# Words go to stderr, so that stdout can be piped.
console = Console(stderr=True, highlight=False)

BAD_INPUT, FAILED = 2, 1


def say(text: str, *, label: str = "", style: str = "") -> None:
    """A line on stderr, after a `label` in a rich `style`; brackets in file names stay what they are."""
    console.print(Text(label, style), Text(text), sep=" " if label else "", soft_wrap=True)


def print_json(content: dict[str, Any]) -> None:
    """One JSON object on stdout; numbers that JSON does not have (NaN, infinity) are null."""
    sys.stdout.write(json.dumps(finite(content), indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


@contextmanager
def quiet_readers() -> Iterator[None]:
    """Without the warnings of pydicom, which speak to programmers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def input_errors_end_the_command(as_json: bool) -> Iterator[None]:
    """Bad input ends the command with its message and exit code 2, without a traceback."""
    try:
        with quiet_readers():
            yield
    except UNUSABLE as error:
        shown = tell(error)
        if as_json:
            print_json({"error": shown})
        raise typer.Exit(BAD_INPUT) from None


def tell(error: InputError | OSError | MemoryError) -> dict[str, str]:
    """Print what is wrong, with what, and what to do; returns the same for JSON."""
    error = as_input_error(error)
    say(str(error), label="Error:", style="bold red")
    return {"subject": error.subject, "problem": error.problem, "remedy": error.remedy}


def finite(content: Any) -> Any:
    """`content` with null for the numbers that JSON does not have."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
