"""The job that adds up what the X-rays of a run shone on."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from DiffRegistrationLib.worker.frame_numbers import frame_numbers
from DiffRegistrationLib.worker.job_files import read_ct, read_radiograph
from DiffRegistrationLib.worker.messages import Progress, Tell
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.radiograph import Radiograph

from ..atlas.landmark_files import read_landmarks
from ..exposure.exposure_files import DESCRIPTION, SURFACE, TABLE, description
from ..exposure.head_exposure import NOT_A_DOSE
from ..exposure.point_organs import Place
from ..exposure.workflow import Poses, exposure_of_poses, frames_with_poses
from .job import ExposureJob

_LENS = "eye lens"


def run(job: ExposureJob, tell: Tell) -> dict[str, Any]:
    """Add it up and write exposure.csv, exposure.json and exposure.vtp into the folder `out`.

    The content: surface, table and description (paths), words (what the numbers are not), regions and organs (sums, as
    in `exposure_files.description`), and frames, view by view: frame (its number), view (from 0), lenses (name,
    inside (all or part of it in the field), place, margin_mm, source_distance_mm, toward_source, exposure) and regions
    (entered_percent and behind_percent by name). Frames without a pose are left out. InputError as
    `exposure.workflow.exposure_of_poses`, and for inputs that are missing or damaged.
    """
    numbers = frame_numbers(job.folder, job.views, job.numbers)
    poses = _poses(job.poses)
    places = read_landmarks(job.landmarks)
    tell(Progress(job.id, 0.0, words="Reading the CT…"))
    views = [_JobView(job, view, numbers) for view in range(job.views)]
    found = exposure_of_poses(
        read_ct(job.where_the_ct_is),
        places,
        views,
        poses,
        output=job.out,
        seconds=job.seconds_per_frame,
        mas=job.mas,
        tell=lambda done, total: tell(Progress(job.id, 0.9 * done / total, words=f"{done} of {total} X-rays read")),
    )
    told = description(found)
    frames = zip(frames_with_poses(views, poses), told["frames"], strict=True)
    return {
        "surface": str(job.out / SURFACE),
        "table": str(job.out / TABLE),
        "description": str(job.out / DESCRIPTION),
        "words": NOT_A_DOSE,
        "regions": told["regions"],
        "organs": told["organs"],
        "frames": [
            {
                "frame": number,
                "view": view,
                "lenses": [
                    {"name": name, "inside": organ["place"] != Place.OUTSIDE.value, **organ}
                    for name, organ in frame["organs"].items()
                    if name.startswith(_LENS)
                ],
                "regions": frame["regions"],
            }
            for (view, number), frame in frames
        ],
    }


class _JobView:
    """One view's radiographs in a job's folder, by the frames' own numbers."""

    def __init__(self, job: ExposureJob, view: int, numbers: tuple[int, ...]) -> None:
        self._job, self._view, self.numbers = job, view, numbers

    def read(self, number: int) -> Radiograph:
        """The radiograph of a frame."""
        place = self.numbers.index(number)
        return read_radiograph(self._job.folder, place * self._job.views + self._view)


def _poses(path: Path) -> Poses:
    try:
        with np.load(path, allow_pickle=False) as content:
            numbers, poses = content["numbers"], np.array(content["poses"], dtype=np.float64)
        if numbers.ndim != 1 or poses.shape != (len(numbers), 4, 4):
            raise ValueError(f"poses of shape {poses.shape}")
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(path, "holds no poses of frames", "Register the frames again.") from error
    return dict(zip(numbers.tolist(), poses, strict=True))
