"""Section Sequence: follow the CT through the frames of X-rays, and go on from a frame that was corrected by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..mrml.ct_node import world_from_ct
from ..mrml.given_start import CURRENT
from ..mrml.job_results import Listener, Tracked
from ..mrml.pose_node import SAME_PLACE
from ..mrml.pose_sequence import numbers_of, show_frame, shown_frame
from ..mrml.scene import matrix_of, set_matrix
from ..mrml.views import views_in_scene
from ..mrml.xray_sequence import browser_of, frames_of, index_values_of
from ..registration.result import Verdict
from ..report.advice import advice_for
from ..worker.messages import Progress
from ..xray.errors import InputError
from .found_frames import FoundFrames, counts_in_words
from .frame_watch import FrameWatch
from .overlays import Overlays
from .pose_watch import PoseWatch
from .register import RegisterSection, without_geometry
from .session import Session, choose, enable, fill, show_text

_NAME = "track"
_FORWARD, _BACKWARD, _BOTH = "forward", "backward", "both"


class SequenceSection:
    """Starts, shows and ends a tracking."""

    def __init__(
        self, ui: Any, session: Session, overlays: Overlays, watch: PoseWatch, register: RegisterSection
    ) -> None:
        self.ui, self._session, self._overlays, self._register = ui, session, overlays, register
        self.frames = FoundFrames(ui, session, overlays)
        self._frame_watch = FrameWatch(self._frame_shown)
        # The X-rays that can be chosen and the frames of the chosen ones, as the boxes show them.
        self._entries: list[tuple[str, str]] = []
        self._shown: tuple[str, ...] = ()
        # CT and X-rays of the tracking that runs, the places of its frames; where the CT lay before, in which frame.
        self._taking_part: list[Any] = []
        self._places: list[int] = []
        self._before: tuple[str | None, Any, Any] = (None, None, None)
        fill(
            ui.directionBox,
            [(_("Forward"), _FORWARD), (_("Backward"), _BACKWARD), (_("Both ways"), _BOTH)],
        )
        ui.trackProgress.visible = False
        ui.sequenceBox.connect("currentIndexChanged(int)", self.on_sequence)
        ui.firstBox.connect("valueChanged(int)", self.on_range)
        ui.lastBox.connect("valueChanged(int)", self.on_range)
        ui.keyFrameBox.connect("valueChanged(int)", self.on_key_frame)
        ui.presentPoseBox.connect("toggled(bool)", self.on_range)
        ui.trackButton.connect("clicked(bool)", self.on_track)
        ui.keepButton.connect("clicked(bool)", self.on_keep)
        ui.goOnButton.connect("clicked(bool)", self.on_go_on)
        watch.listeners.append(self.ct_moved)

    @property
    def chosen(self) -> list[Any]:
        """The X-ray nodes that are chosen; all of one frame sequence each."""
        ids = str(self.ui.sequenceBox.currentData or "").split()
        return [node for node in _sequences() if node.GetID() in ids]

    def on_sequence(self, _index: int = 0) -> None:
        """Other X-rays: other frames."""
        self._session.changed()

    def on_range(self, _value: Any = None) -> None:
        """Other frames, or another start: what can be done may be else."""
        self.update()

    def on_key_frame(self, _value: int = 0) -> None:
        """Show the frame that the tracking is to begin with; a number that is none of a frame's leads to the next."""
        numbers = self._numbers()
        if numbers:
            place = int(np.argmin(np.abs(np.array(numbers) - self.ui.keyFrameBox.value)))
            self._go_to(self._shown[place])
        self.update()

    def on_track(self, _checked: bool = False) -> None:
        """Begin, or cancel what runs."""
        if self._session.working == _NAME:
            self.cancel()
            self._session.say(_("Cancelled; the CT lies where it lay before."))
            return
        key = self._key_place()
        if key is not None:
            self._begin(self._range(), key, self._start(), keep_others=False)

    def on_go_on(self, _checked: bool = False) -> None:
        """Track again from where the CT lies in the frame that is shown."""
        key = self._key_place()
        direction = self.ui.directionBox.currentData
        places = [
            place
            for place in self._range()
            if key is not None
            and not (place < key and direction == _FORWARD)
            and not (place > key and direction == _BACKWARD)
        ]
        if key is not None:
            self._begin(places, key, CURRENT, keep_others=True)

    def on_keep(self, _checked: bool = False) -> None:
        """End the tracking and keep the frames that are done."""
        with self._session.refusals_shown():
            self._session.logic.stop_and_keep()
            self.ui.trackProgress.format = _("Stopping; the frames that are done are kept…")

    def cancel(self) -> None:
        """End the tracking that runs, and have all as it was."""
        self._session.logic.cancel()
        self._over()
        self._session.end()
        self._overlays.follow()

    def node_goes(self, node: Any) -> None:
        """Without its CT or one of its X-rays a tracking that runs has no use."""
        if self._session.working == _NAME and any(node is one for one in self._taking_part):
            self.cancel()
            self._session.refuse(
                InputError(
                    node.GetName(),
                    _("was deleted while the CT was followed through it, which ended the tracking"),
                    _("Load it again, or track with what is left."),
                )
            )

    def ct_moved(self) -> None:
        """By hand, or by the browser: only a frame that was corrected can be gone on from."""
        if self._session.working != _NAME:
            self._show_go_on()

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self._frame_watch.stop()
        self._taking_part, self._entries, self._shown = [], [], ()
        fill(self.ui.sequenceBox, [])
        self.frames.forget()

    def _start(self) -> Any:
        return CURRENT if self.ui.presentPoseBox.checked else self._register.start

    def _begin(self, places: list[int], key: int, start: Any, keep_others: bool) -> None:
        ct, nodes = self._session.ct, self.chosen
        needs_torch = start != CURRENT and self._register.ui.startBox.currentData == "network"
        if ct is None or not nodes or not self._session.ready(network=needs_torch):
            return
        self.ui.trackProgress.value = 0
        self.ui.trackProgress.format = _("Preparing CT and X-rays…")
        show_text(self.ui.trackState, "")
        self._taking_part, self._places = [ct, *nodes], places
        transform = ct.GetParentTransformNode()
        self._before = (self._shown[key], transform, None if transform is None else matrix_of(transform))
        self._overlays.begin_frames(nodes)
        self._overlays.show_new_views()
        with self._session.job(_NAME):
            self._session.logic.track(
                ct,
                nodes,
                frames=places,
                key_frame=key,
                start=start,
                smoothed=bool(self.ui.smoothedBox.checked),
                keep_others=keep_others,
                wait=False,
                listener=Listener(
                    progressed=self._progressed,
                    frame_came=self._overlays.show_frame,
                    finished=self._tracked,
                    refused=self._refused,
                ),
            )
        if self._session.working != _NAME:
            self._over()

    def _progressed(self, progress: Progress) -> None:
        self.ui.trackProgress.value = round(1000 * progress.part)
        self.ui.trackProgress.format = progress.words
        if "frame" in progress.numbers:
            show_text(self.ui.trackState, counts_in_words(progress.numbers))
            # The X-ray beside the DRR of the same frame.
            self._go_to(self._shown[self._places[int(progress.numbers["frame"])]])

    def _tracked(self, tracked: Tracked) -> None:
        self._over(tracked=True)
        self._session.end()
        self._frame_shown()
        self._overlays.follow()
        count = len(tracked.records)
        failed = sum(record.verdict == Verdict.FAILED for record in tracked.records)
        words = (
            _("Stopped; {count} frames were done and are kept. ") if tracked.stopped else _("{count} frames done. ")
        )
        if failed:
            words += _("{failed} failed: go to one, move the CT by hand, and press “Correct and go on”.")
        self._session.say(words.format(count=count, failed=failed).strip())

    def _refused(self, error: Any) -> None:
        self._over()
        self._session.end()
        self._overlays.follow()
        self._session.refuse(error)

    def _over(self, tracked: bool = False) -> None:
        """Back to the frame in which it began; without a result the CT lies there as before."""
        frame, transform, matrix = self._before
        self._before, self._taking_part = (None, None, None), []
        if frame is not None:
            self._go_to(frame)
        if not tracked and transform is not None and slicer.mrmlScene.IsNodePresent(transform):
            set_matrix(transform, matrix)
        self._overlays.end_frames(tracked)

    def _go_to(self, frame: str) -> None:
        """Have the browsers of all views show a frame."""
        for node in self.chosen:
            show_frame(browser_of(node), frame)

    def _frame_shown(self) -> None:
        """The browser shows another frame."""
        frame = shown_frame(self._frame_watch.browser)
        if frame is not None:
            # Views with browsers of their own keep in step.
            self._go_to(frame)
        if self._session.working != _NAME:
            self._show_key_frame()
            self.update()
        self.frames.follow()

    def _numbers(self) -> list[int]:
        return numbers_of(self._shown)

    def _range(self) -> list[int]:
        """Places of the frames from the first to the last one that are asked for."""
        first, last = self.ui.firstBox.value, self.ui.lastBox.value
        return [place for place, number in enumerate(self._numbers()) if first <= number <= last]

    def _key_place(self) -> int | None:
        """The place of the frame that is shown."""
        nodes = self.chosen
        frame = shown_frame(browser_of(nodes[0])) if nodes else None
        return self._shown.index(frame) if frame in self._shown else None

    def _show_key_frame(self) -> None:
        place = self._key_place()
        if place is not None:
            box = self.ui.keyFrameBox
            box.blockSignals(True)
            box.value = self._numbers()[place]
            box.blockSignals(False)

    def update(self) -> None:
        """Boxes by the X-rays that there are, buttons by what is chosen and what runs."""
        tracking = self._session.working == _NAME
        if not tracking:
            self._show_choices()
        nodes = self.chosen
        self._frame_watch.watch(browser_of(nodes[0]) if nodes else None)
        self.ui.trackButton.text = _("Cancel") if tracking else _("Track")
        if tracking:
            enable(self.ui.trackButton, _("End the tracking now; the CT stays where it was."))
        else:
            enable(
                self.ui.trackButton,
                _("Follow the CT through the frames, from the key frame forward and backward."),
                *self._obstacles(nodes),
                (False, "") if self.ui.presentPoseBox.checked else self._register.start_obstacle,
            )
        enable(
            self.ui.keepButton,
            _("End the tracking; the frames that are done are kept."),
            (not tracking, _("No tracking runs.")),
        )
        for box in (self.ui.sequenceBox, self.ui.firstBox, self.ui.lastBox, self.ui.keyFrameBox):
            box.enabled = bool(nodes) and not tracking
        self.ui.presentPoseBox.enabled = not tracking
        self.ui.trackProgress.visible = tracking
        if not tracking:
            self._show_state()
        self.frames.update()
        self._show_go_on()

    def _obstacles(self, nodes: Sequence[Any]) -> list[tuple[bool, str]]:
        """What stands in the way of any tracking, what is to be done first on top."""
        views, place = views_in_scene(), self._key_place()
        one_frame = _("No X-ray has more than one frame: add a sequence under X-rays. One frame is for Register.")
        return [
            (self._session.ct is None, _("Choose a CT under Patient first.")),
            (not views, _("Add an X-ray sequence under X-rays first.")),
            (not nodes, one_frame),
            *without_geometry(views),
            (self.ui.firstBox.value > self.ui.lastBox.value, _("The first frame comes after the last one.")),
            (not self._range(), _("No frame lies between the first and the last one.")),
            (
                place is not None and place not in self._range(),
                _("The key frame is none of the frames: go to one of them, or widen the range."),
            ),
            (self._session.working is not None, _("Wait for the end of what is running, or cancel it.")),
        ]

    def _show_go_on(self) -> None:
        nodes, found = self.chosen, self.frames.found
        browser = browser_of(nodes[0]) if nodes else None
        moved, problem = self._moved_by_hand()
        enable(
            self.ui.goOnButton,
            _("Track again from where the CT lies in this frame; other frames keep their poses."),
            *self._obstacles(nodes),
            (found is None, _("Track the sequence first.")),
            (
                found is not None and found.browser is not browser,
                _("The poses are those of other X-rays: choose these, or track the sequence first."),
            ),
            (bool(problem), problem),
            (not moved, _("Go to a frame and move the CT there by hand first, as under Manual alignment.")),
        )
        not_tracked = (found is None, _("Track the sequence first."))
        enable(self.ui.directionBox, _("Which frames are done again."), not_tracked)

    def _moved_by_hand(self) -> tuple[bool, str]:
        """Whether the CT lies elsewhere than what was found in this frame, and why that cannot be told."""
        found, record = self.frames.found, self.frames.record()
        if found is None or record is None:
            # A frame that was not reached has no pose to differ from.
            return found is not None, ""
        try:
            now = world_from_ct(self._session.ct)
        except InputError as error:
            return False, str(error)
        return not np.allclose(now, record.shown(found.smoothed), rtol=0, atol=SAME_PLACE), ""

    def _show_state(self) -> None:
        """The verdict of the frame that is shown, and of all."""
        record, frame = self.frames.record(), self.frames.frame
        words = self.frames.counts_in_words()
        if record is not None:
            verdict = Verdict(record.verdict)
            words += "\n" + _("Frame {frame}: {sign} {verdict}: {reason}").format(
                frame=frame, sign=advice_for(verdict).sign, verdict=verdict.value, reason=record.reason
            )
        show_text(self.ui.trackState, words)

    def _show_choices(self) -> None:
        nodes = _sequences()
        entries = [(node.GetName(), node.GetID()) for node in nodes]
        if len(nodes) > 1:
            names = ", ".join(node.GetName() for node in nodes)
            entries.insert(0, (_("All: {names}").format(names=names), " ".join(node.GetID() for node in nodes)))
        if entries != self._entries:
            before = str(self.ui.sequenceBox.currentData or "")
            self._entries = entries
            fill(self.ui.sequenceBox, entries)
            # What was chosen stays so, unless all were: then a new one is chosen with them.
            choose(self.ui.sequenceBox, before if " " not in before else "")
        chosen = self.chosen
        frames = tuple(index_values_of(chosen[0])) if chosen else ()
        if frames != self._shown:
            self._shown = frames
            numbers = self._numbers() or [0]
            boxes = ((self.ui.firstBox, numbers[0]), (self.ui.lastBox, numbers[-1]), (self.ui.keyFrameBox, numbers[0]))
            for box, value in boxes:
                box.blockSignals(True)
                box.setRange(numbers[0], numbers[-1])
                box.value = value
                box.blockSignals(False)
        self._show_key_frame()


def _sequences() -> list[Any]:
    """The views that have more than one frame."""
    return [view for view in views_in_scene() if frames_of(view) > 1]
