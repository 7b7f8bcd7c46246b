"""A case as a line of the manifest gives it, and the columns that a line may have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..xray.errors import InputError

REGISTER, TRACK = "register", "track"
KINDS = (REGISTER, TRACK)

NEEDED_COLUMNS = ("case", "ct", "xrays")
COMMON_COLUMNS = (
    *("kind", "series", "cameras", "masks", "sdd", "sod", "spacing", "angles", "bone"),
    *("start", "similarity"),
)
COLUMNS_OF_KIND = {
    REGISTER: ("frame",),
    TRACK: ("key_frame", "first", "last", "frames_per_second", "labels", "bodies", "joints"),
}
COLUMNS = (*NEEDED_COLUMNS, *COMMON_COLUMNS, *(name for names in COLUMNS_OF_KIND.values() for name in names))


@dataclass(frozen=True)
class Problem:
    """What is wrong, with what, and what to do: an InputError that can be kept in a file and sent to a process."""

    subject: str
    problem: str
    remedy: str

    @classmethod
    def of(cls, error: InputError) -> Problem:
        """The words of an error."""
        return cls(error.subject, error.problem, error.remedy)

    def __str__(self) -> str:
        return str(InputError(self.subject, self.problem, self.remedy))


@dataclass(frozen=True)
class CohortCase:
    """A line of a manifest. `values` are its columns as written, without empty ones, in the order of `COLUMNS`.

    `problem` is what makes the line unusable. The name of a case that `has_folder` is safe and nobody else's.
    """

    name: str
    line: int
    values: tuple[tuple[str, str], ...]
    problem: Problem | None = None
    has_folder: bool = True

    def get(self, column: str) -> str | None:
        """What a column says; None where it is empty or absent."""
        return dict(self.values).get(column)

    @property
    def kind(self) -> str:
        """What is to be done: `REGISTER` unless the line says otherwise."""
        return self.get("kind") or REGISTER


@dataclass(frozen=True)
class CaseTask:
    """A case that is to be run: `source` is the manifest's folder, `output` the cohort's, both absolute.

    `fingerprint` is that of the inputs when the task was made, so that files changed since are noticed the next time.
    """

    case: CohortCase
    source: Path
    output: Path
    fingerprint: str

    @property
    def folder(self) -> Path:
        """Where the case's results go."""
        return self.output / self.case.name
