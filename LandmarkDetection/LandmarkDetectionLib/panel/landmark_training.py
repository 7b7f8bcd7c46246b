"""Section Data set and training: networks that find landmarks, of a patient or of any head, and looks of X-rays."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

from DiffRegistrationLib.mrml.job_results import Listener
from DiffRegistrationLib.panel.session import choose, fill, remember, remembered
from DiffRegistrationLib.xray.errors import InputError
from slicer.i18n import tr as _

from ..mrml.landmark_job_results import TrainedLandmarks, TrainedStyle
from .landmark_session import LandmarkSession
from .learning_run import LearningRun, LearningWidgets
from .parameters import choose_parameter

_PATIENT, _POPULATION = "patient", "population"
_HEADS = ((_PATIENT, _("This patient (the CT above)")), (_POPULATION, _("Heads in general (no CT)")))
_VIEWS = (
    ("fluoroscopy", _("Head as C-arms see it, tube below")),
    ("around-front", _("Head from the front to both sides")),
    ("dual-fluoroscopy", _("Head that moves before two fluoroscopes")),
    ("frontal", _("Head from the front")),
    ("lateral", _("Head from either side")),
    ("any-view", _("Head from all around")),
)
_DEVICES = (
    ("auto", _("The fastest device")),
    ("cpu", _("Processor (CPU)")),
    ("cuda", _("NVIDIA GPU")),
    ("mps", _("Apple GPU")),
)
_METHODS = (("cut", _("One way (CUT), quicker")), ("cyclegan", _("There and back (CycleGAN)")))
_SUFFIX = ".pt"


class LandmarkTrainingSection:
    """Starts, shows and ends both trainings."""

    def __init__(self, ui: Any, session: LandmarkSession) -> None:
        self.ui, self._session = ui, session
        # The CT that pictures and words are about.
        self._ct: Any = None
        for box, entries in self._boxes(_HEADS, _VIEWS, _DEVICES, _METHODS):
            fill(box, [(label, name) for name, label in entries])
        ui.trainedPath.currentPath = remembered("landmarksOut", "")
        ui.beginWithPath.currentPath = remembered("landmarksBegunWith", "")
        ui.xrayFolder.currentPath = remembered("styleXrays", "")
        ui.translationPath.currentPath = remembered("styleOut", "")
        self.landmarks = LearningRun(
            session,
            "train",
            _("Train"),
            LearningWidgets(ui.trainButton, ui.keepTrainingButton, ui.trainProgress, ui.trainState, ui.viewsPicture),
            self._train,
            _said_of_landmarks,
        )
        self.style = LearningRun(
            session,
            "style",
            _("Learn"),
            LearningWidgets(ui.learnButton, ui.keepStyleButton, ui.styleProgress, ui.styleState, ui.stylePicture),
            self._learn,
            _said_of_style,
        )
        ui.headsBox.connect("currentIndexChanged(int)", self.on_heads)
        ui.rangesBox.connect("currentIndexChanged(int)", self.on_ranges)
        ui.deviceBox.connect("currentIndexChanged(int)", self.on_device)
        ui.methodBox.connect("currentIndexChanged(int)", self.on_method)
        ui.plainBox.connect("toggled(bool)", self.on_plain)
        for edit in (ui.beginWithPath, ui.trainedPath, ui.xrayFolder, ui.translationPath):
            edit.connect("currentPathChanged(QString)", self.on_path)

    @property
    def network(self) -> Path | None:
        """The file for the network that the user named, with the suffix of one."""
        return _file(self.ui.trainedPath)

    @property
    def begin_with(self) -> Path | None:
        """The file of the network to begin with, with its suffix."""
        return _file(self.ui.beginWithPath)

    @property
    def translation(self) -> Path | None:
        """The file for the style that the user named, with its suffix."""
        return _file(self.ui.translationPath)

    def on_heads(self, _index: int = 0) -> None:
        """One patient, or heads in general."""
        self._chosen("heads", self.ui.headsBox)

    def on_ranges(self, _index: int = 0) -> None:
        """Other views."""
        self._chosen("ranges", self.ui.rangesBox)

    def on_device(self, _index: int = 0) -> None:
        """Another device."""
        self._chosen("device", self.ui.deviceBox)

    def on_method(self, _index: int = 0) -> None:
        """Another way to learn a style."""
        self._chosen("method", self.ui.methodBox)

    def on_plain(self, plain: bool = False) -> None:
        """Another look of what is computed."""
        if self._session.parameters is not None:
            self._session.parameters.plain = bool(plain)

    def on_path(self, _path: str = "") -> None:
        """Another file."""
        remember("landmarksBegunWith", str(self.ui.beginWithPath.currentPath))
        remember("landmarksOut", str(self.ui.trainedPath.currentPath))
        remember("styleXrays", str(self.ui.xrayFolder.currentPath))
        remember("styleOut", str(self.ui.translationPath.currentPath))
        self.update()

    def node_goes(self, node: Any) -> None:
        """Without its CT a training has no use."""
        run = next((one for one in (self.landmarks, self.style) if one.runs), None)
        if run is not None and self._is_patient and node is self._ct:
            run.cancel()
            self._session.refuse(
                InputError(
                    node.GetName(),
                    _("was deleted while it was trained on, which ended the training"),
                    _("Load it again, or train for heads in general."),
                )
            )

    def stop(self) -> None:
        """The scene or the window goes: what is shown was about its CT."""
        self._ct = None
        self.landmarks.forget()
        self.style.forget()

    def update(self) -> None:
        """Buttons by what is chosen and what runs."""
        parameters, ct = self._session.parameters, self._session.ct
        if parameters is not None:
            kept = (parameters.heads, parameters.ranges, parameters.device, parameters.method)
            for box, value in self._boxes(*kept):
                choose(box, value)
            self.ui.plainBox.blockSignals(True)
            self.ui.plainBox.checked = parameters.plain
            self.ui.plainBox.blockSignals(False)
        runs = self.landmarks.runs or self.style.runs
        if ct is not self._ct and not runs:
            self.stop()
            self._ct = ct
        no_ct = self._is_patient and ct is None
        begun = self.begin_with
        self.landmarks.show(
            self.network,
            _("Train a network that finds landmarks; Slicer can be used meanwhile."),
            [
                (no_ct, _("Choose a CT under Landmarks on the CT first, or train for heads in general.")),
                (self.network is None, _("Name the network's file first.")),
                (begun is not None and not begun.is_file(), _("There is no such network to begin with.")),
                (
                    begun is not None and begun == self.network,
                    _("Begin with another file than that of the network; with none it is trained on."),
                ),
            ],
        )
        xrays = _text(self.ui.xrayFolder)
        self.style.show(
            self.translation,
            _("Learn to give X-rays the look of computed ones; Slicer can be used meanwhile."),
            [
                (not xrays, _("Name a folder of X-rays first.")),
                (bool(xrays) and not Path(xrays).expanduser().is_dir(), _("There is no such folder of X-rays.")),
                (self.translation is None, _("Name the file of the style first.")),
            ],
        )
        self._show_boxes()

    @property
    def _is_patient(self) -> bool:
        return str(self.ui.headsBox.currentData) == _PATIENT

    def _boxes(self, *of_each: Any) -> zip:
        """The four boxes of choices, each with one of what is given."""
        return zip((self.ui.headsBox, self.ui.rangesBox, self.ui.deviceBox, self.ui.methodBox), of_each, strict=True)

    def _show_boxes(self) -> None:
        trains, learns, ui = self.landmarks.runs, self.style.runs, self.ui
        for box in (ui.headsBox, ui.plainBox, ui.minutesBox, ui.beginWithPath, ui.trainedPath):
            box.enabled = not trains
        for box in (ui.methodBox, ui.xrayFolder, ui.styleMinutesBox, ui.translationPath):
            box.enabled = not learns
        for box in (ui.rangesBox, ui.deviceBox):
            box.enabled = not trains and not learns

    def _chosen(self, name: str, box: Any) -> None:
        if self._session.parameters is not None:
            choose_parameter(self._session.parameters, name, str(box.currentData))
        self.update()

    def _train(self, listener: Listener) -> None:
        parameters, network = self._session.parameters, self.network
        if network is None:
            return
        self._session.logic.train(
            network,
            ct_node=self._session.ct if self._is_patient else None,
            views=parameters.ranges,
            minutes=parameters.minutes,
            device=parameters.device,
            plain=parameters.plain,
            begin_with=self.begin_with,
            wait=False,
            listener=listener,
        )
        for edit in (self.ui.trainedPath, self.ui.beginWithPath):
            if _text(edit):
                edit.addCurrentPathToHistory()

    def _learn(self, listener: Listener) -> None:
        parameters, translation = self._session.parameters, self.translation
        if translation is None:
            return
        self._session.logic.train_style(
            Path(_text(self.ui.xrayFolder)).expanduser(),
            translation,
            ct_node=self._session.ct if self._is_patient else None,
            method=parameters.method,
            minutes=parameters.style_minutes,
            views=parameters.ranges,
            device=parameters.device,
            wait=False,
            listener=listener,
        )
        self.ui.xrayFolder.addCurrentPathToHistory()
        self.ui.translationPath.addCurrentPathToHistory()


def _said_of_landmarks(trained: TrainedLandmarks) -> tuple[Path, str]:
    if isfinite(trained.distance_mm):
        words = _("On views that it never saw the network is off by {off:.1f} mm where landmarks are seen (mean).")
        words = words.format(off=trained.distance_mm)
    else:
        words = _("How far off the network is was not measured yet; train it on for longer.")
    return trained.views_picture, words + " " + _("Choose its file below, under Find landmarks in X-rays.")


def _said_of_style(trained: TrainedStyle) -> tuple[Path, str]:
    words = _(
        "X-rays on top, in the middle the same translated, below them computed ones: bones must stay where they are."
    )
    return trained.preview, words


def _text(edit: Any) -> str:
    return str(edit.currentPath).strip()


def _file(edit: Any) -> Path | None:
    """The file that is named, with the suffix of a network."""
    if not _text(edit):
        return None
    path = Path(_text(edit)).expanduser()
    return path if path.suffix == _SUFFIX or not path.name else path.with_name(path.name + _SUFFIX)
