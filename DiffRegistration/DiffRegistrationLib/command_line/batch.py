"""`fluororeg batch`: the cases of a manifest, registered or tracked, with a table and a page of what came of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import FAILED, JsonOption, console, input_errors_end_the_command, print_json, say

if TYPE_CHECKING:
    from ..cohort.outcome import Outcome
    from ..cohort.workflow import Cohort, CohortProgress

# As shells tell of Ctrl-C.
_INTERRUPTED = 130


def batch(
    manifest: Annotated[
        Path,
        typer.Argument(help="CSV table with a line a case; columns case, ct, xrays, and others (docs/cohorts.md)."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for a folder a case, cohort.csv and index.html.")],
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, help="Cases at the same time on this machine (half as many as cores)."),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask", help="Run on the workers of this Dask scheduler (tcp://host:8786), not on this machine."
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also run again what failed and has not changed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Register or track a whole cohort. A bad case never stops the others.

    The same command goes on where it was ended, runs what was changed, and leaves the rest as it is. Exit code 0 when
    all cases have a pose that did not fail, 1 when some have not, 2 for a manifest or cluster that cannot be used.
    """
    from ..cohort.workflow import run_cohort

    told: set[str] = set()
    try:
        with input_errors_end_the_command(as_json), _shown(told) as watch:
            cohort = run_cohort(manifest, out, processes=processes, dask=dask, retry_failed=retry_failed, watch=watch)
    except KeyboardInterrupt:
        say("What is done is kept; the same command goes on from there.", label="Interrupted.", style="bold yellow")
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        print_json(cohort.as_dict())
    _show(cohort, told)
    if not cohort.is_done:
        raise typer.Exit(FAILED)


@contextmanager
def _shown(told: set[str]) -> Iterator[Callable[[CohortProgress], None]]:
    """A bar with the cases that are being run; failed ones stay as lines above it, and are put into `told`."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    running: list[str] = []
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Reading the manifest…", total=None)

        def watch(progress: CohortProgress) -> None:
            if progress.outcome is None:
                running.append(progress.case)
            else:
                running[:] = [name for name in running if name != progress.case]
                if not progress.outcome.is_done:
                    told.add(progress.case)
                    _tell(progress.outcome)
            bar.update(task, description=", ".join(running), completed=progress.done, total=progress.total)

        yield watch


def _tell(outcome: Outcome) -> None:
    say(outcome.words, label=f"{outcome.case or '(no name)'}:", style="bold red")


def _show(cohort: Cohort, told: set[str]) -> None:
    for outcome in cohort.outcomes:
        if not outcome.is_done and outcome.case not in told:
            _tell(outcome)
    count, done = len(cohort.outcomes), cohort.counts["done"]
    before = f" ({cohort.skipped} as they were before)" if cohort.skipped else ""
    say(
        f"{done} of {count} cases{before}",
        label="Done:",
        style="bold green" if cohort.is_done else "bold yellow",
    )
    others = {status: number for status, number in cohort.counts.items() if number and status != "done"}
    if others:
        say(", ".join(f"{number} {status}" for status, number in others.items()), label="Not done:", style="bold red")
    say(f"{cohort.index}, {cohort.table}", label="Written:")
