"""What came of a case, and the file in its folder that says so."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..xray.files.atomic import atomic_write
from .cohort_case import CaseTask, CohortCase, Problem

OUTCOME_FILE = "outcome.json"


class Status(StrEnum):
    """How far a case came: a pose that may be used, perhaps after a look; or why there is none."""

    DONE = "done"
    FAILED_INPUT = "failed-input"
    FAILED_POSE = "failed-pose"
    FAILED_PROGRAM = "failed-program"
    NOT_RUN = "not-run"


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    `reason` is why the verdict is what it is, `problem` why there is none. `pose` is world_from_ct (4×4 by rows, RAS
    mm) and `std` the standard deviations of (ω rad, v mm), both None for sequences, whose poses stand in their own
    files. `seconds` are those of the whole case with reading and writing. `report` is a file in the case's folder.
    """

    case: str
    kind: str
    status: Status
    fingerprint: str = ""
    program: str = ""
    verdict: str | None = None
    reason: str = ""
    problem: Problem | None = None
    similarity: float | None = None
    std: tuple[float, ...] | None = None
    pose: tuple[tuple[float, ...], ...] | None = None
    start: str = ""
    seconds: float | None = None
    report: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is a pose that did not fail."""
        return self.status == Status.DONE

    @property
    def words(self) -> str:
        """Why: the problem, or the verdict's reason."""
        return str(self.problem) if self.problem is not None else self.reason

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return _finite(asdict(self))


@dataclass(frozen=True)
class Begun:
    """A case has been given to a process."""

    task: CaseTask


@dataclass(frozen=True)
class Ended:
    """A case has come to its outcome."""

    task: CaseTask
    outcome: Outcome


def failed(case: CohortCase, status: Status, problem: Problem, **known: Any) -> Outcome:
    """The outcome of a case that gave nothing."""
    return Outcome(case.name, case.kind, status, problem=problem, **known)


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write outcome.json into a case's folder, whole or not at all. InputError where it cannot be written."""
    with atomic_write(folder / OUTCOME_FILE) as temporary:
        temporary.write_text(json.dumps(outcome.as_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_outcome(folder: Path, fingerprint: str) -> Outcome | None:
    """The outcome in a case's folder, if there is one that belongs to these inputs."""
    try:
        content = json.loads((folder / OUTCOME_FILE).read_text(encoding="utf-8"))
        if content["fingerprint"] != fingerprint:
            return None
        std, pose, problem = content["std"], content["pose"], content["problem"]
        known = {
            "status": Status(content["status"]),
            "std": None if std is None else tuple(std),
            "pose": None if pose is None else tuple(map(tuple, pose)),
            "problem": None if problem is None else Problem(**problem),
        }
        return Outcome(**(content | known))
    except (OSError, ValueError, KeyError, TypeError):
        # Absent, of another version or damaged: the case is run again.
        return None


def _finite(content: Any) -> Any:
    """`content` with None for the numbers that JSON does not have."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
