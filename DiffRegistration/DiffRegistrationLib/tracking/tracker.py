"""Follows bodies through frames: from a key frame forward and backward, each frame from what the ones before say.

A body is lost where its registration fails, fits much less than it did, or jumps. It is then searched for about its
last pose; a stretch that stays lost is tried again from the next good frame, backward.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64

from ..registration.registration import DEFAULT_SIMILARITY, register
from ..registration.result import Iteration, Verdict
from ..registration.scene import PlacedBody
from ..registration.sound_views import register_sound_views
from ..registration.starts import Start, start_from_pose, start_from_prediction
from ..xray.errors import InputError
from ..xray.geometry import rigid
from ..xray.radiograph import Radiograph
from .bodies import Body
from .frames import FrameSource
from .journal import Found, Journal
from .prediction import predicted
from .smoothing import smoothed_track
from .track import BodyTrack, FramePose, Track

# Lost: when less of the X-rays is explained than this part of what usually is; or so far from where it should be.
_LEAST_PART, _USUAL_OVER = 0.6, 15
_JUMP_DEG, _JUMP_MM = 20.0, 25.0
# A lost body is searched for widely in these frames after its loss; every frame would take long.
_WIDE_SEARCHES = (1, 3, 6, 12, 24, 48)
_WIDE_DEG, _WIDE_STEP_DEG, _WIDE_MM, _WIDE_DEPTHS = 36.0, 12.0, 100.0, (-40.0, 0.0, 40.0)
# Key frames that are tried where none is given, as parts of the sequence.
_KEY_PARTS = (0.0, 0.5, 0.25, 0.75, 1.0)

Pose = Float64[np.ndarray, "4 4"]
# The start of a body (by its number) in a key frame, given its radiographs and the poses of bodies found before.
KeyStart = Callable[[int, Sequence[Radiograph], Mapping[int, Pose]], Start]


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
    """Who is told: of every frame, of every step of the solver (time, body, stage, iteration, pose); and who may stop
    it."""

    frame: Callable[[TrackProgress], None] = lambda _: None
    step: Callable[[int, int, str, Iteration | None, Pose], None] | None = None
    is_asked_to_stop: Callable[[], bool] = lambda: False


@dataclass
class _History:
    """What was found of one body, by frame."""

    found: dict[int, FramePose] = field(default_factory=dict)
    agreements: list[float] = field(default_factory=list)
    lost_for: int = 0

    def is_known(self, time: int) -> bool:
        """Whether the body's place in a frame is trusted."""
        return time in self.found and self.found[time].verdict != Verdict.FAILED

    def before(self, time: int, direction: int) -> list[FramePose]:
        """The last two trusted frames on the way to `time`, the nearer one first."""
        on_the_way = [t for t in self.found if (time - t) * direction > 0 and self.is_known(t)]
        return [self.found[t] for t in sorted(on_the_way, key=lambda t: abs(time - t))[:2]]

    def usual(self) -> float:
        """How well the body usually fits."""
        return float(np.median(self.agreements[-_USUAL_OVER:])) if self.agreements else 0.0


class Tracker:
    """One tracking: `run` does all of it.

    `key_start` tells where each body is searched for in a key frame; `key_frame` is that frame's number, None to try
    a few. `weights` are those of the views. InputError from `run` where no key frame shows all bodies.
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
        self._similarity, self._weights, self._rate = similarity, weights, frames_per_second
        self._journal, self._watching = journal or Journal(), watching or Watching()
        self._times = list(source.times)
        self._history = [_History() for _ in self._bodies]
        self._asked: dict[tuple[int, int], int] = {}
        self._unusable: dict[int, str] = {}
        self._stopped = False

    def run(self) -> Track:
        """Follow the bodies through all frames, or until asked to stop."""
        key = self._find_key_frame()
        after = [t for t in self._times if t > key]
        before = [t for t in reversed(self._times) if t < key]
        for times, direction in ((after, 1), (before, -1)):
            for time in times:
                if self._stopped or self._watching.is_asked_to_stop():
                    self._stopped = True
                    break
                self._follow(time, direction, range(len(self._bodies)))
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
        outcomes: list[tuple[int, int]] = []
        problem: InputError | None = None
        for time in tried:
            try:
                self._register_key(time)
            except InputError as error:
                problem = problem or error
                continue
            known = sum(history.is_known(time) for history in self._history)
            outcomes.append((known, time))
            if known == len(self._bodies):
                break
        if not outcomes:
            assert problem is not None
            raise problem
        key = max(outcomes, key=lambda outcome: outcome[0])[1]
        for _, time in outcomes:
            if time != key:
                for history in self._history:
                    history.found.pop(time, None)
        self._tell(key)
        return key

    def _register_key(self, time: int) -> None:
        """Each body from its start, those found already in the picture; then once more among all others."""
        views, radiographs, _ = self._usable(time, raises=True)
        began = clock.perf_counter()
        found: dict[int, Found] = {}
        for number in range(len(self._bodies)):
            start = self._key_start(number, radiographs, {other: one.pose for other, one in found.items()})
            found[number] = self._register(number, time, views, radiographs, start, self._others(found, {}, number))
        if len(self._bodies) > 1:
            for number in found:
                near = start_from_prediction(found[number].pose, found[number].start)
                others = self._others(found, {}, number)
                again = self._register(number, time, views, radiographs, near, others)
                found[number] = max(found[number], again, key=lambda one: one.agreement)
        for number, one in found.items():
            self._keep(number, time, views, one, clock.perf_counter() - began)

    def _follow(self, time: int, direction: int, numbers: Sequence[int]) -> None:
        """One frame for the bodies of these numbers, on the way through the sequence."""
        views, radiographs, problem = self._usable(time)
        if not radiographs:
            for number in numbers:
                self._history[number].found[time] = FramePose(
                    time, None, Verdict.FAILED, problem, None, None, (), "", 0.0
                )
            self._tell(time)
            return
        guesses = {number: self._predicted(number, time, direction) for number in range(len(self._bodies))}
        known: dict[int, Found] = {}
        for _ in range(1 if len(self._bodies) == 1 else 2):
            for number in numbers:
                guess = known[number].pose if number in known else guesses[number]
                if guess is None:
                    continue
                start = start_from_prediction(guess, "frames before" if direction > 0 else "frames after")
                others = self._others(known, guesses, number)
                known[number] = self._register(number, time, views, radiographs, start, others)
        lost = [number for number in known if self._is_lost(number, known[number], guesses[number])]
        found = {number: one for number, one in known.items() if number not in lost}
        # Bodies that are not followed now are where they were found before.
        placed = {number: pose for number, pose in guesses.items() if self._history[number].is_known(time)}
        for number in lost:
            found[number] = self._recovered(number, time, direction, views, radiographs, known[number], found, placed)
        if lost and len(found) > 1:
            self._settle(time, views, radiographs, found, placed)
        for number, one in found.items():
            self._keep(number, time, views, one, one.seconds)
        self._tell(time)

    def _settle(
        self,
        time: int,
        views: tuple[int, ...],
        radiographs: Sequence[Radiograph],
        found: dict[int, Found],
        placed: Mapping[int, Pose | None],
    ) -> None:
        """Once more from where they are now, as all know of all."""
        for number, one in list(found.items()):
            if one.verdict == Verdict.FAILED:
                continue
            sure = {other: it for other, it in found.items() if it.verdict != Verdict.FAILED}
            near = start_from_prediction(one.pose, one.start)
            again = self._register(number, time, views, radiographs, near, self._others(sure, placed, number))
            if again.agreement > one.agreement:
                found[number] = again

    def _recovered(
        self,
        number: int,
        time: int,
        direction: int,
        views: tuple[int, ...],
        radiographs: Sequence[Radiograph],
        lost: Found,
        found: Mapping[int, Found],
        placed: Mapping[int, Pose | None],
    ) -> Found:
        """The best of what is found as other bodies moved, about the last pose and, now and then, far around it.

        Bodies that are lost as well are left out of the picture: they would be modelled where they are not.
        """
        history, tries = self._history[number], [lost]
        sure = {other: one for other, one in found.items() if one.verdict != Verdict.FAILED}
        others = self._others(sure, placed, number)
        history.lost_for += 1
        for start in self._searches(number, time, direction, len(views), sure):
            again = self._register(number, time, views, radiographs, start, others)
            tries.append(again)
            if again.verdict == Verdict.ACCEPTED and again.agreement >= _LEAST_PART * history.usual():
                break
        best = max(tries, key=lambda one: (one.verdict != Verdict.FAILED, one.agreement))
        if best.verdict != Verdict.FAILED and best.agreement < _LEAST_PART * history.usual():
            # It may sit on something else; nothing may go on from there.
            usual = f"{best.agreement:.2f}, where {history.usual():.2f} is usual"
            reason = f"the body was lost: it fits to {usual} ({best.reason})"
            best = replace(best, verdict=Verdict.FAILED, reason=reason)
        return best

    def _searches(
        self, number: int, time: int, direction: int, view_count: int, sure: Mapping[int, Found]
    ) -> Iterator[Start]:
        """Where a lost body is searched for, the likeliest first."""
        history = self._history[number]
        last = history.before(time, direction)[0]
        assert last.pose is not None
        for other, one in sure.items():
            was = self._history[other].found.get(last.time)
            if was is not None and was.pose is not None and self._history[other].is_known(last.time):
                carried = one.pose @ rigid.inverse(was.pose) @ last.pose
                yield start_from_pose(rigid.orthonormalised(carried), f"as {self._bodies[other].name} moved")
        yield start_from_pose(last.pose, "search about the last pose")
        if history.lost_for in _WIDE_SEARCHES:
            wide = (("search far around the last pose", last.pose),)
            depths = _WIDE_DEPTHS if view_count == 1 else (0.0,)
            yield Start(wide, _WIDE_DEG, _WIDE_STEP_DEG, depths, _WIDE_MM, trusted=False)

    def _come_back(self, key: int) -> None:
        """Stretches that a body was lost in, from the frame beyond them in which it was found again."""
        for number, history in enumerate(self._history):
            history.lost_for = 0
            after = [(time, -1) for time in reversed(self._times) if time > key]
            before = [(time, 1) for time in self._times if time < key]
            for time, direction in (*after, *before):
                if history.is_known(time) or time in self._unusable or not history.before(time, direction):
                    continue
                if self._watching.is_asked_to_stop():
                    self._stopped = True
                    return
                kept = history.found.get(time)
                self._follow(time, direction, [number])
                if kept is not None and not history.is_known(time):
                    history.found[time] = kept

    def _is_lost(self, number: int, one: Found, guess: Pose | None) -> bool:
        if one.verdict == Verdict.FAILED or one.agreement < _LEAST_PART * self._history[number].usual():
            return True
        assert guess is not None
        centre = rigid.transform_points(guess, [self._bodies[number].projector.ct.centre])[0]
        jump = rigid.increment_between(centre, one.pose, guess)
        return bool(np.degrees(np.linalg.norm(jump[:3])) > _JUMP_DEG or np.linalg.norm(jump[3:]) > _JUMP_MM)

    def _predicted(self, number: int, time: int, direction: int) -> Pose | None:
        """Where a body should be; where it is known to be, if it is."""
        history = self._history[number]
        if history.is_known(time):
            return history.found[time].pose
        before = history.before(time, direction)
        if not before:
            return None
        (last, *earlier) = [(float(frame.time), frame.pose) for frame in before if frame.pose is not None]
        centre = self._bodies[number].projector.ct.centre
        return predicted(centre, float(time), last, earlier[0] if earlier else None)

    def _others(
        self,
        known: Mapping[int, Found],
        guesses: Mapping[int, Pose | None],
        number: int,
    ) -> tuple[PlacedBody, ...]:
        """The bodies beside this one, where they were found in the frame or else should be."""
        placed = []
        for other, body in enumerate(self._bodies):
            pose = known[other].pose if other in known else guesses.get(other)
            if other != number and pose is not None:
                placed.append(PlacedBody(body.projector, pose))
        return tuple(placed)

    def _register(
        self,
        number: int,
        time: int,
        views: tuple[int, ...],
        radiographs: Sequence[Radiograph],
        start: Start,
        others: tuple[PlacedBody, ...],
    ) -> Found:
        """A registration, or what the journal knows of it: the same ones are asked for in the same order."""
        turn = self._asked[number, time] = self._asked.get((number, time), 0) + 1
        name = f"frame {time}, body {number}, {turn}"
        found = self._journal.find(name)
        if found is not None:
            return found
        step = self._watching.step
        # From a prediction it shall be quick; whether all views fit is asked where the body is lost.
        result = (register if start.near else register_sound_views)(
            self._bodies[number].projector,
            radiographs,
            start,
            similarity=self._similarity,
            weights=None if self._weights is None else [self._weights[view] for view in views],
            others=others,
            wants_drrs=False,
            watch=None if step is None else lambda stage, it, pose: step(time, number, stage, it, pose),
        )
        return self._journal.add(name, result)

    def _usable(self, time: int, raises: bool = False) -> tuple[tuple[int, ...], list[Radiograph], str]:
        """The views that a frame has, their radiographs, and why there are none if so."""
        try:
            frame = self._source.frame(time)
        except InputError as error:
            if raises:
                raise
            self._unusable[time] = str(error)
            return (), [], str(error)
        views = tuple(view for view, radiograph in enumerate(frame) if radiograph is not None)
        problem = "" if views else "no view has this frame"
        if not views:
            self._unusable[time] = problem
            if raises:
                raise InputError(f"frame {time}", "no view can be used", "Choose another key frame.")
        return views, [radiograph for radiograph in frame if radiograph is not None], problem

    def _keep(self, number: int, time: int, views: tuple[int, ...], one: Found, seconds: float) -> None:
        history = self._history[number]
        used = tuple(view for place, view in enumerate(views) if place not in one.left_out)
        history.found[time] = FramePose(
            time, one.pose, one.verdict, one.reason, one.similarity, one.covariance, used, one.start, seconds
        )
        if one.verdict != Verdict.FAILED:
            history.lost_for = 0
            history.agreements.append(one.agreement)

    def _tell(self, time: int) -> None:
        done = len(set().union(*(history.found for history in self._history)))
        found = {
            body.name: history.found[time]
            for body, history in zip(self._bodies, self._history, strict=True)
            if time in history.found
        }
        verdicts = ", ".join(sorted({frame.verdict.value for frame in found.values()})) or "no pose"
        self._watching.frame(TrackProgress(done, len(self._times), time, found, f"Frame {time}: {verdicts}"))

    def _body_track(self, number: int) -> BodyTrack:
        body, history = self._bodies[number], self._history[number]
        nothing = "the tracking was stopped before this frame" if self._stopped else "the body was never found"
        frames = tuple(
            history.found.get(t) or FramePose(t, None, Verdict.FAILED, nothing, None, None, (), "", 0.0)
            for t in self._times
        )
        raw = BodyTrack(body.name, body.projector.ct.centre, frames, np.full((len(frames), 4, 4), np.nan))
        return BodyTrack(raw.name, raw.centre, raw.frames, smoothed_track(raw).poses)
