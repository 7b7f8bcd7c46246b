"""Both ways from a key frame followed at once, by two processes, of which one may die, fail, hang or be left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import pytest
from DiffRegistrationLib.tracking import tracker
from DiffRegistrationLib.tracking.frames import Frame, FramesInMemory
from DiffRegistrationLib.tracking.journal import JOURNAL, Journal
from DiffRegistrationLib.tracking.side_by_side import ProcessBeside, begin_beside
from DiffRegistrationLib.tracking.track import Track
from DiffRegistrationLib.tracking.tracker import Tracker, TrackProgress, Watching
from moving_bones import UPPER, body, frames_of, key_start
from test_tracker import assert_same

COUNT, KEY = 7, 3
HANGS_AT = 1
PATIENCE_S = 60.0


class HangingFrames(FramesInMemory):
    """Another process than the first one never gets past a frame of them."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        super().__init__(frames)
        self._first = os.getpid()

    def frame(self, time_: int) -> Frame:
        if time_ == HANGS_AT and os.getpid() != self._first:
            time.sleep(PATIENCE_S)
        return super().frame(time_)


class BrokenFrames(FramesInMemory):
    """A disk that one of them lies on is gone."""

    def frame(self, time_: int) -> Frame:
        if time_ == HANGS_AT:
            raise OSError("the disk is gone")
        return super().frame(time_)


@cache
def frames() -> tuple[Frame, ...]:
    """A view is dark in a frame before the key frame, both in one after it."""
    all_of_them = frames_of(range(COUNT), (UPPER,))
    all_of_them[2] = (all_of_them[2][0], None)
    all_of_them[5] = (None, None)
    return tuple(all_of_them)


def follow(source: FramesInMemory, journal: Path | None = None, watching: Watching | None = None) -> Track:
    return Tracker(
        [body(UPPER)],
        source,
        key_start([UPPER], KEY),
        key_frame=KEY,
        journal=Journal(journal, "task"),
        watching=watching,
    ).run()


@cache
def one_after_the_other() -> Track:
    return follow(FramesInMemory(frames()))


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> list[ProcessBeside]:
    """Ways are followed at once, however short they are; the processes that do, each once it has begun."""
    one_after_the_other()
    processes: list[ProcessBeside] = []

    def begun(*asked: object) -> ProcessBeside | None:
        process = begin_beside(*asked)  # type: ignore[arg-type]
        if process is not None:
            processes.append(process)
            until(lambda: not process._said.empty())
        return process

    monkeypatch.setattr(tracker, "pays", lambda *_: True)
    monkeypatch.setattr(tracker, "begin_beside", begun)
    return processes


def until(is_so: Callable[[], bool]) -> None:
    latest = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < latest
        time.sleep(0.01)


def test_two_processes_find_what_one_finds(beside: list[ProcessBeside], tmp_path: Path) -> None:
    told: list[TrackProgress] = []
    track = follow(FramesInMemory(frames()), tmp_path / JOURNAL, Watching(told.append))
    assert beside[0].is_done and beside[0]._process.returncode == 0
    assert_same(track, one_after_the_other())
    assert track.bodies[0].frames[2].views == (0,) and track.bodies[0].frames[5].pose is None
    assert [progress.done for progress in told] == list(range(1, COUNT + 1)) and told[0].time == KEY
    assert sorted(progress.time for progress in told) == list(range(COUNT))
    # All that it found is known the next time, when no solver is asked.
    steps: list[object] = []
    again = follow(FramesInMemory(frames()), tmp_path / JOURNAL, Watching(step=lambda *step: steps.append(step)))
    assert_same(again, track)
    assert not steps


def test_what_a_dead_process_leaves_is_done_by_the_other(beside: list[ProcessBeside]) -> None:
    told: list[TrackProgress] = []

    def watch(progress: TrackProgress) -> None:
        told.append(progress)
        if progress.time == HANGS_AT + 1:
            beside[0]._process.kill()

    track = follow(HangingFrames(frames()), watching=Watching(watch))
    assert_same(track, one_after_the_other())
    assert sorted(progress.time for progress in told) == list(range(COUNT))
    late = [progress.words for progress in told if progress.time <= HANGS_AT]
    assert all("one way is followed after the other" in words for words in late), late
    assert not any("followed after" in progress.words for progress in told if progress.time > HANGS_AT)


def test_an_error_of_the_process_beside_is_raised_here(beside: list[ProcessBeside]) -> None:
    with pytest.raises(OSError, match="the disk is gone"):
        follow(BrokenFrames(frames()))
    assert beside[0]._process.poll() is not None


def test_stop_ends_both_and_what_they_found_is_kept_and_gone_on_from(
    beside: list[ProcessBeside], tmp_path: Path
) -> None:
    told: list[int] = []
    watching = Watching(lambda p: told.append(p.time), is_asked_to_stop=lambda: HANGS_AT + 1 in told)
    track = follow(HangingFrames(frames()), tmp_path / JOURNAL, watching)
    assert track.stopped and beside[0]._process.poll() is not None
    expected = [time_ in told and time_ != 5 for time_ in range(COUNT)]
    assert list(track.bodies[0].trusted) == expected and expected[HANGS_AT + 1] and not expected[0]
    assert_same(follow(FramesInMemory(frames()), tmp_path / JOURNAL), one_after_the_other())


def test_frames_that_cannot_be_sent_are_followed_one_way_after_the_other(beside: list[ProcessBeside]) -> None:
    source = FramesInMemory(frames())
    source.frame = lambda time_: frames()[time_]  # type: ignore[assignment, method-assign]
    assert_same(follow(source), one_after_the_other())
    assert not beside


ALONE = """
import time
from DiffRegistrationLib.tracking.history import History
from DiffRegistrationLib.tracking.journal import Journal
from DiffRegistrationLib.tracking.registrations import Registrations
from DiffRegistrationLib.tracking.side_by_side import ProcessBeside
from DiffRegistrationLib.tracking.way_beside import Way
from test_side_by_side_chains import HangingFrames, UPPER, body, until
beside = ProcessBeside(
    HangingFrames([(None,)] * 3), Registrations([body(UPPER)], Journal(), "auto", None), [History()], Way((1, 0), -1)
)
until(lambda: not beside._said.empty())
print(beside._process.pid, flush=True)
time.sleep(60)
"""


def test_it_goes_with_the_process_that_began_it() -> None:
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    first = subprocess.Popen([sys.executable, "-c", ALONE], stdout=subprocess.PIPE, env=os.environ | paths)
    assert first.stdout is not None
    beside = psutil.Process(int(first.stdout.readline()))
    assert beside.is_running()
    first.kill()
    first.wait(PATIENCE_S)
    until(lambda: not beside.is_running() or beside.status() == psutil.STATUS_ZOMBIE)


def test_a_way_knows_nothing_of_the_other_one() -> None:
    whole = one_after_the_other()
    others = list(frames())
    others[KEY + 1 :] = [(None, None)] * (COUNT - KEY - 1)
    alone = follow(FramesInMemory(others))
    np.testing.assert_array_equal(alone.bodies[0].poses[: KEY + 1], whole.bodies[0].poses[: KEY + 1])
