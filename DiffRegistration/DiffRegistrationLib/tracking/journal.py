"""What a tracking has found so far, kept line by line, so that one that was killed goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..registration.result import RegistrationResult, Verdict
from ..xray.errors import InputError

JOURNAL = "track-journal.jsonl"


class Found:
    """What the tracker goes on from: the part of a registration's result that it needs."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.pose: Float64[np.ndarray, "4 4"] = np.array(content["pose"], dtype=np.float64)
        self.covariance: Float64[np.ndarray, "6 6"] = np.array(content["covariance"], dtype=np.float64)
        self.verdict = Verdict(content["verdict"])
        self.reason: str = content["reason"]
        self.similarity: float = content["similarity"]
        self.agreement: float = content["agreement"]
        self.start: str = content["start"]
        self.seconds: float = content["seconds"]

    @classmethod
    def of(cls, result: RegistrationResult) -> Found:
        """The part of `result`."""
        return cls(content_of(result))


def content_of(result: RegistrationResult) -> dict[str, Any]:
    """The same part for `json`, whose numbers come back as they were."""
    return {
        "pose": result.pose.tolist(),
        "covariance": result.covariance.tolist(),
        "verdict": result.verdict.value,
        "reason": result.reason,
        "similarity": result.similarity,
        "agreement": min(fit.agreement for fit in result.views),
        "start": result.start,
        "seconds": result.seconds,
    }


class Journal:
    """Registrations by name. With a `path` each is written as it comes; what an earlier run of the same `task` (a
    fingerprint of its inputs) wrote is known from the beginning. InputError where it cannot be written."""

    def __init__(self, path: Path | None = None, task: str = "") -> None:
        self._path = path
        self._known: dict[str, dict[str, Any]] = {}
        if path is None:
            return
        lines = _whole_lines(path)
        if not lines or lines[0] != {"task": task}:
            lines = [{"task": task}]
        self._known = {line["name"]: line["found"] for line in lines[1:]}
        # A line that a kill has cut short goes, and so does what another task has left.
        temporary = path.with_name(path.name + ".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise InputError(path, f"cannot be written: {error.strerror}", "Choose another output folder.") from error

    def find(self, name: str) -> Found | None:
        """What is known of a registration."""
        return Found(self._known[name]) if name in self._known else None

    def add(self, name: str, result: RegistrationResult) -> Found:
        """Keep a registration's result."""
        content = content_of(result)
        self._known[name] = content
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"name": name, "found": content}) + "\n")
        return Found(content)


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal up to the first that is none."""
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            break
    return lines
