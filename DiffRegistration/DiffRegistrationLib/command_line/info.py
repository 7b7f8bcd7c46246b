"""`fluororeg info`: what a file says, which tag gave which number, what is missing and how to supply it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..xray.errors import UNUSABLE
from .output import BAD_INPUT, JsonOption, print_json, quiet_readers, say, tell

if TYPE_CHECKING:
    from ..xray.files.describe import Description


def info(
    files: Annotated[list[Path], typer.Argument(help="CT folders or volumes, X-rays, camera files.")],
    as_json: JsonOption = False,
) -> None:
    """Show what was read from each file. Exit code 2 if one of them cannot be read."""
    from ..xray.files.describe import describe

    content: list[dict[str, Any]] = []
    for path in files:
        try:
            with quiet_readers():
                description = describe(path)
        except UNUSABLE as error:
            content.append({"file": str(path), "error": tell(error)})
            continue
        content.append({"file": str(path), **description.as_dict()})
        if not as_json:
            _show(path, description)
    if as_json:
        print_json({"files": content})
    if any("error" in one for one in content):
        raise typer.Exit(BAD_INPUT)


def _show(path: Path, description: Description) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for heading in ("quantity", "value", "where it comes from"):
        table.add_column(heading, overflow="fold")
    for fact in description.facts:
        origin = f"assumed: {fact.origin}" if fact.assumed else fact.origin
        table.add_row(fact.quantity, fact.value, origin, style="yellow" if fact.assumed else None)
    # The table is the answer: unlike progress it belongs on stdout.
    answer = Console(highlight=False, markup=False)
    answer.print(f"{path}: {description.kind}", soft_wrap=True)
    answer.print(table)
    for lacking in description.missing:
        say(f"{path}: {lacking}", label="Missing:", style="bold yellow")
