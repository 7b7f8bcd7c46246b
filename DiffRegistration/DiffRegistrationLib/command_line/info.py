"""`fluororeg info`: what a file says, which tag gave which number, what is missing and how to supply it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..xray.errors import InputError
from .output import BAD_INPUT, JsonOption, console, print_json


def info(
    files: Annotated[list[Path], typer.Argument(help="CT folders or volumes, X-rays, camera files.")],
    as_json: JsonOption = False,
) -> None:
    """Show what was read from each file. Exit code 2 if one of them cannot be read."""
    from rich.table import Table

    from ..xray.files.describe import describe

    described, unreadable = [], False
    for path in files:
        try:
            description = describe(path)
        except InputError as error:
            unreadable = True
            described.append({"file": str(path), "error": str(error)})
            if not as_json:
                console.print(f"[bold red]Error:[/] {str(error).replace('[', chr(92) + '[')}", soft_wrap=True)
            continue
        described.append({"file": str(path), **description.as_dict()})
        if as_json:
            continue
        table = Table(title=f"{path}: {description.kind}", title_justify="left", show_lines=False)
        for heading in ("quantity", "value", "where it comes from"):
            table.add_column(heading, overflow="fold")
        for fact in description.facts:
            origin = f"assumed: {fact.origin}" if fact.assumed else fact.origin
            table.add_row(fact.quantity, fact.value, origin, style="yellow" if fact.assumed else None)
        # The table is the answer: unlike progress it belongs on stdout.
        from rich.console import Console

        Console(highlight=False, markup=False).print(table)
        for lacking in description.missing:
            console.print(f"[bold yellow]Missing:[/] {lacking.replace('[', chr(92) + '[')}", soft_wrap=True)
    if as_json:
        print_json({"files": described})
    if unreadable:
        raise typer.Exit(BAD_INPUT)
