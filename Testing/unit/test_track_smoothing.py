"""Smoothing a track: exact where there is no noise, better than the frames where there is, and hard to mislead."""

from __future__ import annotations

import numpy as np
import pytest
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.tracking.smoothing import Smoothing, smoothed, smoothed_track
from DiffRegistrationLib.tracking.track import BodyTrack, FramePose
from DiffRegistrationLib.xray.geometry import rigid

CENTRE = np.array([12.0, -35.0, 80.0])
# About 0.25° and 0.3 mm, depth worse: what a single view gives.
SIGMA = np.array([0.004, 0.004, 0.004, 0.3, 1.5, 0.3])
COVARIANCE = np.diag(SIGMA**2)
WRONG = np.array([0.8, -0.5, 0.2, 40.0, -60.0, 100.0])


def pose_at(omega: np.ndarray, centre_in_world: np.ndarray) -> np.ndarray:
    R = rigid.rotation_exp(omega)
    return rigid.rigid(R, centre_in_world - R @ CENTRE)


def smooth_motion(seconds: np.ndarray) -> np.ndarray:
    """Turning by up to half a radian and moving by centimetres, with no constant velocity anywhere."""
    return np.array(
        [
            pose_at(
                np.array([0.5 * np.sin(2 * t), 0.3 * np.sin(3 * t + 1), 0.4 * np.cos(1.3 * t)]),
                np.array([30 * np.sin(1.7 * t), 20 * np.cos(t), 15 * np.sin(2.5 * t)]),
            )
            for t in seconds
        ]
    )


def off(poses: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Increments (rad, mm) about the centre from the truth."""
    centres = truth[:, :3, :3] @ CENTRE + truth[:, :3, 3]
    return np.array([rigid.increment_between(c, p, t) for c, p, t in zip(centres, poses, truth, strict=True)])


def displaced(pose: np.ndarray, increment: np.ndarray) -> np.ndarray:
    return rigid.move_about(pose[:3, :3] @ CENTRE + pose[:3, 3], increment, pose)


def measured(truth: np.ndarray, times_sigma: float = 1.0, seed: int = 3) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(len(truth), 6)) * SIGMA * times_sigma
    return np.array([displaced(pose, one) for pose, one in zip(truth, noise, strict=True)])


def smooth(poses: np.ndarray, seconds: np.ndarray) -> Smoothing:
    return smoothed(poses, np.repeat(COVARIANCE[None], len(poses), axis=0), CENTRE, seconds)


def rms(increments: np.ndarray) -> tuple[float, float]:
    """Root mean squares of rotation (rad) and translation (mm)."""
    return float(np.sqrt((increments[:, :3] ** 2).mean())), float(np.sqrt((increments[:, 3:] ** 2).mean()))


def test_a_constant_twist_without_noise_comes_back_exactly_at_uneven_times_and_across_a_gap() -> None:
    seconds = np.cumsum(np.random.default_rng(5).uniform(0.02, 0.3, 40))
    start = rigid.rotation_exp([0.3, 0.2, -0.9])
    truth = []
    for t in seconds:
        R = rigid.rotation_exp(np.array([0.5, -0.9, 0.3]) * t) @ start
        truth.append(rigid.rigid(R, np.array([5.0, 6.0, -700.0]) + np.array([10.0, -4.0, 7.0]) * t - R @ CENTRE))
    truth = np.array(truth)
    seen = truth.copy()
    seen[[0, 20, 21, 22, 23, 24, 39]] = np.nan
    found = smooth(seen, seconds)
    assert np.isnan(found.poses[[0, 39]]).all() and np.isnan(found.covariances[[0, 39]]).all()
    assert np.abs(found.poses[1:39] - truth[1:39]).max() < 1e-9
    assert np.flatnonzero(found.filled).tolist() == [20, 21, 22, 23, 24]
    assert found.inflation == pytest.approx(1)


def test_noise_of_a_smooth_motion_halves_and_its_covariance_tells_what_is_left() -> None:
    seconds = np.arange(240) / 30
    truth = smooth_motion(seconds)
    seen = measured(truth)
    found = smooth(seen, seconds)
    before, after = rms(off(seen, truth)), rms(off(found.poses, truth))
    assert after[0] < 0.65 * before[0] and after[1] < 0.5 * before[1]
    squared = [e @ np.linalg.solve(P, e) for e, P in zip(off(found.poses, truth), found.covariances, strict=True)]
    # Six on average where the covariances are right.
    assert 4.5 < np.mean(squared) < 8
    assert found.inflation < 1.3


def test_covariances_that_are_too_small_are_found_out() -> None:
    seconds = np.arange(150) / 15
    truth = smooth_motion(seconds)
    found = smooth(measured(truth, times_sigma=3.0), seconds)
    assert 6 < found.inflation < 13
    squared = [e @ np.linalg.solve(P, e) for e, P in zip(off(found.poses, truth), found.covariances, strict=True)]
    assert 4 < np.mean(squared) < 9


def test_one_wild_frame_is_ignored_and_its_neighbours_stay() -> None:
    seconds = np.arange(60) / 30
    truth = smooth_motion(seconds)
    seen = measured(truth)
    clean = smooth(seen, seconds)
    for wrong in (0, 1, 30, 59):
        spoilt = seen.copy()
        spoilt[wrong] = displaced(seen[wrong], WRONG)
        found = smooth(spoilt, seconds)
        assert found.weights[wrong] < 0.01
        others = np.arange(60) != wrong
        assert found.weights[others].min() > 0.1
        drag = np.abs(off(found.poses, clean.poses))
        assert drag[others].max(axis=0)[:3].max() < 0.01 and drag[others][:, 3:].max() < 2


def test_three_wild_frames_in_a_row_do_not_carry_the_others_along() -> None:
    seconds = np.arange(60) / 30
    truth = smooth_motion(seconds)
    seen = measured(truth)
    for wrong in (20, 21, 22):
        seen[wrong] = displaced(seen[wrong], WRONG)
    found = smooth(seen, seconds)
    assert found.weights[20:23].max() < 0.01
    error = np.abs(off(found.poses, truth))
    assert error[:, :3].max() < 0.03 and error[:, 3:].max() < 5


def test_a_gap_of_five_frames_is_filled_within_its_own_uncertainty() -> None:
    seconds = np.arange(60) / 30
    truth = smooth_motion(seconds)
    seen = measured(truth)
    seen[25:30] = np.nan
    found = smooth(seen, seconds)
    assert np.flatnonzero(found.filled).tolist() == [25, 26, 27, 28, 29]
    error = off(found.poses, truth)[25:30]
    assert np.abs(error[:, :3]).max() < 0.015 and np.abs(error[:, 3:]).max() < 2.5
    std = np.sqrt(np.diagonal(found.covariances, axis1=1, axis2=2))
    assert (np.abs(error) < 4 * std[25:30]).all()
    assert (std[27] > std[23]).all()


def test_uneven_times_matter_and_their_unit_does_not() -> None:
    # Frames come twice as fast at first: to even steps the body would seem to change its speed.
    seconds = np.concatenate([np.arange(30) / 30, 1 + np.arange(30) / 15])
    truth = np.array([pose_at(np.array([0.2, 0.1, 0.3]) * t, np.array([80.0, 10.0, -20.0]) * t) for t in seconds])
    seen = measured(truth)
    found, in_minutes, counted = (smooth(seen, times) for times in (seconds, seconds / 60, np.arange(60.0)))
    assert np.abs(found.poses - in_minutes.poses).max() < 1e-5
    assert rms(off(found.poses, truth))[1] < 0.8 * rms(off(counted.poses, truth))[1]


def test_few_measurements_give_what_is_known_and_no_more() -> None:
    seconds = np.arange(5.0)
    none = np.full((5, 4, 4), np.nan)
    assert np.isnan(smooth(none, seconds).poses).all()
    one = none.copy()
    one[2] = pose_at(np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0]))
    found = smooth(one, seconds)
    assert np.isfinite(found.poses).all(axis=(1, 2)).tolist() == [False, False, True, False, False]
    assert np.array_equal(found.poses[2], one[2]) and np.array_equal(found.covariances[2], COVARIANCE)
    two = one.copy()
    two[4] = pose_at(np.array([0.3, 0.6, 0.9]), np.array([5.0, 2.0, 3.0]))
    found = smooth(two, seconds)
    middle = pose_at(np.array([0.2, 0.4, 0.6]), np.array([3.0, 2.0, 3.0]))
    assert np.abs(found.poses[3] - middle).max() < 1e-12
    assert found.filled.tolist() == [False, False, False, True, False]
    assert np.isnan(found.covariances[3]).all()
    with pytest.raises(ValueError, match="must rise"):
        smooth(two, np.zeros(5))


def test_a_missing_covariance_or_one_without_depth_does_not_stop_it() -> None:
    seconds = np.arange(60) / 30
    truth = smooth_motion(seconds)
    seen = measured(truth)
    covariances = np.repeat(COVARIANCE[None], 60, axis=0)
    covariances[10], covariances[11] = np.nan, 0.0
    found = smoothed(seen, covariances, CENTRE, seconds)
    assert rms(off(found.poses, truth))[1] < 0.7 * rms(off(seen, truth))[1]
    depthless = np.diag(np.where(np.arange(6) == 4, 1e4, SIGMA) ** 2)
    still = np.repeat(truth[:1], 60, axis=0)
    found = smoothed(measured(still), np.repeat(depthless[None], 60, axis=0), CENTRE, seconds)
    assert rms(off(found.poses, still))[0] < 0.5 * rms(off(seen, truth))[0]


def test_a_body_is_smoothed_from_its_trusted_frames_at_their_times() -> None:
    times = (3, 4, 6, 7, 8, 10)
    truth = [pose_at(np.array([0.02, 0.0, 0.01]) * t, np.array([2.0, -1.0, 0.5]) * t) for t in times]
    frames = []
    for number, (time, pose) in enumerate(zip(times, truth, strict=True)):
        failed = number == 2
        shown = displaced(pose, WRONG) if failed else pose
        verdict = Verdict.FAILED if failed else Verdict.ACCEPTED
        frames.append(FramePose(time, shown, verdict, "", 0.9, None if failed else COVARIANCE, (0,), "", 0.1))
    found = smoothed_track(BodyTrack("bone", CENTRE, tuple(frames), np.full((6, 4, 4), np.nan)))
    assert np.abs(found.poses - np.array(truth)).max() < 1e-9
    assert found.filled.tolist() == [False, False, True, False, False, False]
