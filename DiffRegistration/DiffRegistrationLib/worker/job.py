"""What a worker can be asked to do: numbers and paths only, so that a job is one line of JSON."""

from __future__ import annotations

import importlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from ..xray.errors import InputError
from .json_fields import from_json, to_json
from .messages import Pose

# As registration.registration.DEFAULT_SIMILARITY, training.preset.DEFAULT_PRESET and training.recipe.DEFAULT_RECIPE,
# which would load the whole engine into the program that asks.
_SIMILARITY, _PRESET, _RECIPE = "auto", "head-ap", "compact"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all jobs have.

    `folder` is the job's own: it holds its inputs (`job_files`), its live frames and the wish to stop. `ct_folder` is
    where `job_files.write_ct` put the CT, if not in `folder`: several jobs may share it. `id` names the job in
    messages. `package` is where a kind of job lives: its module `job` lists the class among its KINDS, and its module
    `<kind>_job` does it.
    """

    package: ClassVar[str] = "DiffRegistrationLib.worker"
    kind: ClassVar[str]
    folder: Path
    ct_folder: Path | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.type in ("Path", "Path | None") and isinstance(value := getattr(self, each.name), str):
                object.__setattr__(self, each.name, Path(value))

    @property
    def where_the_ct_is(self) -> Path:
        """The folder that holds the CT."""
        return self.ct_folder or self.folder

    def to_dict(self) -> dict[str, Any]:
        """The job for `json`."""
        return {"package": self.package, "kind": self.kind, **to_json(self)}

    def ask_to_stop(self) -> None:
        """Tell a job that is running to stop and keep what there is. InputError where its folder is gone."""
        try:
            self._stop.touch()
        except OSError as error:
            raise InputError(self.folder, f"cannot be written to: {error.strerror}", "Cancel the job.") from error

    def is_asked_to_stop(self) -> bool:
        """Whether `ask_to_stop` was called since the job was handed over."""
        return self._stop.exists()

    def forget_stop(self) -> None:
        """Forget what an earlier run in the same folder was asked."""
        self._stop.unlink(missing_ok=True)

    @property
    def _stop(self) -> Path:
        return self.folder / "stop"


@dataclass(frozen=True, kw_only=True)
class PreviewJob(Job):
    """Draw the views of a preset into the picture `out` (PNG), to be looked at before a training."""

    kind: ClassVar[str] = "preview"
    out: Path
    preset: str = _PRESET


@dataclass(frozen=True, kw_only=True)
class TrainJob(Job):
    """Train a pose network on the CT into the file `out` (ends in .pt), as `training.workflow.train` does.

    `preset`, `recipe` and `device` are names as the command `fluororeg train` takes them; `batch` and `size` change
    the recipe's.
    """

    kind: ClassVar[str] = "train"
    out: Path
    preset: str = _PRESET
    minutes: float = 8.0
    recipe: str = _RECIPE
    batch: int | None = None
    size: int | None = None
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class _Alignment(Job):
    """What jobs have that register.

    `start` is one of `registration.starts.START_NAMES`, the path of a pose file or of a network, or a pose (4×4
    world_from_ct, RAS mm). `out` is the folder for the results; None writes no report and no files for people.
    `names` is what messages call the X-rays, by default “X-ray 1” and so on. With `live`, DRRs whose longer side is at
    most `live_side` pixels show how it goes.
    """

    start: str | Pose = "auto"
    similarity: str = _SIMILARITY
    out: Path | None = None
    names: tuple[str, ...] = ()
    live: bool = True
    live_side: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "names", tuple(self.names))
        if not isinstance(self.start, str):
            rows = self.start.tolist() if hasattr(self.start, "tolist") else self.start
            object.__setattr__(self, "start", tuple(tuple(float(value) for value in row) for row in rows))

    def name_of(self, view: int) -> str:
        """What the X-ray of this number (from 0) is called."""
        return self.names[view] if view < len(self.names) else f"X-ray {view + 1}"


@dataclass(frozen=True, kw_only=True)
class RegisterJob(_Alignment):
    """Register the CT to all radiographs of the folder at once, as `registration.workflow.register_files` does."""

    kind: ClassVar[str] = "register"


@dataclass(frozen=True, kw_only=True)
class TrackJob(_Alignment):
    """Follow the CT through a sequence: the radiographs of the folder are its frames, `views` of each after another.

    Radiograph number `time` · `views` + `view` is what that view shows at that time, all counted from 0. `key_frame`
    is the time that the tracking begins at, from `start`; None tries a few. `numbers` are the frames' own numbers,
    which rise and need not be evenly spaced (0, 1, … if empty): messages and files have those.
    """

    kind: ClassVar[str] = "track"
    views: int = 1
    key_frame: int | None = None
    numbers: tuple[int, ...] = ()
    frames_per_second: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "numbers", tuple(int(number) for number in self.numbers))


KINDS: dict[str, type[Job]] = {form.kind: form for form in (PreviewJob, TrainJob, RegisterJob, TrackJob)}

# What a package of jobs may be called, so that a line of JSON has no other module loaded.
_PACKAGE = re.compile(r"\w+\.worker")


def job_from_dict(content: Any) -> Job:
    """The job that `to_dict` described. InputError for what is none."""
    remedy = "Update both sides of the program to the same version."
    if not isinstance(content, Mapping) or (form := _form(content)) is None:
        raise InputError("job", "is of no known kind", remedy)
    described = {name: value for name, value in content.items() if name not in ("package", "kind")}
    try:
        return from_json(form, described)
    except (TypeError, ValueError) as error:
        raise InputError(f"{content['kind']} job", f"is not as expected: {error}", remedy) from None


def _form(content: Mapping[Any, Any]) -> type[Job] | None:
    """The class of the job that is described; None where nobody knows it."""
    package, kind = content.get("package", Job.package), content.get("kind")
    if not (isinstance(package, str) and isinstance(kind, str) and _PACKAGE.fullmatch(package)):
        return None
    try:
        kinds: Mapping[str, type[Job]] = importlib.import_module(f"{package}.job").KINDS
    except (ImportError, AttributeError):
        return None
    return kinds.get(kind)
