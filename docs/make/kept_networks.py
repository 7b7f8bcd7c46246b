"""Networks that results are of: trained by the command as a user would, unless they were before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def trained(path: Path, minutes: float, *command: str) -> dict[str, Any]:
    """Where the training of `path` by `fluororeg COMMAND` ended, which is run unless that is known."""
    told = path.with_suffix(".json")
    if not told.exists():
        program = str(Path(sys.executable).with_name("fluororeg"))
        arguments = [program, *command, "--minutes", str(minutes), "--out", str(path), "--json"]
        print("Training", path.name, flush=True)
        lines = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        told.write_text(lines[-1], encoding="utf-8")
    return dict(json.loads(told.read_text(encoding="utf-8")))
