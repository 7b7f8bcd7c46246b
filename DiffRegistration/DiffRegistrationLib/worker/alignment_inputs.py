"""What a job that registers begins with: the CT's projector, kept from job to job, and a start that was looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..registration import inputs
from ..registration.inputs import StartFile, start_file
from ..registration.starts import START_NAMES, Start, start_from_name, start_from_pose
from ..xray.ct import CT
from ..xray.files.rigid_values import rigid_from_file
from ..xray.projector import Projector
from ..xray.radiograph import Radiograph
from .job import RegisterJob, TrackJob
from .job_files import ct_path, read_ct

# The newest CT stays, with all levels that were made of it: the next X-ray of the same patient need not wait.
_kept: dict[tuple[object, ...], Projector] = {}


def projector_of(folder: Path) -> Projector:
    """Projector of the CT that a job's folder holds. InputError where there is none."""
    path = ct_path(folder)
    try:
        status = path.stat()
    except OSError:
        _kept.clear()
        return Projector(read_ct(folder))
    key = (path.resolve(), status.st_mtime_ns, status.st_size, status.st_ino)
    if key not in _kept:
        # Before the new one is read: two CTs may be too many.
        _kept.clear()
        _kept[key] = Projector(read_ct(folder))
    return _kept[key]


@dataclass(frozen=True)
class GivenStart:
    """The start that a job names, already read if it is a file."""

    name: str | None
    file: StartFile | None

    @classmethod
    def of(cls, job: RegisterJob | TrackJob) -> GivenStart:
        """InputError for a file that cannot be used, and for a pose that is not rigid."""
        if not isinstance(job.start, str):
            pose = rigid_from_file("start", "the given pose", job.start)
            return cls(None, StartFile(lambda ct, radiographs: start_from_pose(pose)))
        if job.start in START_NAMES:
            return cls(job.start, None)
        return cls(None, start_file(job.start))

    def start(self, ct: CT, radiographs: Sequence[Radiograph]) -> Start:
        """The start for these radiographs."""
        if self.file is not None:
            return self.file.start(ct, radiographs)
        assert self.name is not None
        return start_from_name(self.name, ct, radiographs)

    @property
    def network(self) -> Mapping[str, Any] | None:
        """What is known of the network, if the start is one."""
        return None if self.file is None else self.file.network


def check_usable(radiographs: Sequence[Radiograph], names: Sequence[str]) -> None:
    """InputError unless the radiographs have pixels enough and cameras of one world."""
    inputs.check_shared_world(radiographs)
    for radiograph, name in zip(radiographs, names, strict=True):
        inputs.check_pixels(radiograph, name)


def check_in_view(radiographs: Sequence[Radiograph], names: Sequence[str], projector: Projector, start: Start) -> None:
    """InputError unless all radiographs see the CT at the start."""
    for radiograph, name in zip(radiographs, names, strict=True):
        inputs.check_in_view(radiograph, name, projector, start)
