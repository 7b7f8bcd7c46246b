"""A head that moves before two simulated fluoroscopes, placed by its landmarks in every frame pair by itself."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from DiffRegistrationLib.benchmarks.head_motion import MOSTLY_VISIBLE
from DiffRegistrationLib.evaluation.head_motion_frames import Fluoroscopes, HeadMotion, followed_ct, head_motion
from DiffRegistrationLib.evaluation.head_motions import ACTIVITIES
from DiffRegistrationLib.evaluation.subjects import visible_human
from DiffRegistrationLib.registration.landmark_start import resected_landmarks
from DiffRegistrationLib.registration.registration import register
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.xray.ct import CT
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from DiffRegistrationLib.xray.projector import Projector
from DiffRegistrationLib.xray.radiograph import Radiograph
from jaxtyping import Bool, Float64

from ..atlas.head import template_head
from ..atlas.landmark_set import LandmarkSet, LandmarkStatus
from ..detection.detector import detect
from ..detection.named_landmarks import known_in, seen_in
from ..detection.registration_start import start_of
from ..network.model_file import TrainedDetector
from .closed_field import closed_to
from .triangulated_fit import pose_from_triangulated

# How a pose came about, by its key in the figures.
WAYS = {
    "triangulated": "each landmark triangulated, then the CT laid onto them",
    "landmarks": "all landmarks of both views together",
    "refined": "the same, then the solver",
}
_GROSS_MM = 10.0

Pose = Float64[np.ndarray, "4 4"]


def placed_by_landmarks(
    trained: TrainedDetector,
    count: int,
    activities: Sequence[str] = tuple(ACTIVITIES),
    part: float = 1.0,
    fluoroscopes: Fluoroscopes | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Figures of each activity for a network of the Visible Human's head: `count` frame pairs, nothing told.

    Errors are of the followed CT, which ends above the neck: rotation (°) and distance of its centre (mm), apart for
    frames with 60 % of the skull in view and more, and for the others. Both fields are closed, each from a side that
    changes with the frames, until `part` of the landmarks shows. InputError for absent data.
    """
    subject = visible_human()
    ct = followed_ct(subject)
    projector = Projector(ct)
    landmarks = landmarks_in(template_head().landmarks, ct)
    found: dict[str, Any] = {}
    for name in activities:
        motion = head_motion(subject, name, count, tell, fluoroscopes)
        found[name] = _placed(trained, projector, landmarks, motion, part, tell)
    return {
        "frames": count,
        "part": part,
        "fluoroscopes": asdict(fluoroscopes or Fluoroscopes()),
        "activities": found,
    }


def landmarks_in(landmarks: LandmarkSet, ct: CT) -> LandmarkSet:
    """The same landmarks, of which those that `ct`, a part of their head's, does not show are said to lie outside."""
    low, high = ct.corners().min(axis=0), ct.corners().max(axis=0)
    inside = landmarks.is_in_ct & ((landmarks.points >= low) & (landmarks.points <= high)).all(axis=1)
    status = [
        status if there or not known else LandmarkStatus.OUTSIDE
        for status, there, known in zip(landmarks.status, inside, landmarks.is_known, strict=True)
    ]
    return LandmarkSet(landmarks.names, landmarks.points, landmarks.uncertainty_mm, tuple(status))


def _placed(
    trained: TrainedDetector,
    projector: Projector,
    landmarks: LandmarkSet,
    motion: HeadMotion,
    part: float,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    errors: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    verdicts: list[Verdict] = []
    seconds: list[float] = []
    for number, (frame, truth) in enumerate(zip(motion.frames, motion.truth, strict=True)):
        head = rigid.transform_points(truth, landmarks.points[landmarks.is_known & landmarks.is_in_ct])
        radiographs = [
            closed_to(radiograph, radiograph.camera.project(head), part, number + view)
            for view, radiograph in enumerate(frame)
            if radiograph is not None
        ]
        began = time.perf_counter()
        poses, verdict = _poses(trained, projector, landmarks, radiographs)
        seconds.append(time.perf_counter() - began)
        verdicts.append(verdict)
        for way in WAYS:
            errors[way].append(_error(poses.get(way), truth, projector.ct.centre))
        tell(f"{motion.activity.name}: {number + 1} of {len(motion.frames)} frame pairs placed")
    mostly = motion.visible >= MOSTLY_VISIBLE
    off = {way: np.array(values) for way, values in errors.items()}
    gross = off["refined"][:, 1] > _GROSS_MM
    return {
        "words": motion.activity.words,
        "mostly_visible": {way: _summary(values, mostly) for way, values in off.items()},
        "end_of_range": {way: _summary(values, ~mostly) for way, values in off.items()},
        "verdicts": {
            part: {verdict.value: sum(one == verdict for one in np.array(verdicts)[which]) for verdict in Verdict}
            for part, which in (("mostly_visible", mostly), ("end_of_range", ~mostly))
        },
        "accepted_gross_failures": sum(
            bool(bad) and one == Verdict.ACCEPTED for bad, one in zip(gross, verdicts, strict=True)
        ),
        "least_visible": float(motion.visible.min()),
        "seconds": float(np.median(seconds)),
    }


def _poses(
    trained: TrainedDetector, projector: Projector, landmarks: LandmarkSet, radiographs: Sequence[Radiograph]
) -> tuple[dict[str, Pose], Verdict]:
    """The poses that there are, by way, and the solver's verdict."""
    ct, cameras = projector.ct, [radiograph.camera for radiograph in radiographs]
    found = [detect(trained, radiograph) for radiograph in radiographs]
    known, seen = known_in(landmarks), seen_in(found)
    poses: dict[str, Pose] = {}
    with contextlib.suppress(InputError):
        poses["triangulated"] = pose_from_triangulated(known, seen, cameras)
    try:
        poses["landmarks"] = resected_landmarks(known, seen, ct.centre, cameras).pose
        start = start_of(found, landmarks, ct, radiographs)
    except InputError:
        return poses, Verdict.FAILED
    result = register(projector, list(radiographs), start, wants_drrs=False)
    poses["refined"] = result.pose
    return poses, result.verdict


def _error(pose: Pose | None, truth: Pose, centre: Float64[np.ndarray, "3"]) -> tuple[float, float]:
    """Rotation (°) and distance of the centre (mm); infinite without a pose."""
    if pose is None:
        return np.inf, np.inf
    apart = rigid.transform_points(pose, centre[None]) - rigid.transform_points(truth, centre[None])
    return float(np.degrees(rigid.angle_between(pose, truth))), float(np.linalg.norm(apart))


def _summary(errors: Float64[np.ndarray, "n 2"], which: Bool[np.ndarray, "n"]) -> dict[str, float | int]:
    """Means and medians over those that have a pose, and how many have none."""
    there = errors[which & np.isfinite(errors).all(axis=1)]
    figures: dict[str, float | int] = {"frames": int(which.sum()), "without": int(which.sum()) - len(there)}
    for name, column in (("deg", 0), ("mm", 1)):
        values = there[:, column]
        if len(values):
            figures |= {f"mean_{name}": float(values.mean()), f"median_{name}": float(np.median(values))}
            figures[f"max_{name}"] = float(values.max())
    return figures
