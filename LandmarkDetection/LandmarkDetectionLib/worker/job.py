"""What a worker can be asked to do with landmarks: numbers and paths only, as in `DiffRegistrationLib.worker.job`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from DiffRegistrationLib.worker import job

_PACKAGE = "LandmarkDetectionLib.worker"
# As the commands have them and style.trainer.StyleRecipe, which would load the engine into the program that asks.
_VIEWS, _METHOD, _STYLE_SIZE = "fluoroscopy", "cut", 128


@dataclass(frozen=True, kw_only=True)
class TransferJob(job.Job):
    """Carry the template's landmarks to the CT, into landmarks.mrk.json in the folder.

    Points of the file `kept` (.mrk.json) that a person placed or corrected stay, and lead the others.
    """

    package: ClassVar[str] = _PACKAGE
    kind: ClassVar[str] = "transfer"
    kept: Path | None = None


@dataclass(frozen=True, kw_only=True)
class LandmarkTrainJob(job.Job):
    """Train a network that finds landmarks into the file `out` (ends in .pt), as `fluororeg landmarks train` does.

    It is for the patient whose CT there is, with the landmarks in the file `landmarks` (None: the template's, carried
    over), or for heads in general (`population`), which takes no CT. `begin_with` is the file of a network that knows
    other heads or views. `plain` is for X-rays translated to the look of DRRs. `size` and `batch` change the recipe's.
    """

    package: ClassVar[str] = _PACKAGE
    kind: ClassVar[str] = "train_landmarks"
    out: Path
    population: bool = False
    landmarks: Path | None = None
    views: str = _VIEWS
    minutes: float = 8.0
    begin_with: Path | None = None
    plain: bool = False
    size: int | None = None
    batch: int | None = None
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class StyleTrainJob(job.Job):
    """Learn to translate the X-rays in the folder `xrays` to the look of DRRs, into the file `out` (ends in .pt).

    The DRRs are of the CT if there is one, else of the template heads. As `fluororeg style train` does.
    """

    package: ClassVar[str] = _PACKAGE
    kind: ClassVar[str] = "train_style"
    out: Path
    xrays: Path
    method: str = _METHOD
    minutes: float = 20.0
    views: str = _VIEWS
    size: int = _STYLE_SIZE
    batch: int | None = None
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class _Run(job.Job):
    """What jobs have that go through a run of X-rays: radiograph number `time` · `views` + `view`, as in `TrackJob`.

    `numbers` are the frames' own numbers (0, 1, … if empty): messages and results have those.
    """

    views: int = 1
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "numbers", tuple(int(number) for number in self.numbers))


@dataclass(frozen=True, kw_only=True)
class DetectJob(_Run):
    """Find the landmarks in all radiographs of the folder with the network in `model`, into run.json in the folder.

    With the file `style` the network sees the X-rays in the look of DRRs. With `refine` the CT, which there must be,
    is registered from what the network found and landmarks are shown where the CT has them: those of the file
    `landmarks`, or those that the network knows, or the template's, carried over. With `template` a template head is
    laid over each X-ray from there, deformed as heads differ. `depth_mm` is the distance of the head's middle from the
    source along the beam, where it is known. `names` is what messages call the
    views, by default “view 1” and so on. `planar` tells of each view whether its geometry was made up (none, if
    empty): there is nothing to register in such a one.
    """

    package: ClassVar[str] = _PACKAGE
    kind: ClassVar[str] = "detect"
    model: Path
    style: Path | None = None
    landmarks: Path | None = None
    refine: bool = False
    template: bool = False
    depth_mm: float | None = None
    names: tuple[str, ...] = ()
    planar: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "planar", tuple(bool(value) for value in self.planar))

    def name_of(self, view: int) -> str:
        """What the view of this number (from 0) is called."""
        return self.names[view] if view < len(self.names) else f"view {view + 1}"


@dataclass(frozen=True, kw_only=True)
class SkullJob(job.Job):
    """Warp the template's skull to landmarks, into the file `out` (ends in .vtp).

    They are those that the file `run` (`detection.landmark_run`) has for a `frame` (its own number) and `view` (from
    0), seen by the camera of the folder's radiograph 0; or those of `points`, an .npz with `points` (55 × 3, world
    RAS mm, NaN for unknown ones) and `covariance` (55 × 3 × 3, mm²), in the landmarks' order.
    """

    package: ClassVar[str] = _PACKAGE
    kind: ClassVar[str] = "skull"
    out: Path
    run: Path | None = None
    frame: int = 0
    view: int = 0
    points: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ExposureJob(_Run):
    """What the folder's radiographs shone on: table, sums and coloured skin of the CT, into the folder `out`.

    `landmarks` (.mrk.json) are the CT's; `poses` is an .npz with the `numbers` (n) of the frames in which the head is
    known and its `poses` (n × 4 × 4, world_from_ct, RAS mm). `mas` is what each frame got, where that is known.
    """

    package: ClassVar[str] = _PACKAGE
    kind: ClassVar[str] = "exposure"
    landmarks: Path
    out: Path
    poses: Path
    seconds_per_frame: float = 1.0
    mas: float | None = None


KINDS: dict[str, type[job.Job]] = {
    form.kind: form for form in (TransferJob, LandmarkTrainJob, StyleTrainJob, DetectJob, SkullJob, ExposureJob)
}
