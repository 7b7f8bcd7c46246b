"""Bodies in one frame after another: from their starts, or from what the frames before say.

A body is lost where its registration fails, fits much less than it did, or jumps. It is then searched for about its
last pose, and now and then far around it.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from ..registration.result import Verdict
from ..registration.scene import PlacedBody
from ..registration.starts import Start, start_from_pose, start_from_prediction
from ..xray.errors import InputError
from ..xray.geometry import rigid
from ..xray.radiograph import Radiograph
from .frames import FrameSource
from .history import History
from .journal import Found
from .prediction import predicted
from .registrations import Registrations
from .track import FramePose

# Lost: when less of the X-rays is explained than this part of what usually is; or so far from where it should be.
_LEAST_PART = 0.6
_JUMP_DEG, _JUMP_MM = 20.0, 25.0
# A lost body is searched for widely in these frames after its loss; every frame would take long.
_WIDE_SEARCHES = (1, 3, 6, 12, 24, 48)
_WIDE_DEG, _WIDE_STEP_DEG, _WIDE_MM, _WIDE_DEPTHS = 36.0, 12.0, 100.0, (-40.0, 0.0, 40.0)

Pose = Float64[np.ndarray, "4 4"]
# The start of a body (by its number) in a key frame, given its radiographs and the poses of bodies found before.
KeyStart = Callable[[int, Sequence[Radiograph], Mapping[int, Pose]], Start]
# Told of a frame that is done: its time, and what is known of each body (by its number) in it.
FrameDone = Callable[[int, Mapping[int, FramePose]], None]


class Follower:
    """Finds the bodies of `registrations` in frames of `source`; what it finds goes into `histories`, one a body, and
    the frames that it cannot use into `unusable`.
    """

    def __init__(
        self,
        source: FrameSource,
        registrations: Registrations,
        histories: Sequence[History],
        done: FrameDone,
        unusable: set[int],
    ) -> None:
        self.histories, self.unusable = list(histories), unusable
        self._source, self._bodies, self._done = source, registrations.bodies, done
        self._register = registrations.register

    def begin(self, time: int, key_start: KeyStart) -> None:
        """A key frame: each body from its start, those found already in the picture; then once more among all others.

        InputError for one that cannot be used. Nobody is told of it.
        """
        views, radiographs, _ = self._usable(time, raises=True)
        began = clock.perf_counter()
        found: dict[int, Found] = {}
        for number in range(len(self._bodies)):
            start = key_start(number, radiographs, {other: one.pose for other, one in found.items()})
            found[number] = self._register(number, time, views, radiographs, start, self._others(found, {}, number))
        if len(self._bodies) > 1:
            for number in found:
                near = start_from_prediction(found[number].pose, found[number].start)
                others = self._others(found, {}, number)
                again = self._register(number, time, views, radiographs, near, others)
                found[number] = max(found[number], again, key=lambda one: one.agreement)
        for number, one in found.items():
            self._keep(number, time, views, one, clock.perf_counter() - began)

    def follow(self, time: int, direction: int, numbers: Sequence[int]) -> None:
        """One frame for the bodies of these numbers, on the way through the sequence."""
        views, radiographs, problem = self._usable(time)
        if not radiographs:
            for number in numbers:
                self.histories[number].found[time] = FramePose(
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
        placed = {number: pose for number, pose in guesses.items() if self.histories[number].is_known(time)}
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
        history, tries = self.histories[number], [lost]
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
        history = self.histories[number]
        last = history.before(time, direction)[0]
        assert last.pose is not None
        for other, one in sure.items():
            was = self.histories[other].found.get(last.time)
            if was is not None and was.pose is not None and self.histories[other].is_known(last.time):
                carried = one.pose @ rigid.inverse(was.pose) @ last.pose
                yield start_from_pose(rigid.orthonormalised(carried), f"as {self._bodies[other].name} moved")
        yield start_from_pose(last.pose, "search about the last pose")
        if history.lost_for in _WIDE_SEARCHES:
            wide = (("search far around the last pose", last.pose),)
            depths = _WIDE_DEPTHS if view_count == 1 else (0.0,)
            yield Start(wide, _WIDE_DEG, _WIDE_STEP_DEG, depths, _WIDE_MM, trusted=False)

    def _is_lost(self, number: int, one: Found, guess: Pose | None) -> bool:
        if one.verdict == Verdict.FAILED or one.agreement < _LEAST_PART * self.histories[number].usual():
            return True
        assert guess is not None
        centre = rigid.transform_points(guess, [self._bodies[number].projector.ct.centre])[0]
        jump = rigid.increment_between(centre, one.pose, guess)
        return bool(np.degrees(np.linalg.norm(jump[:3])) > _JUMP_DEG or np.linalg.norm(jump[3:]) > _JUMP_MM)

    def _predicted(self, number: int, time: int, direction: int) -> Pose | None:
        """Where a body should be; where it is known to be, if it is."""
        history = self.histories[number]
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

    def _usable(self, time: int, raises: bool = False) -> tuple[tuple[int, ...], list[Radiograph], str]:
        """The views that a frame has, their radiographs, and why there are none if so."""
        try:
            frame = self._source.frame(time)
        except InputError as error:
            if raises:
                raise
            self.unusable.add(time)
            return (), [], str(error)
        views = tuple(view for view, radiograph in enumerate(frame) if radiograph is not None)
        problem = "" if views else "no view has this frame"
        if not views:
            self.unusable.add(time)
            if raises:
                raise InputError(f"frame {time}", "no view can be used", "Choose another key frame.")
        return views, [radiograph for radiograph in frame if radiograph is not None], problem

    def _keep(self, number: int, time: int, views: tuple[int, ...], one: Found, seconds: float) -> None:
        history = self.histories[number]
        used = tuple(view for place, view in enumerate(views) if place not in one.left_out)
        history.found[time] = FramePose(
            time, one.pose, one.verdict, one.reason, one.similarity, one.covariance, used, one.start, seconds
        )
        if one.verdict != Verdict.FAILED:
            history.lost_for = 0
            history.agreements.append(one.agreement)

    def _tell(self, time: int) -> None:
        self._done(time, {n: history.found[time] for n, history in enumerate(self.histories) if time in history.found})
