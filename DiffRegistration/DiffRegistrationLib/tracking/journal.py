"""What a tracking has found so far, kept line by line, so that one that was killed goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..registration.result import RegistrationResult, Verdict
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write

JOURNAL = "track-journal.jsonl"


@dataclass(frozen=True, eq=False)
class Found:
    """What the tracker goes on from: the part of a registration's result that it needs.

    `agreement` is that of the view that fits worst; `left_out` are places of views that were left out.
    """

    pose: Float64[np.ndarray, "4 4"]
    covariance: Float64[np.ndarray, "6 6"]
    verdict: Verdict
    reason: str
    similarity: float
    agreement: float
    left_out: tuple[int, ...]
    start: str
    seconds: float

    @classmethod
    def of(cls, result: RegistrationResult) -> Found:
        """The part of `result`."""
        return cls(
            result.pose,
            result.covariance,
            result.verdict,
            result.reason,
            result.similarity,
            min(fit.agreement for fit in result.views if fit.left_out is None),
            tuple(view for view, fit in enumerate(result.views) if fit.left_out is not None),
            result.start,
            result.seconds,
        )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Found:
        """What `to_dict` made, with the same numbers."""
        changed: dict[str, Any] = {name: np.array(content[name], dtype=np.float64) for name in ("pose", "covariance")}
        changed |= {"verdict": Verdict(content["verdict"]), "left_out": tuple(content["left_out"])}
        return cls(**{**content, **changed})

    def to_dict(self) -> dict[str, Any]:
        """For `json`."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            **own,
            "pose": self.pose.tolist(),
            "covariance": self.covariance.tolist(),
            "verdict": self.verdict.value,
        }


class Journal:
    """Registrations by name. With a `path` each is written as it comes; what an earlier run of the same `task` (a
    fingerprint of its inputs) wrote is known from the beginning. `add` raises InputError where it cannot be written.
    """

    def __init__(self, path: Path | None = None, task: str = "") -> None:
        self._path, self._first = path, {"task": task}
        self._is_begun = False
        lines = [] if path is None else _whole_lines(path)
        same = bool(lines) and lines[0] == self._first
        self._known: dict[str, dict[str, Any]] = {line["name"]: line["found"] for line in lines[1:]} if same else {}

    def find(self, name: str) -> Found | None:
        """What is known of a registration."""
        return Found.from_dict(self._known[name]) if name in self._known else None

    def without_file(self) -> Journal:
        """One that knows the same and writes nothing."""
        other = Journal()
        other._known = dict(self._known)
        return other

    def add(self, name: str, found: Found) -> None:
        """Keep a registration."""
        content = found.to_dict()
        if self._path is not None:
            try:
                self._begin(self._path)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(_line(name, content))
            except OSError as error:
                raise InputError(
                    self._path, f"cannot be written: {error.strerror}", "Choose another output folder."
                ) from error
        self._known[name] = content

    def _begin(self, path: Path) -> None:
        """Before the first line: one that a kill has cut short goes, and so does what another task has left."""
        if self._is_begun:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            lines = [json.dumps(self._first) + "\n", *(_line(name, one) for name, one in self._known.items())]
            temporary.write_text("".join(lines), encoding="utf-8")
        self._is_begun = True


def _line(name: str, content: Mapping[str, Any]) -> str:
    return json.dumps({"name": name, "found": content}) + "\n"


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal up to the first that is none."""
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
            if lines:
                Found.from_dict(line["found"])
                str(line["name"])
        except (ValueError, TypeError, KeyError):
            break
        lines.append(line)
    return lines
