"""The files of networks that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelArgument = Annotated[Path, typer.Argument(help="Network from fluororeg landmarks train.")]

StyleOption = Annotated[
    Path | None,
    typer.Option("--style", help="Translation (fluororeg style train): the network sees the X-rays as DRRs, too."),
]
