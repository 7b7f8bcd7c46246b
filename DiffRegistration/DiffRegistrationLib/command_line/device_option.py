"""The option that says where DRRs are rendered."""

from __future__ import annotations

from typing import Annotated

import typer

DeviceOption = Annotated[
    str, typer.Option("--device", help="Where DRRs are rendered: cpu, cuda (an NVIDIA GPU, with Triton), or auto.")
]
