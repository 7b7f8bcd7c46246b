"""The frames of a CT in the scene as a track of the engine's: to be smoothed, written, and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..registration.result import Verdict
from ..tracking.bodies import WHOLE_CT
from ..tracking.smoothing import smoothed_track
from ..tracking.track import BodyTrack, FramePose, Track
from ..tracking.track_files import write_track
from ..xray.errors import InputError
from .ct_node import centre_of
from .pose_record import PoseRecord
from .pose_sequence import numbers_of, poses_of_frames


def track_of(
    ct_node: Any, records: Mapping[str, PoseRecord], frames_per_second: float | None = None, stopped: bool = False
) -> Track:
    """Records by their frames' index values, in order, as a track of one body."""
    numbers = numbers_of(list(records))
    frames = tuple(_frame(number, record) for number, record in zip(numbers, records.values(), strict=True))
    unknown = np.full((4, 4), np.nan)
    smoothed = [unknown if one.smoothed is None else np.array(one.smoothed) for one in records.values()]
    body = BodyTrack(WHOLE_CT, centre_of(ct_node), frames, np.array(smoothed).reshape(-1, 4, 4))
    return Track((body,), tuple(numbers), frames_per_second, stopped)


def smoothed_anew(ct_node: Any, records: Mapping[str, PoseRecord]) -> dict[str, PoseRecord]:
    """The same records with the smoothed poses of all of them together; frames that say nothing take those."""
    (body,) = track_of(ct_node, records).bodies
    anew = {}
    for (frame, record), pose in zip(records.items(), smoothed_track(body).poses, strict=True):
        rows = None if np.isnan(pose).any() else tuple(tuple(float(x) for x in row) for row in pose)
        filled = rows if rows is not None and not record.covariance else record.pose
        anew[frame] = replace(record, smoothed=rows, pose=filled)
    return anew


def write_track_of(ct_node: Any, folder: Path) -> None:
    """Write track.json and poses.csv of a CT that was followed. InputError where it was not, or for the folder."""
    found = poses_of_frames(ct_node)
    if found is None:
        raise InputError(ct_node.GetName(), "was not followed through frames", "Track it first.")
    write_track(folder, track_of(ct_node, found.records, found.frames_per_second))


def _frame(number: int, record: PoseRecord) -> FramePose:
    covariance: Float64[np.ndarray, "6 6"] | None = np.array(record.covariance) if record.covariance else None
    return FramePose(
        number,
        None if covariance is None else record.matrix,
        Verdict(record.verdict),
        record.reason,
        record.similarity if np.isfinite(record.similarity) else None,
        covariance,
        record.views,
        record.start,
        record.seconds if np.isfinite(record.seconds) else 0.0,
    )
