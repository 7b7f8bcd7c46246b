"""The cases that a run has finished, in a file that an interruption cannot spoil."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write
from .outcome import Outcome

# A change in any of these may change an outcome.
_ENGINE = ("evaluation", "pose_network", "registration", "training", "xray")


def engine_fingerprint() -> str:
    """A name for the program as it is now: figures of two versions must not be mixed."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in _ENGINE:
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class Record:
    """Outcomes below `folder`: run.json says of what, cases.jsonl has one line for each.

    A folder that was begun with the same `run` is gone on with. InputError if it was begun with another one: another
    suite, subject, disturbance or program.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any]) -> None:
        self._cases = folder / "cases.jsonl"
        header = folder / "run.json"
        folder.mkdir(parents=True, exist_ok=True)
        if header.exists():
            _check_same(header, run)
        else:
            with atomic_write(header) as temporary:
                temporary.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
        self.outcomes: list[Outcome] = list(self._read())

    def _read(self) -> Iterable[Outcome]:
        if not self._cases.exists():
            return
        whole = self._cases.read_bytes()
        # A line that was cut off by the interruption is no outcome.
        complete = whole[: whole.rfind(b"\n") + 1]
        if len(complete) < len(whole):
            os.truncate(self._cases, len(complete))
        for number, line in enumerate(complete.decode().splitlines(), start=1):
            try:
                yield Outcome.from_dict(json.loads(line))
            except (ValueError, KeyError) as error:
                raise InputError(
                    self._cases, f"its line {number} cannot be read", "Give another --out, or delete that folder."
                ) from error

    def has(self, case: int, method: str, start: str) -> bool:
        """Whether this outcome is there."""
        return any(o.case == case and o.method == method and o.start == start for o in self.outcomes)

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, on the disk before this returns."""
        with self._cases.open("a", encoding="utf-8") as file:
            file.write(json.dumps(outcome.as_dict()) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.outcomes.append(outcome)


def _check_same(header: Path, run: Mapping[str, Any]) -> None:
    try:
        begun = json.loads(header.read_text(encoding="utf-8"))
        assert isinstance(begun, dict)
    except (ValueError, AssertionError):
        raise InputError(header, "cannot be read", "Give another --out, or delete that folder.") from None
    for key, value in run.items():
        if begun.get(key) != value:
            raise InputError(
                header.parent,
                f"was begun with another {key}: {begun.get(key)}, now {value}",
                "Give another --out, or delete that folder to begin anew.",
            )
