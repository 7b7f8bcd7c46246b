"""Simulated dual fluoroscopy of a moving head, followed with no start: how far off, how sure, how fast?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from ..evaluation.head_motion_frames import HeadMotion, followed_ct, head_motion
from ..evaluation.head_motions import ACTIVITIES
from ..evaluation.subjects import subject_named
from ..registration.result import Verdict
from ..registration.starts import Start, start_from_name
from ..tracking.bodies import Body
from ..tracking.frames import FramesInMemory
from ..tracking.track import BodyTrack
from ..tracking.track_files import write_track
from ..tracking.track_pictures import write_pictures
from ..tracking.tracker import Tracker, TrackProgress, Watching
from ..xray.geometry import rigid
from ..xray.projector.accelerated_projector import projector_on
from ..xray.radiograph import Radiograph
from .machine import machine

# Where less of the skull is seen, it is the end of a motion's range.
MOSTLY_VISIBLE = 0.6
_GROSS_MM = 10.0

Pose = Float64[np.ndarray, "4 4"]


def run(
    count: int = 100,
    activities: Sequence[str] = tuple(ACTIVITIES),
    tell: Callable[[str], None] = lambda _: None,
    folder: Path | None = None,
    subject: str = "visible-human",
    device: str = "cpu",
) -> dict[str, Any]:
    """Figures of each activity, `count` frames each; with a `folder` its track, report and movie are written there.

    Errors are those of the poses as measured, without smoothing, apart for frames with 60 % of the skull in view and
    more, and for the others: rotation (°) and distance of the CT's centre (mm). Frames a second are of the tracking,
    the search in the key frame apart. `device` is where rays are cast, see `projector_on`. InputError for absent data.
    """
    make_projector = projector_on(device)
    whose = subject_named(subject)
    projector = make_projector(followed_ct(whose))
    body = Body("head", projector)
    found = {}
    for name in activities:
        motion = head_motion(whose, name, count, tell)
        found[name] = _followed(body, motion, tell, None if folder is None else folder / name)
    return {
        "frames": count,
        "subject": subject,
        "device": device,
        "activities": found,
        "accepted_gross_failures": sum(one["accepted_gross_failures"] for one in found.values()),
        "machine": machine("fluororegistration", "numpy", "numba"),
    }


def _followed(body: Body, motion: HeadMotion, tell: Callable[[str], None], folder: Path | None) -> dict[str, Any]:
    source = FramesInMemory(motion.frames)
    told: list[float] = []

    def watch(progress: TrackProgress) -> None:
        told.append(time.perf_counter())
        tell(f"{motion.activity.name}: {progress.done} of {progress.total} frames followed")

    def start(_number: int, radiographs: Sequence[Radiograph], _found: Mapping[int, Pose]) -> Start:
        return start_from_name("any", body.projector.ct, radiographs)

    track = Tracker([body], source, start, watching=Watching(watch)).run()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_track(folder, track)
        title = f"Head motion: {motion.activity.name}"
        write_pictures(folder, track, [body], source, [], provenance={}, movie="gif", title=title)
    # From the key frame on, which is told of first.
    seconds = (told[-1] - told[0]) / max(len(told) - 1, 1)
    followed = track.bodies[0]
    errors = _errors(followed, followed.poses, motion)
    smoothed = _errors(followed, followed.smoothed, motion)
    mostly = motion.visible >= MOSTLY_VISIBLE
    verdicts = [frame.verdict for frame in followed.frames]
    gross = errors[:, 1] > _GROSS_MM
    return {
        "words": motion.activity.words,
        "mostly_visible": _summary(errors, smoothed, mostly),
        "end_of_range": _summary(errors, smoothed, ~mostly),
        "least_visible": float(motion.visible.min()),
        "frame_pairs_per_second": 1 / seconds if seconds > 0 else None,
        "verdicts": {verdict.value: sum(one == verdict for one in verdicts) for verdict in Verdict},
        "accepted_gross_failures": int(
            sum(bad and one == Verdict.ACCEPTED for bad, one in zip(gross, verdicts, strict=True))
        ),
    }


def _errors(
    body: BodyTrack, poses: Float64[np.ndarray, "times 4 4"], motion: HeadMotion
) -> Float64[np.ndarray, "times 2"]:
    """Rotation (°) and distance of the centre (mm) from the truth; infinite where there is no pose."""
    found = []
    for pose, truth in zip(poses, motion.truth, strict=True):
        if not np.isfinite(pose).all():
            found.append((np.inf, np.inf))
            continue
        centres = [rigid.transform_points(one, [body.centre])[0] for one in (pose, truth)]
        turned = float(np.degrees(rigid.angle_between(pose, truth)))
        found.append((turned, float(np.linalg.norm(centres[0] - centres[1]))))
    return np.array(found)


def _summary(
    errors: Float64[np.ndarray, "times 2"], smoothed: Float64[np.ndarray, "times 2"], chosen: np.ndarray
) -> dict[str, float | int] | None:
    """Means and maxima over the chosen frames; None without any."""
    if not chosen.any():
        return None
    return {
        "frames": int(chosen.sum()),
        "mean_deg": float(errors[chosen, 0].mean()),
        "max_deg": float(errors[chosen, 0].max()),
        "mean_mm": float(errors[chosen, 1].mean()),
        "max_mm": float(errors[chosen, 1].max()),
        "smoothed_mean_deg": float(smoothed[chosen, 0].mean()),
        "smoothed_mean_mm": float(smoothed[chosen, 1].mean()),
    }
