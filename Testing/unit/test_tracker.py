"""Bodies followed through frames whose truth is known, with all that goes wrong on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from DiffRegistrationLib.registration.registration import register
from DiffRegistrationLib.registration.result import Verdict
from DiffRegistrationLib.registration.scene import PlacedBody
from DiffRegistrationLib.registration.sound_views import register_sound_views
from DiffRegistrationLib.registration.starts import start_from_pose
from DiffRegistrationLib.tracking.frames import Frame, FramesInMemory
from DiffRegistrationLib.tracking.journal import JOURNAL, Journal
from DiffRegistrationLib.tracking.track import Track
from DiffRegistrationLib.tracking.tracker import Tracker, TrackProgress, Watching
from DiffRegistrationLib.xray.errors import InputError
from DiffRegistrationLib.xray.geometry import rigid
from moving_bones import CAMERAS, LOWER, UPPER, body, error_mm, frames_of, key_start, off, truth, xray

COUNT = 10


class DarkFrames(FramesInMemory):
    """Frames of which some cannot be used."""

    def __init__(self, frames: Sequence[Frame], dark: Sequence[int]) -> None:
        super().__init__(frames)
        self._dark = dark

    def frame(self, time: int) -> Frame:
        if time in self._dark:
            raise InputError(f"frame {time}", "is dark", "Leave it out.")
        return super().frame(time)


def follow(frames: Sequence[Frame], labels: Sequence[int] = (UPPER,), key_time: float = 0, **options: Any) -> Track:
    source = options.pop("source", None) or FramesInMemory(frames)
    return Tracker([body(label) for label in labels], source, key_start(labels, key_time), **options).run()


def errors(track: Track, labels: Sequence[int] = (UPPER,)) -> np.ndarray:
    """Errors (mm) of the smoothed poses: a row a body, NaN where nothing is known."""
    return np.array(
        [
            [
                error_mm(label, pose, truth(label, time))
                for time, pose in zip(track.times, followed.smoothed, strict=True)
            ]
            for label, followed in zip(labels, track.bodies, strict=True)
        ]
    )


def test_two_bones_that_bend_against_each_other_are_followed() -> None:
    track = follow(frames_of(range(COUNT)), (UPPER, LOWER), frames_per_second=15.0)
    assert (track.times, track.frames_per_second, track.stopped) == (tuple(range(COUNT)), 15.0, False)
    for label, followed in zip((UPPER, LOWER), track.bodies, strict=True):
        assert [frame.verdict for frame in followed.frames] == [Verdict.ACCEPTED] * COUNT
        assert all(frame.views == (0, 1) for frame in followed.frames)
        raw = [error_mm(label, frame.pose, truth(label, frame.time)) for frame in followed.frames]
        assert max(raw) < 0.3
    assert errors(track, (UPPER, LOWER)).max() < 0.3


def test_frames_that_are_missing_or_dark_are_bridged() -> None:
    frames = frames_of(range(COUNT), (UPPER,))
    frames[3] = (None, frames[3][1])
    frames[5] = (None, None)
    told: list[TrackProgress] = []
    track = follow(frames, source=DarkFrames(frames, [7]), watching=Watching(told.append))
    (bone,) = track.bodies
    assert bone.frames[3].views == (1,) and bone.frames[3].verdict != Verdict.FAILED
    for place, words in ((5, "no view has this frame"), (7, "is dark")):
        frame = bone.frames[place]
        assert frame.verdict == Verdict.FAILED and frame.pose is None and words in frame.reason
    assert list(np.flatnonzero(~bone.trusted)) == [5, 7]
    assert errors(track).max() < 0.5
    assert [progress.time for progress in told] == list(range(COUNT)) and told[-1].done == told[-1].total == COUNT


def test_from_a_key_frame_in_the_middle_both_ways_are_followed() -> None:
    told: list[TrackProgress] = []
    track = follow(frames_of(range(COUNT), (UPPER,)), key_time=4, key_frame=4, watching=Watching(told.append))
    assert [progress.time for progress in told] == [4, 5, 6, 7, 8, 9, 3, 2, 1, 0]
    assert track.bodies[0].frames[2].start == "frames after" and track.bodies[0].frames[6].start == "frames before"
    assert errors(track).max() < 0.3


def test_where_no_key_frame_is_given_one_that_shows_the_body_is_taken() -> None:
    frames = frames_of(range(5), (UPPER,))
    frames[0] = (None, None)
    told: list[TrackProgress] = []
    track = follow(frames, key_time=2, watching=Watching(told.append))
    assert told[0].time == 2 and list(track.bodies[0].trusted) == [False, True, True, True, True]
    with pytest.raises(InputError, match=r"key frame 9.*0 to 4"):
        follow(frames, key_frame=9)
    with pytest.raises(InputError, match="frame 0"):
        follow(frames, key_frame=0)


def test_a_body_that_jumps_is_found_again() -> None:
    times = [0, 1, 2, 3]
    frames = frames_of(times, (UPPER,))
    jumped = rigid.move_about(
        rigid.transform_points(truth(UPPER, 3), [body(UPPER).projector.ct.centre])[0],
        [0.1, -0.15, 0.1, 20.0, -12.0, 15.0],
        truth(UPPER, 3),
    )
    for seed in (10, 11, 12):
        frames.append(tuple(xray(primary, {UPPER: jumped}, seed) for primary in CAMERAS))
    (bone,) = follow(frames).bodies
    assert all(bone.trusted)
    assert [error_mm(UPPER, frame.pose, jumped) < 0.3 for frame in bone.frames[4:]] == [True] * 3
    assert "search" in bone.frames[4].start and bone.frames[6].start == "frames before"


def test_a_body_that_is_not_in_the_picture_is_not_followed_on_noise() -> None:
    frames = frames_of(range(6), (UPPER,))
    frames[3] = tuple(xray(primary, {}, 3, noise=0.05) for primary in CAMERAS)
    track = follow(frames)
    (bone,) = track.bodies
    assert list(np.flatnonzero(~bone.trusted)) == [3]
    assert errors(track).max() < 1.0


def test_a_hidden_body_is_found_better_with_the_one_that_hides_it_in_the_picture() -> None:
    lower = truth(LOWER, 0)
    there = rigid.transform_points(lower, [body(LOWER).projector.ct.centre])[0]
    hiding = truth(UPPER, 0)
    middle = rigid.transform_points(hiding, [body(UPPER).projector.ct.centre])[0]
    # In front of it for both cameras, by half its width.
    hiding = rigid.rigid(np.eye(3), there - middle + [12.0, 12.0, 12.0]) @ hiding
    views = [xray(primary, {UPPER: hiding, LOWER: lower}, tissue=False) for primary in CAMERAS]
    start = start_from_pose(off(LOWER, lower))
    alone = register(body(LOWER).projector, views, start, wants_drrs=False)
    beside = register(
        body(LOWER).projector, views, start, others=[PlacedBody(body(UPPER).projector, hiding)], wants_drrs=False
    )
    assert error_mm(LOWER, beside.pose, lower) < 0.3
    assert error_mm(LOWER, alone.pose, lower) > 2 * error_mm(LOWER, beside.pose, lower)
    assert min(fit.agreement for fit in beside.views) > 1.2 * min(fit.agreement for fit in alone.views)


def test_a_view_of_something_else_is_left_out_or_told() -> None:
    pose = truth(UPPER, 0)
    good = xray(180.0, {UPPER: pose})
    other = xray(90.0, {LOWER: truth(LOWER, 6)}, seed=3)
    start = start_from_pose(off(UPPER, pose))
    found = register_sound_views(body(UPPER).projector, [good, other], start, wants_drrs=False)
    assert found.verdict != Verdict.ACCEPTED
    assert [fit.left_out is not None for fit in found.views] == [False, True], found.reason
    assert "view 2 was left out" in found.reason

    moved = rigid.rigid(np.eye(3), [0.0, 0.0, 12.0]) @ pose
    contradicting = xray(90.0, {UPPER: moved}, seed=3)
    found = register_sound_views(body(UPPER).projector, [good, contradicting], start, wants_drrs=False)
    assert found.verdict != Verdict.ACCEPTED, found.reason
    assert "contradict" in found.reason or "view 2 was left out" in found.reason


def test_stop_keeps_what_there_is() -> None:
    told: list[TrackProgress] = []
    watching = Watching(told.append, is_asked_to_stop=lambda: len(told) == 4)
    track = follow(frames_of(range(COUNT), (UPPER,)), watching=watching)
    (bone,) = track.bodies
    assert track.stopped and track.times == tuple(range(COUNT))
    assert list(np.flatnonzero(bone.trusted)) == [0, 1, 2, 3]
    assert all(frame.pose is None and "stopped" in frame.reason for frame in bone.frames[4:])
    assert np.isnan(bone.smoothed[4:]).all() and errors(track)[0, :4].max() < 0.3


def test_a_tracking_that_was_cut_off_goes_on_to_exactly_the_same_track(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = frames_of(range(6), (UPPER, LOWER))
    frames[3] = tuple(xray(primary, {UPPER: truth(UPPER, 3)}, 3) for primary in CAMERAS)
    of_whole, path = tmp_path / "whole.jsonl", tmp_path / JOURNAL
    # What a kill at that moment would leave.
    left: list[str] = []

    def step(time: int, number: int, *_: object) -> None:
        if (time, number) == (4, 1) and not left:
            left.append(of_whole.read_text(encoding="utf-8"))

    whole = follow(frames, (UPPER, LOWER), journal=Journal(of_whole, "task"), watching=Watching(step=step))
    assert 8 < len(left[0].splitlines()) < len(of_whole.read_text(encoding="utf-8").splitlines())
    path.write_text(left[0] + '{"name": "frame 4, body 1, 1", "found": {"pose"', encoding="utf-8")
    steps: list[tuple[int, int]] = []
    again = follow(
        frames, (UPPER, LOWER), journal=Journal(path, "task"), watching=Watching(step=lambda *at: steps.append(at[:2]))
    )
    assert steps[0] == (4, 1) and {time for time, _ in steps} <= {3, 4, 5}
    assert_same(again, whole)

    # All is known now; another task knows nothing of it.
    monkeypatch.setattr("DiffRegistrationLib.tracking.registrations.register", None)
    monkeypatch.setattr("DiffRegistrationLib.tracking.registrations.register_sound_views", None)
    assert_same(follow(frames, (UPPER, LOWER), journal=Journal(path, "task")), whole)
    assert Journal(path, "another task").find("frame 0, body 0, 1") is None
    assert Journal(path, "task").find("frame 0, body 0, 1") is not None


def assert_same(one: Track, other: Track) -> None:
    """All but the seconds is the same, to the last bit."""
    assert one.times == other.times and one.stopped == other.stopped
    for a, b in zip(one.bodies, other.bodies, strict=True):
        np.testing.assert_array_equal(a.poses, b.poses)
        np.testing.assert_array_equal(a.smoothed, b.smoothed)
        for left, right in zip(a.frames, b.frames, strict=True):
            np.testing.assert_array_equal(left.covariance, right.covariance)
            plain = {"pose": None, "covariance": None, "seconds": 0.0}
            assert vars(replace(left, **plain)) == vars(replace(right, **plain))
