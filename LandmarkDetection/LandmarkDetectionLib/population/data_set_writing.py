"""A data set from heads to a folder: in processes that share its shards, begun where an earlier run ended."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from DiffRegistrationLib.pose_network.torch_needed import torch_needed
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.files.atomic import atomic_write, check_folder_for_writing

from ..atlas.definitions import skull_landmarks
from ..atlas.head import Head
from .data_set import DESCRIPTION, DataSetSettings, describe, read_arrays, read_data_set_description, shard_path
from .deformation import deformable, no_finer_than
from .shard_processes import VOXEL_MM, ShardTask, run_here, run_in_processes
from .view_ranges import ViewRanges

# Images of one head: making it takes as long as a dozen of them.
VIEWS_PER_HEAD = 16


@dataclass(frozen=True)
class DataSetProgress:
    """So many shards and images of all that this process and those that it began are to write are there."""

    shards: int
    all_shards: int
    images: int


Tell = Callable[[DataSetProgress], None]


@dataclass(frozen=True)
class DataSetSummary:
    """What a run has left: `written` new shards, `kept` that were there already, and how long it took."""

    folder: Path
    settings: DataSetSettings
    written: int
    kept: int
    seconds: float


def write_data_set(
    templates: Sequence[Head],
    out: str | Path,
    *,
    count: int,
    ranges: ViewRanges,
    shard_size: int = 1024,
    image_size: int = 128,
    seed: int = 0,
    strength: float = 1.0,
    processes: int = 1,
    tell: Tell = lambda progress: None,
) -> DataSetSummary:
    """Write `count` X-rays of heads that are made from `templates`, with their landmarks, into the folder `out`.

    Same settings, same files, whatever the number of processes; `strength` 0 leaves heads as they are. Whole shards of
    an earlier run are kept, damaged ones are written again. Among processes that torchrun started, each writes its
    share. InputError for numbers that are none, heads without enough landmarks, a folder that cannot be written to or
    holds a data set of other settings.
    """
    begun = time.monotonic()
    for name, value in (
        ("count", count),
        ("shard size", shard_size),
        ("image size", image_size),
        ("processes", processes),
    ):
        if value < 1:
            raise InputError(name, f"is {value}", "Give a whole number above 0.")
    if shard_size % VIEWS_PER_HEAD:
        raise InputError(
            "shard size", f"is {shard_size}", f"Give a multiple of {VIEWS_PER_HEAD}, the images of a head."
        )
    if not templates:
        raise InputError("heads", "there is none to take X-rays of", "Give at least one CT with landmarks.")
    with torch_needed():
        import torch  # noqa: F401
    # Processes get them as coarse as they need them; and who lacks landmarks is told before anything is written.
    made_ready = tuple(no_finer_than(VOXEL_MM, head) for head in templates)
    for head in made_ready:
        deformable(head, VOXEL_MM)
    known = skull_landmarks()
    settings = DataSetSettings(
        landmark_names=known.names,
        definitions=known.fingerprint,
        templates=tuple(_digest(head) for head in templates),
        strength=float(strength),
        views=dict(ranges.content),
        count=count,
        shard_size=shard_size,
        views_per_head=VIEWS_PER_HEAD,
        image_size=image_size,
        seed=seed,
    )
    folder = Path(out)
    _begin(folder, settings)
    share = _share_of_this_process(settings.shard_count)
    missing = [number for number in share if not _is_whole(folder, number, settings)]
    kept = len(share) - len(missing)
    images = sum(len(settings.samples(number)) for number in share if number not in missing)
    tell(DataSetProgress(kept, len(share), images))
    task = ShardTask(folder, settings, ranges, made_ready)
    run = run_here(task, missing) if min(processes, len(missing)) <= 1 else run_in_processes(task, missing, processes)
    for done, number in enumerate(run, start=1):
        images += len(settings.samples(number))
        tell(DataSetProgress(kept + done, len(share), images))
    return DataSetSummary(folder, settings, len(missing), kept, time.monotonic() - begun)


def _digest(head: Head) -> str:
    """Changes with a head's CT or landmarks; tells nothing of them."""
    digest = hashlib.sha256()
    for array in (head.ct.attenuation, head.ct.ct_from_voxel, head.landmarks.points):
        digest.update(np.ascontiguousarray(array).data)
    digest.update("\n".join([*head.landmarks.names, *head.landmarks.status]).encode())
    return digest.hexdigest()[:20]


def _begin(folder: Path, settings: DataSetSettings) -> None:
    """The folder with its description; InputError where it describes another data set."""
    check_folder_for_writing(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / DESCRIPTION).exists():
        there = read_data_set_description(folder).settings
        for name, value in settings.as_dict().items():
            if (other := there.as_dict()[name]) != value:
                said = f": {_short(other)} there, {_short(value)} asked for"
                raise InputError(
                    folder,
                    f"holds a data set of other settings, {name.replace('_', ' ')}{said}",
                    "Use the same settings to go on with it, or another folder.",
                )
        return
    with atomic_write(folder / DESCRIPTION) as temporary:
        temporary.write_text(describe(settings), encoding="utf-8")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _share_of_this_process(shards: int) -> range:
    """Shards that fall to this one of the processes that torchrun started, or all."""
    return range(int(os.environ.get("RANK", "0")), shards, int(os.environ.get("WORLD_SIZE", "1")))


def _is_whole(folder: Path, number: int, settings: DataSetSettings) -> bool:
    path = shard_path(folder, number)
    if not path.exists():
        return False
    try:
        arrays = read_arrays(path, settings.fingerprint)
    except InputError:
        return False
    return arrays["sample"].tolist() == list(settings.samples(number))
