"""`fluororeg demo`: the main job end to end, on the best data that can be had."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from .output import FAILED, JsonOption, console, input_errors_end_the_command, print_json

OutOption = Annotated[Path, typer.Option("--out", help="Folder for X-rays, poses and reports.")]


def demo(out: OutOption = Path("demo-output"), as_json: JsonOption = False) -> None:
    """Register a head CT to simulated AP and lateral X-rays, position unknown, and a real skull where there is one."""
    from rich.table import Table

    from ..demonstration import real_scout, simulated_views

    cases = []
    with input_errors_end_the_command(as_json):
        for case in (*simulated_views(out, console.print), *real_scout(out, console.print)):
            cases.append(case)
            error = case.error
            console.print(
                f"  [bold]{case.result.verdict.value}[/] in {case.result.seconds:.1f} s: rotation off by "
                f"{error.rotation_deg:.2f}°, in-plane by {error.in_plane_mm:.2f} mm, depth by {error.depth_mm:+.1f} mm"
            )
    table = Table(title="Where to look")
    for heading in ("X-ray", "verdict", "report"):
        table.add_column(heading, overflow="fold")
    content: list[dict[str, Any]] = []
    for case in cases:
        table.add_row(case.name, case.result.verdict.value, str(case.report))
        content.append(
            {
                "name": case.name,
                "verdict": case.result.verdict.value,
                "seconds": case.result.seconds,
                "error": asdict(case.error),
                "report": str(case.report),
            }
        )
    console.print(table)
    console.print(f"Open [bold]{cases[-1].report.resolve()}[/] in a browser.", soft_wrap=True)
    if as_json:
        print_json({"cases": content})
    if any(case.result.verdict == "failed" for case in cases):
        raise typer.Exit(FAILED)
