"""What jobs on nodes come to, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from ..worker.messages import Progress
from ..xray.errors import InputError
from .pose_record import PoseRecord
from .registration_summary import RegistrationSummary


def _ignore(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Listener:
    """What is called as a job goes on.

    With a `Progress`; with the number of a view (from 0), its DRR of the moment and the pose; with the result; or with
    the InputError that ended it.
    """

    progressed: Callable[[Progress], None] = _ignore
    frame_came: Callable[[int, Float32[np.ndarray, "rows columns"], Any], None] = _ignore
    finished: Callable[[Any], None] = _ignore
    refused: Callable[[InputError], None] = _ignore


@dataclass(frozen=True, eq=False)
class Registered:
    """A registration that came to its end: what was found, the CT's pose node, and the folder of its files."""

    summary: RegistrationSummary
    transform: Any
    folder: Path
    ct_name: str
    views: int

    @property
    def report(self) -> Path:
        """The report, to be opened in a browser."""
        return self.folder / "report.html"


@dataclass(frozen=True)
class Trained:
    """A training that came to its end: the network's file, whether it was stopped before its time, median errors on
    views that it never saw.
    """

    model: Path
    stopped: bool
    distance_mm: float
    rotation_deg: float


@dataclass(frozen=True, eq=False)
class Tracked:
    """A CT followed through frames: what was found in each, the pose node, and the browser that plays them.

    `frames` are the index values of the frames that were done now, in order; `stopped` tells that others were left
    out. The scene may hold more (`pose_sequence.poses_of_frames`).
    """

    records: tuple[PoseRecord, ...]
    transform: Any
    browser: Any
    frames: tuple[str, ...] = ()
    stopped: bool = False
