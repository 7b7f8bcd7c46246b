"""Follows bodies through frames: from a key frame forward and backward, each frame from what the ones before say.

Both ways go on from the key frame alone and know nothing of each other, so that they can be followed at once. A
stretch that stays lost is tried again from the next good frame, backward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..registration.registration import DEFAULT_SIMILARITY
from ..registration.result import Verdict
from ..xray.errors import InputError
from .bodies import Body
from .follower import Follower, KeyStart
from .frames import FrameSource
from .history import History
from .journal import Journal
from .registrations import Registrations, Step
from .side_by_side import ProcessBeside, begin_beside, pays
from .smoothing import smoothed_track
from .track import BodyTrack, FramePose, Track
from .way_beside import Way

# Key frames that are tried where none is given, as parts of the sequence.
_KEY_PARTS = (0.0, 0.5, 0.25, 0.75, 1.0)
# So often a wish to stop is looked for while the process beside is waited for.
_LOOK_S = 0.1


@dataclass(frozen=True)
class TrackProgress:
    """A frame that is done: `done` of `total` in all. `found` is what is known of each body in it."""

    done: int
    total: int
    time: int
    found: Mapping[str, FramePose]
    words: str


@dataclass(frozen=True)
class Watching:
    """Who is told: of every frame, and of every step of the solver in this process; and who may stop it."""

    frame: Callable[[TrackProgress], None] = lambda _: None
    step: Step | None = None
    is_asked_to_stop: Callable[[], bool] = lambda: False


class Tracker:
    """One tracking: `run` does all of it.

    `key_start` tells where each body is searched for in a key frame; `key_frame` is that frame's number, None to try
    a few. `weights` are those of the views. InputError from `run` where no key frame shows all bodies.

    From a key frame within a long sequence both ways are followed at once, where there is more than one core: the
    shorter one in a process of its own, which needs a `source` that can be pickled.
    """

    def __init__(
        self,
        bodies: Sequence[Body],
        source: FrameSource,
        key_start: KeyStart,
        *,
        key_frame: int | None = None,
        similarity: str = DEFAULT_SIMILARITY,
        weights: Sequence[float] | None = None,
        frames_per_second: float | None = None,
        journal: Journal | None = None,
        watching: Watching | None = None,
    ) -> None:
        self._bodies, self._source, self._key_start, self._key_frame = tuple(bodies), source, key_start, key_frame
        self._rate, self._watching = frames_per_second, watching or Watching()
        self._registrations = Registrations(
            self._bodies, journal or Journal(), similarity, weights, self._watching.step
        )
        self._times = list(source.times)
        self._histories = [History() for _ in self._bodies]
        self._unusable: set[int] = set()
        self._told: set[int] = set()
        self._remark = ""
        self._stopped = False

    def run(self) -> Track:
        """Follow the bodies through all frames, or until asked to stop."""
        key = self._find_key_frame()
        after = Way(tuple(t for t in self._times if t > key), 1)
        before = Way(tuple(t for t in reversed(self._times) if t < key), -1)
        self._follow_both(after, before)
        if not self._stopped:
            self._come_back(key)
        return self.track()

    def track(self) -> Track:
        """What is known so far."""
        return Track(
            tuple(self._body_track(number) for number in range(len(self._bodies))),
            tuple(self._times),
            self._rate,
            self._stopped,
        )

    def _find_key_frame(self) -> int:
        """The first key frame in which no body fails; of those tried the one in which most bodies do not."""
        if not self._times:
            raise InputError("X-rays", "no frame was given", "Give one frame at least.")
        last = len(self._times) - 1
        given = self._key_frame
        if given is not None and given not in self._times:
            raise InputError(
                f"key frame {given}",
                f"is none of the frames, which are {self._times[0]} to {self._times[-1]}",
                "Choose a frame that every view has.",
            )
        tried = [given] if given is not None else list(dict.fromkeys(self._times[round(p * last)] for p in _KEY_PARTS))
        outcomes: list[tuple[int, int, list[History]]] = []
        problem: InputError | None = None
        for time in tried:
            follower = self._follower([History() for _ in self._bodies])
            try:
                follower.begin(time, self._key_start)
            except InputError as error:
                problem = problem or error
                continue
            known = sum(history.is_known(time) for history in follower.histories)
            outcomes.append((known, time, follower.histories))
            if known == len(self._bodies):
                break
        if not outcomes:
            assert problem is not None
            raise problem
        _, key, self._histories = max(outcomes, key=lambda outcome: outcome[0])
        self._tell(key, {number: history.found[key] for number, history in enumerate(self._histories)})
        return key

    def _follow_both(self, after: Way, before: Way) -> None:
        """Both ways from the key frame on, at once where that pays; what they find is brought together at the end."""
        ways: dict[Way, list[History]] = {}
        longer, shorter = sorted((after, before), key=lambda way: len(way.times), reverse=True)
        beside = None
        if pays(after, before, self._registrations):
            beside = begin_beside(self._source, self._registrations, self._histories, shorter)
        try:
            for way in (after, before) if beside is None else (longer,):
                follower = self._follower([history.copy() for history in self._histories])
                ways[way] = follower.histories
                self._follow(follower, way, beside)
            if beside is not None:
                ways[shorter] = self._waited_for(beside)
        finally:
            if beside is not None:
                beside.end()
        if beside is not None and not beside.is_done and not self._stopped:
            # The journal knows what it has found already.
            if beside.lost:
                self._remark = f"; one way is followed after the other, as the process beside ended: {beside.lost}"
            follower = self._follower([history.copy() for history in self._histories])
            ways[shorter] = follower.histories
            self._follow(follower, shorter, None)
            self._remark = ""
        self._histories = [
            history.joined([ways[way][number] for way in (after, before) if way in ways])
            for number, history in enumerate(self._histories)
        ]

    def _follow(self, follower: Follower, way: Way, beside: ProcessBeside | None) -> None:
        """One way, until its end or a wish to stop."""
        for time in way.times:
            if self._is_stopped():
                return
            follower.follow(time, way.direction, range(len(self._bodies)))
            if beside is not None:
                beside.hear(self._registrations.journal.add, self._tell)

    def _waited_for(self, beside: ProcessBeside) -> list[History]:
        """What the process beside has found once it is done, dead or no longer wanted."""
        beside.hear(self._registrations.journal.add, self._tell)
        beside.leave_cores()
        while beside.is_running and not self._is_stopped():
            beside.hear(self._registrations.journal.add, self._tell, _LOOK_S)
        if beside.is_done:
            self._registrations.asked |= beside.asked
            self._unusable |= beside.unusable
        return beside.histories

    def _is_stopped(self) -> bool:
        self._stopped = self._stopped or self._watching.is_asked_to_stop()
        return self._stopped

    def _come_back(self, key: int) -> None:
        """Stretches that a body was lost in, from the frame beyond them in which it was found again."""
        follower = self._follower(self._histories)
        for number, history in enumerate(self._histories):
            history.lost_for = 0
            after = [(time, -1) for time in reversed(self._times) if time > key]
            before = [(time, 1) for time in self._times if time < key]
            for time, direction in (*after, *before):
                if history.is_known(time) or time in self._unusable or not history.before(time, direction):
                    continue
                if self._is_stopped():
                    return
                kept = history.found.get(time)
                follower.follow(time, direction, [number])
                if kept is not None and not history.is_known(time):
                    history.found[time] = kept

    def _follower(self, histories: Sequence[History]) -> Follower:
        return Follower(self._source, self._registrations, histories, self._tell, self._unusable)

    def _tell(self, time: int, found: Mapping[int, FramePose]) -> None:
        if self._remark and time in self._told:
            return
        self._told.add(time)
        verdicts = ", ".join(sorted({frame.verdict.value for frame in found.values()})) or "no pose"
        words = f"Frame {time}: {verdicts}{self._remark}"
        by_name = {self._bodies[number].name: frame for number, frame in found.items()}
        self._watching.frame(TrackProgress(len(self._told), len(self._times), time, by_name, words))

    def _body_track(self, number: int) -> BodyTrack:
        body, history = self._bodies[number], self._histories[number]
        nothing = "the tracking was stopped before this frame" if self._stopped else "the body was never found"
        frames = tuple(
            history.found.get(t) or FramePose(t, None, Verdict.FAILED, nothing, None, None, (), "", 0.0)
            for t in self._times
        )
        raw = BodyTrack(body.name, body.projector.ct.centre, frames, np.full((len(frames), 4, 4), np.nan))
        return BodyTrack(raw.name, raw.centre, raw.frames, smoothed_track(raw).poses)
