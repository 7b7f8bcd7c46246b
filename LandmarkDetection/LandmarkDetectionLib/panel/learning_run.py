"""A training as its section shows it: one button to begin and to cancel, one to stop and keep, progress, a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import qt
from DiffRegistrationLib.mrml.job_results import Listener
from DiffRegistrationLib.panel.session import enable, show_text
from DiffRegistrationLib.panel.words import minutes_and_seconds
from DiffRegistrationLib.worker.messages import Progress
from slicer.i18n import tr as _

from .landmark_session import LandmarkSession

_PICTURE_WIDTH = 360


@dataclass(frozen=True)
class LearningWidgets:
    """The widgets of one training."""

    button: Any
    keep: Any
    progress: Any
    state: Any
    picture: Any


class LearningRun:
    """Runs the job `name`, whose button says `verb`; `start(listener)` begins it, and `said` tells what came out."""

    def __init__(
        self,
        session: LandmarkSession,
        name: str,
        verb: str,
        widgets: LearningWidgets,
        start: Callable[[Listener], None],
        said: Callable[[Any], tuple[Path, str]],
    ) -> None:
        self._session, self._name, self._verb, self._widgets = session, name, verb, widgets
        self._start, self._said = start, said
        self._file: Path | None = None
        widgets.progress.visible = False
        self.forget()
        widgets.button.connect("clicked(bool)", self.on_button)
        widgets.keep.connect("clicked(bool)", self.on_keep)

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self._session.working == self._name

    def on_button(self, _checked: bool = False) -> None:
        """Begin, or cancel what runs."""
        if self.runs:
            self.cancel()
        elif self._session.ready(network=True):
            self._begin()

    def on_keep(self, _checked: bool = False) -> None:
        """End it and keep what is learnt."""
        with self._session.refusals_shown():
            self._session.logic.stop_and_keep()
            show_text(self._widgets.state, _("Stopping; what is learnt so far is kept…"))

    def cancel(self) -> None:
        """End it now."""
        self._session.logic.cancel()
        self._session.end()
        kept = self._file is not None and self._file.exists()
        words = (
            _("Cancelled; what was saved last is kept in the file.") if kept else _("Cancelled; nothing was saved.")
        )
        show_text(self._widgets.state, words)

    def forget(self) -> None:
        """Show nothing of what was learnt before."""
        show_text(self._widgets.state, "")
        self._widgets.picture.visible = False

    def show(self, file: Path | None, tip: str, obstacles: list[tuple[bool, str]]) -> None:
        """The buttons, for this `file`; `tip` says what beginning does, `obstacles` what stands in its way."""
        if not self.runs:
            self._file = file
        button, keep = self._widgets.button, self._widgets.keep
        button.text = _("Cancel") if self.runs else self._verb
        if self.runs:
            enable(button, _("End it now."))
        else:
            busy = (self._session.working is not None, _("Wait for the end of what is running, or cancel it."))
            enable(button, tip, *obstacles, busy)
        enable(keep, _("End it; what is learnt so far is kept."), (not self.runs, _("Nothing is being learnt.")))
        self._widgets.progress.visible = self.runs

    def _begin(self) -> None:
        self.forget()
        self._widgets.progress.value = 0
        self._widgets.progress.format = "%p%"
        show_text(self._widgets.state, _("Preparing…"))
        with self._session.job(self._name):
            self._start(Listener(progressed=self._progressed, finished=self._finished, refused=self._refused))
        if not self.runs:
            show_text(self._widgets.state, "")

    def _progressed(self, progress: Progress) -> None:
        bar = self._widgets.progress
        bar.value = round(1000 * progress.part)
        left = "" if progress.seconds_left is None else minutes_and_seconds(progress.seconds_left)
        bar.format = f"{round(100 * progress.part)} %, {left} {_('left')}" if left else "%p%"
        show_text(self._widgets.state, progress.words)

    def _finished(self, result: Any) -> None:
        self._session.end()
        picture, words = self._said(result)
        show_text(self._widgets.state, (_("Stopped early. ") if result.stopped else "") + words)
        if picture.is_file():
            pixels = qt.QPixmap(str(picture))
            self._widgets.picture.setPixmap(pixels.scaledToWidth(_PICTURE_WIDTH))
            self._widgets.picture.visible = True

    def _refused(self, error: Any) -> None:
        self._session.end()
        show_text(self._widgets.state, "")
        self._session.refuse(error)
