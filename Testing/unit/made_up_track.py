"""A made-up track of two bones in a bending joint, with all that can go wrong in single frames."""

from __future__ import annotations

import numpy as np
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.tracking.joint_motion import JointMotion, joint_motion
from DiffRegistrationLib.tracking.smoothing import smoothed_track
from DiffRegistrationLib.tracking.track import BodyTrack, FramePose, Track
from DiffRegistrationLib.xray.geometry import rigid

SIGMA = np.array([0.004, 0.004, 0.006, 0.2, 0.2, 0.6])
CENTRES = {"femur": np.array([20.0, -30.0, 40.0]), "tibia": np.array([22.0, -25.0, -60.0])}
FAILED, DOUBTFUL, MISSING = (18, 19, 20, 21), (7, 30, 31), (40, 41)


def made_up_track(count: int = 60, frames_per_second: float | None = 30.0) -> Track:
    """`count` frames; a bend of 60° and back. Some frames are doubtful, failed or without an X-ray."""
    rng = np.random.default_rng(4)
    bodies = []
    for name, centre in CENTRES.items():
        frames = []
        for time in range(count):
            share = np.sin(np.pi * time / max(count - 1, 1))
            bend = np.radians(60 * share if name == "tibia" else 8 * share)
            R = rigid.rotation_exp([-bend, 0.05 * share, 0.1 * share])
            pose = rigid.rigid(R, [0.0, 30 * share, -12 * share])
            pose = rigid.move_about(pose[:3, :3] @ centre + pose[:3, 3], rng.normal(size=6) * SIGMA, pose)
            frames.append(_frame(time, pose, centre))
        unsmoothed = BodyTrack(name, centre, tuple(frames), np.full((count, 4, 4), np.nan))
        bodies.append(BodyTrack(name, centre, tuple(frames), smoothed_track(unsmoothed).poses))
    return Track(tuple(bodies), tuple(range(count)), frames_per_second)


def _frame(time: int, pose: np.ndarray, centre: np.ndarray) -> FramePose:
    covariance = np.diag(SIGMA**2)
    if time in MISSING:
        return FramePose(time, None, Verdict.FAILED, "no X-ray of this frame", None, None, (), "none", 0.0)
    if time in FAILED:
        pose = rigid.move_about(pose[:3, :3] @ centre + pose[:3, 3], [0.3, 0.2, -0.1, 8, -12, 15], pose)
        reason = "similarity 0.41 is below 0.6 & <far> too low"
        return FramePose(time, pose, Verdict.FAILED, reason, 0.41, covariance, (0,), "previous frames", 0.8)
    if time in DOUBTFUL:
        reason = "two starts ended 4.1 mm apart"
        return FramePose(time, pose, Verdict.DOUBTFUL, reason, 0.77, 4 * covariance, (0, 1), "search", 0.9)
    return FramePose(time, pose, Verdict.ACCEPTED, "passed every check", 0.94, covariance, (0, 1), "previous", 0.3)


def made_up_joint(track: Track, smoothed: bool = True) -> JointMotion:
    return joint_motion(track.body("femur"), track.body("tibia"), smoothed=smoothed)
