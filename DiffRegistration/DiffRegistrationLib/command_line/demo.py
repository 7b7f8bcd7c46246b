"""`fluororeg demo`: the main job end to end, on the best data that can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import FAILED, JsonOption, console, input_errors_end_the_command, print_json

if TYPE_CHECKING:
    from ..demonstration import Case
    from ..training.training_loop import Progress

OutOption = Annotated[Path, typer.Option("--out", help="Folder for X-rays, poses and reports.")]


def demo(out: OutOption = Path("demo-output"), as_json: JsonOption = False) -> None:
    """Register a head CT to simulated X-rays, also from a network trained in a minute, and to a real one if at hand.

    The CT, X-rays and camera files stay in the folder, to be registered again by hand. Exit code 1 if one failed.
    """

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, markup=False)

    cases = []
    waiting = "Working… the first run on a machine takes some 20 s longer"
    with input_errors_end_the_command(as_json), console.status(waiting) as status:
        for case in _all_cases(out, say, status.update):
            cases.append(case)
            say(f"  {case.result.verdict.value} after {case.result.seconds:.1f} s; {_error_in_words(case)}")
    _tell(cases)
    if as_json:
        print_json({"cases": [_as_dict(case) for case in cases]})
    if any(case.result.verdict == "failed" for case in cases):
        raise typer.Exit(FAILED)


def _all_cases(out: Path, say: Callable[[str], None], tell: Callable[[str], None]) -> Iterator[Case]:
    from ..demonstration import from_network, real_scout, simulated_views

    def told(progress: Progress) -> None:
        v = progress.validation
        off = "" if v is None else f", so far off by {v.distance_mm:.0f} mm and {v.rotation_deg:.0f}°"
        tell(f"Learning: {progress.seconds_left:.0f} s left{off}")

    simulated: list[Case] = []
    for case in simulated_views(out, say):
        simulated.append(case)
        yield case
    yield from from_network(simulated[0], out, say, told)
    yield from real_scout(out, say)


def _error_in_words(case: Case) -> str:
    error = case.error
    return (
        f"off the {'truth' if case.simulated else 'pose of the scanner'} by {error.rotation_deg:.2f}°, "
        f"{error.in_plane_mm:.2f} mm in the image plane and {abs(error.depth_mm):.1f} mm in depth"
    )


def _tell(cases: Sequence[Case]) -> None:
    """What came out, what it is worth, and what to open."""
    from rich.table import Table

    table = Table(title="What came out", title_justify="left")
    for heading in ("X-rays", "verdict", "rotation off", "in plane", "in depth", "mean, 3D"):
        table.add_column(heading, justify="left" if heading in ("X-rays", "verdict") else "right", overflow="fold")
    for case in cases:
        error = case.error
        table.add_row(
            case.name,
            case.result.verdict.value,
            f"{error.rotation_deg:.2f}°",
            f"{error.in_plane_mm:.2f} mm",
            f"{abs(error.depth_mm):.1f} mm",
            f"{error.mtre_mm:.2f} mm",
        )
    console.print(table)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    say(
        "The truth of the simulated X-rays is known, so these are true errors (mean, 3D: over the corners of the box "
        "half the size of the CT). They were made from the very CT that is registered: real ones come out worse."
    )
    if not all(case.simulated for case in cases):
        say(
            "For the real X-ray the scanner's own pose stands in for the truth; it is good to about 0.3° and 0.6 mm "
            "in the image plane. A localizer hardly shows depth, and its error in depth makes the mean."
        )
    say("Open in a browser and press “Flicker”; bone edges must stand still:")
    for case in cases:
        say(f"  {case.report.resolve()}")


def _as_dict(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "subject": case.subject,
        "simulated": case.simulated,
        "verdict": case.result.verdict.value,
        "seconds": case.result.seconds,
        "error": asdict(case.error),
        "report": str(case.report),
    }
