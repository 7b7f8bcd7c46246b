"""What commands that train share: lines of JSON or a bar as it goes on, and Ctrl-C that keeps what there is."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from .output import console, finite, say

if TYPE_CHECKING:
    from ..training.training_loop import Progress

V = TypeVar("V")

LinesOption = Annotated[
    bool, typer.Option("--json", help="Print a line of JSON for each progress, and a last one for the result.")
]


def progress_as_dict(progress: Progress[Any]) -> dict[str, Any]:
    """Where a training is, for JSON."""
    return {
        "step": progress.step,
        "seconds": progress.seconds,
        "seconds_left": progress.seconds_left,
        "part": progress.part,
        "loss": progress.loss,
        "images_per_second": progress.images_per_second,
        "validation": None if progress.validation is None else asdict(progress.validation),
    }


def print_line(content: dict[str, Any]) -> None:
    """A line of JSON on stdout, at once."""
    sys.stdout.write(json.dumps(finite(content), allow_nan=False) + "\n")
    sys.stdout.flush()


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or a polite kill came; a second one ends the program as ever."""
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, _frame: Any) -> None:
        asked.append(number)
        say("Stopping; what is learnt so far is kept…")
        for which, handler in before.items():
            signal.signal(which, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def shown_progress(
    as_json: bool, error_in_words: Callable[[V], str], preparing: str
) -> Iterator[Callable[[Progress[V]], None]]:
    """Progress as lines of JSON, or as a bar with the error of the last validation; it begins with `preparing`."""
    if as_json:
        yield lambda progress: print_line({"event": "progress"} | progress_as_dict(progress))
        return
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(preparing, total=1.0)

        def tell(progress: Progress[V]) -> None:
            v = progress.validation
            error = "" if v is None else f", off by {error_in_words(v)}"
            text = f"Step {progress.step}, loss {progress.loss:.2f}{error}; {progress.images_per_second:.0f} images/s"
            bar.update(task, description=text, completed=progress.part)

        yield tell
