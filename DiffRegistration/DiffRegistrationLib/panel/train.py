"""Section Train: a network for this CT, ready before the X-ray is taken."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from ..mrml.error_plot import ErrorPlot
from ..mrml.job_results import Listener, Trained
from ..worker.messages import Progress
from .session import Session, choose, enable, fill, remember, remembered, show_text
from .words import minutes_and_seconds

_PRESETS = (
    ("head-ap", _("Head from the front")),
    ("head-lateral", _("Head from either side")),
    ("head-wide", _("Head from nearly all around")),
    ("pelvis-ap", _("Pelvis from the front")),
    ("wrist", _("Wrist or another extremity")),
)
_PREVIEW_WIDTH = 360


class TrainSection:
    """Starts, shows and ends a training."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self._session = ui, session
        self._plot = ErrorPlot()
        # The CT that pictures and words below are about.
        self._ct: Any = None
        fill(ui.presetBox, [(label, name) for name, label in _PRESETS])
        ui.networkPath.currentPath = remembered("network", "")
        ui.trainProgress.visible = False
        ui.previewPicture.visible = False
        show_text(ui.trainState, "")
        ui.presetBox.connect("currentIndexChanged(int)", self.on_preset)
        ui.networkPath.connect("currentPathChanged(QString)", self.on_network)
        ui.previewButton.connect("clicked(bool)", self.on_preview)
        ui.trainButton.connect("clicked(bool)", self.on_train)
        ui.keepButton.connect("clicked(bool)", self.on_keep)
        ui.plotButton.connect("clicked(bool)", self.on_plot)

    @property
    def network(self) -> Path | None:
        """The file that the user named, with the suffix of a network."""
        text = str(self.ui.networkPath.currentPath).strip()
        if not text:
            return None
        path = Path(text).expanduser()
        return path if path.suffix == ".pt" or not path.name else path.with_name(path.name + ".pt")

    def on_preset(self, _index: int = 0) -> None:
        """Other views: the picture of them is out of date."""
        if self._session.parameters is not None:
            self._session.parameters.preset = self.ui.presetBox.currentData
        remember("preset", self.ui.presetBox.currentData)
        self.ui.previewPicture.visible = False

    def on_network(self, _path: str = "") -> None:
        """Another file: starts depend on it."""
        remember("network", str(self.ui.networkPath.currentPath))
        self._session.changed()

    def on_preview(self, _checked: bool = False) -> None:
        """Draw views of the preset, to be looked at before minutes are spent on them."""
        if self._session.working == "preview":
            self._session.logic.cancel()
            self._session.end()
            return
        ct = self._session.ct
        if ct is None or not self._session.ready(network=True):
            return
        with self._session.job("preview"):
            self._session.logic.preview(
                ct,
                preset=self.ui.presetBox.currentData,
                wait=False,
                listener=Listener(finished=self._previewed, refused=self._refused),
            )

    def _previewed(self, picture: Path) -> None:
        pixmap = qt.QPixmap(str(picture))
        self.ui.previewPicture.setPixmap(pixmap.scaledToWidth(_PREVIEW_WIDTH))
        self._session.end()
        self.ui.previewPicture.visible = True

    def on_train(self, _checked: bool = False) -> None:
        """Begin, or cancel what runs."""
        if self._session.working == "train":
            self._session.logic.cancel()
            self._session.end()
            show_text(self.ui.trainState, self._kept())
            return
        parameters, network, ct = self._session.parameters, self.network, self._session.ct
        if parameters is None or ct is None or network is None or not self._session.ready(network=True):
            return
        self._plot.begin()
        self.ui.trainProgress.value = 0
        self.ui.trainProgress.format = "%p%"
        show_text(self.ui.trainState, _("Preparing the CT…"))
        with self._session.job("train"):
            self._session.logic.train(
                ct,
                network,
                preset=self.ui.presetBox.currentData,
                minutes=parameters.minutes,
                wait=False,
                listener=Listener(progressed=self._progressed, finished=self._trained, refused=self._refused),
            )
            self.ui.networkPath.addCurrentPathToHistory()
        if self._session.working != "train":
            show_text(self.ui.trainState, "")

    def _kept(self) -> str:
        if self.network is not None and self.network.exists():
            return _("Cancelled; what was saved last is kept in the network's file.")
        return _("Cancelled; no network was saved.")

    def on_keep(self, _checked: bool = False) -> None:
        """End the training and keep what is learnt."""
        with self._session.refusals_shown():
            self._session.logic.stop_and_keep()
            show_text(self.ui.trainState, _("Stopping; what is learnt so far is kept…"))

    def on_plot(self, _checked: bool = False) -> None:
        """Show the error against time in a plot view."""
        self._plot.show()

    def _progressed(self, progress: Progress) -> None:
        self.ui.trainProgress.value = round(1000 * progress.part)
        left = "" if progress.seconds_left is None else minutes_and_seconds(progress.seconds_left)
        self.ui.trainProgress.format = f"{round(100 * progress.part)} %, {left} {_('left')}" if left else "%p%"
        show_text(self.ui.trainState, progress.words)
        before = self._plot.empty
        self._plot.add(progress.numbers)
        if before and not self._plot.empty:
            self.update()

    def _trained(self, trained: Trained) -> None:
        self._session.end()
        words = _("Stopped early. ") if trained.stopped else ""
        if isfinite(trained.distance_mm):
            errors = _(
                "On views that it never saw the network is off by {distance:.1f} mm and {rotation:.1f}° (median)."
            )
            words += errors.format(distance=trained.distance_mm, rotation=trained.rotation_deg)
        else:
            words += _("How far off the network is was not measured yet; train it on for longer.")
        show_text(self.ui.trainState, words)
        self._session.say(_("The network is ready: choose it as start under Register."))

    def _refused(self, error: Any) -> None:
        self._session.end()
        show_text(self.ui.trainState, "")
        self._session.refuse(error)

    def forget(self) -> None:
        """The scene goes: what is shown was about its CT."""
        self._ct = None
        self._plot.begin()
        self.ui.previewPicture.visible = False
        show_text(self.ui.trainState, "")

    def update(self) -> None:
        """Buttons by what is chosen and what runs."""
        parameters, working = self._session.parameters, self._session.working
        ct, training = self._session.ct, working == "train"
        if parameters is not None:
            choose(self.ui.presetBox, parameters.preset)
        if ct is not self._ct and not training:
            self.forget()
            self._ct = ct
        no_ct = (ct is None, _("Choose a CT under Patient first."))
        busy = (working is not None, _("Wait for the end of what is running, or cancel it."))
        self.ui.trainButton.text = _("Cancel") if training else _("Train")
        if training:
            enable(self.ui.trainButton, _("End the training now."))
        else:
            enable(
                self.ui.trainButton,
                _("Train a network for this CT and these views; Slicer can be used meanwhile."),
                no_ct,
                busy,
                (self.network is None, _("Name the network's file first.")),
            )
        enable(
            self.ui.keepButton,
            _("End the training; the network learnt so far is kept."),
            (not training, _("No training runs.")),
        )
        self.ui.previewButton.text = _("Cancel") if working == "preview" else _("Preview")
        if working == "preview":
            enable(self.ui.previewButton, _("Draw no views."))
        else:
            enable(self.ui.previewButton, _("Draw views as they will be trained on."), no_ct, busy)
        enable(
            self.ui.plotButton,
            _("Show the error on unseen images against time."),
            (self._plot.empty, _("There is nothing to plot until a training has measured its error once.")),
        )
        self.ui.trainProgress.visible = training
        for widget in (self.ui.presetBox, self.ui.minutesBox, self.ui.networkPath):
            widget.enabled = not training
