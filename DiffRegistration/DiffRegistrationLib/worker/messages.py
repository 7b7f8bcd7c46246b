"""What a worker says, one message a line of JSON, and what its client says of a worker that is gone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..xray.errors import InputError
from .json_fields import from_json, to_json

Pose = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Message:
    """Anything that is said. Where a message has a `job`, it is the id of the job that it is about."""

    def to_line(self) -> str:
        """One line of JSON in plain ASCII, without its line end."""
        return json.dumps({"message": type(self).__name__.lower(), **to_json(self)}, allow_nan=False)


@dataclass(frozen=True)
class Ready(Message):
    """The worker listens. Versions are empty where a package is not installed.

    `device` is empty at first, as only torch knows it: a training says Ready again once torch is loaded.
    """

    version: str
    python: str
    torch: str
    numba: str
    device: str = ""

    @property
    def words(self) -> str:
        """A line for a status bar."""
        packages = ((name, version) for name, version in (("torch", self.torch), ("numba", self.numba)) if version)
        named = [f"Python {self.python}", *(f"{name} {version}" for name, version in packages)]
        return ", ".join([*named, self.device] if self.device else named)


@dataclass(frozen=True)
class Heartbeat(Message):
    """The worker lives, `seconds` after its start; said every second, also in the midst of a job."""

    seconds: float


@dataclass(frozen=True)
class Started(Message):
    """The job's turn has come; what it needs is being loaded until its first progress."""

    job: str


@dataclass(frozen=True)
class Progress(Message):
    """How far a job is: `part` of it is done (0 … 1), and it may take `seconds_left`, where that can be told.

    `numbers` that are not finite are left out.
    """

    job: str
    part: float
    seconds_left: float | None = None
    words: str = ""
    numbers: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        finite = {name: float(value) for name, value in self.numbers.items() if math.isfinite(value)}
        object.__setattr__(self, "numbers", finite)
        if self.seconds_left is not None and not math.isfinite(self.seconds_left):
            object.__setattr__(self, "seconds_left", None)


@dataclass(frozen=True)
class Frame(Message):
    """A newer DRR of a view lies at `path` (`frames.read_frame`), seen under `pose` (world_from_ct, RAS mm).

    `view` counts the X-rays of the job from 0, `number` the frames shown of it; a pixel of the frame covers
    `binning` × `binning` pixels of the X-ray, from its first pixel on. `time` is the frame of the sequence, from 0.
    """

    job: str
    view: int
    path: str
    number: int
    pose: Pose
    binning: int = 1
    time: int = 0


@dataclass(frozen=True)
class Finished(Message):
    """The job is done; `content` is what its `run` says it is."""

    job: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Failure(Message):
    """A job that ended without a result: what is wrong, with what, and what to do, as in an InputError."""

    job: str
    subject: str
    problem: str
    remedy: str

    def as_error(self) -> InputError:
        """The same to be raised."""
        return InputError(self.subject, self.problem, self.remedy)


@dataclass(frozen=True)
class Refused(Failure):
    """The job cannot be done as it is. The worker lives on, and nothing was left in the job's output."""

    @classmethod
    def because(cls, job: str, error: InputError) -> Refused:
        """Refused for what `error` says."""
        return cls(job, error.subject, error.problem, error.remedy)


@dataclass(frozen=True)
class Crashed(Failure):
    """The worker died in the midst of the job: its likely cause, its last `lines`, and the `returncode` if known."""

    lines: tuple[str, ...] = ()
    returncode: int | None = None

    @property
    def cause(self) -> str:
        """What is wrong and what to do, in one line."""
        return str(self.as_error())


@dataclass(frozen=True)
class Ended(Message):
    """The job was cancelled, or its turn never came."""

    job: str


@dataclass(frozen=True)
class Noise(Message):
    """A line that is no message."""

    text: str


Tell = Callable[[Message], None]

_FORMS: dict[str, type[Message]] = {
    form.__name__.lower(): form
    for form in (Ready, Heartbeat, Started, Progress, Frame, Finished, Refused, Crashed, Ended, Noise)
}


def message_from_line(line: str) -> Message:
    """The message that a line holds; Noise for any other line, whatever it holds."""
    try:
        content = json.loads(line, parse_constant=_no_constant)
        return from_json(_FORMS[content.pop("message")], content)
    # Deeply nested brackets end in a RecursionError.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Noise(line.rstrip("\r\n"))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
