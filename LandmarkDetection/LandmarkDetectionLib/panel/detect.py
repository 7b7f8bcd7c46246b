"""Section Find landmarks: which X-rays and frames a network looks at, and the run that does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from DiffRegistrationLib.mrml.job_results import Listener
from DiffRegistrationLib.mrml.pose_sequence import numbers_of, shown_frame
from DiffRegistrationLib.mrml.xray_geometry import geometry_or_fault
from DiffRegistrationLib.mrml.xray_sequence import browser_of, index_values_of
from DiffRegistrationLib.panel.session import choose, enable, fill, remember, remembered, show_text, spread, tick
from DiffRegistrationLib.worker.messages import Progress
from DiffRegistrationLib.xray.errors import InputError
from slicer.i18n import tr as _

from .cell_table import Cell, CellTable
from .found_landmarks import FoundLandmarks, doubts_in_words
from .landmark_session import LandmarkSession
from .obstacles import Obstacle, no_xray, other_work

_NAME = "detect"
_SHOWN, _ALL, _RANGE = "shown", "all", "range"
# As the module for registration marks them.
_STATES = {"calibrated": "✓ ", "assumed": "! ", "missing": "✕ "}


class DetectSection:
    """Starts, shows and ends a run; what was found is shown by `found`."""

    def __init__(self, ui: Any, session: LandmarkSession) -> None:
        self.ui, self._session = ui, session
        self.found = FoundLandmarks(ui, session)
        self._table = CellTable(ui.viewTable)
        # X-rays whose tick was taken off, by their ids; the frames of those chosen.
        self._left_out: set[str] = set()
        self._frames: tuple[str, ...] = ()
        # The nodes of the run that runs.
        self._taking_part: list[Any] = []
        fill(
            ui.framesBox,
            [(_("The one that is shown"), _SHOWN), (_("All"), _ALL), (_("From one to another"), _RANGE)],
        )
        choose(ui.framesBox, remembered("landmarkFrames", _ALL))
        spread(ui.viewTable, wide=(1,))
        ui.networkPath.currentPath = remembered("landmarkNetwork", "")
        ui.stylePath.currentPath = remembered("landmarkStyle", "")
        ui.detectProgress.visible = False
        show_text(ui.detectState, "")
        ui.networkPath.connect("currentPathChanged(QString)", self.on_files)
        ui.stylePath.connect("currentPathChanged(QString)", self.on_files)
        ui.viewTable.connect("cellChanged(int,int)", self.on_view)
        ui.framesBox.connect("currentIndexChanged(int)", self.on_frames)
        ui.firstBox.connect("valueChanged(int)", self.on_range)
        ui.lastBox.connect("valueChanged(int)", self.on_range)
        ui.sharpenBox.connect("toggled(bool)", self.on_range)
        ui.detectButton.connect("clicked(bool)", self.on_detect)
        ui.keepButton.connect("clicked(bool)", self.on_keep)

    @property
    def network(self) -> Path | None:
        """The network's file that the user named."""
        return _path(self.ui.networkPath)

    @property
    def chosen(self) -> list[Any]:
        """The X-rays that are ticked."""
        return [view for view in self._session.views() if view.GetID() not in self._left_out]

    def on_files(self, _text: str = "") -> None:
        """Another network or style."""
        remember("landmarkNetwork", str(self.ui.networkPath.currentPath))
        remember("landmarkStyle", str(self.ui.stylePath.currentPath))
        self._session.changed()

    def on_view(self, row: int, column: int) -> None:
        """An X-ray was ticked, or its tick taken off."""
        views = self._session.views()
        if column == 0 and 0 <= row < len(views):
            ticked = self._table.ticked(row, 0)
            (self._left_out.discard if ticked else self._left_out.add)(views[row].GetID())
            self.update()

    def on_frames(self, _index: int = 0) -> None:
        """Other frames."""
        remember("landmarkFrames", self.ui.framesBox.currentData)
        self.update()

    def on_range(self, _value: Any = None) -> None:
        """Another range, or with the CT or without: what can be done may be else."""
        self.update()

    def on_detect(self, _checked: bool = False) -> None:
        """Begin, or cancel what runs."""
        if self._session.working == _NAME:
            self.cancel()
            self._session.say(_("Cancelled; nothing was added to the scene."))
            return
        network, nodes = self.network, self.chosen
        if network is None or not nodes or not self._session.ready(network=True):
            return
        ct = self._session.ct if self._sharpened else None
        template = self._sharpened and ct is None
        self.ui.detectProgress.value = 0
        self.ui.detectProgress.format = _("Preparing the X-rays…")
        show_text(self.ui.detectState, "")
        self._taking_part = [*nodes, *([] if ct is None else [ct])]
        with self._session.job(_NAME):
            self._session.logic.detect(
                network,
                nodes,
                frames=self._places(),
                style=_path(self.ui.stylePath),
                ct_node=ct,
                template=template,
                depth_mm=self.ui.depthBox.value or None,
                wait=False,
                listener=Listener(progressed=self._progressed, finished=self._detected, refused=self._refused),
            )
            self.ui.networkPath.addCurrentPathToHistory()
        if self._session.working != _NAME:
            self._taking_part = []

    def on_keep(self, _checked: bool = False) -> None:
        """End the run and keep the frames that are done."""
        with self._session.refusals_shown():
            self._session.logic.stop_and_keep()
            self.ui.detectProgress.format = _("Stopping; the frames that are done are kept…")

    def cancel(self) -> None:
        """End the run that runs."""
        self._session.logic.cancel()
        self._taking_part = []
        self._session.end()

    def node_goes(self, node: Any) -> None:
        """Without one of its nodes a run has no use."""
        self._left_out.discard(node.GetID())
        if self._session.working == _NAME and any(node is one for one in self._taking_part):
            self.cancel()
            self._session.refuse(
                InputError(
                    node.GetName(),
                    _("was deleted while landmarks were searched for, which ended the search"),
                    _("Load it again, or search in what is left."),
                )
            )

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self._left_out.clear()
        self._taking_part = []
        show_text(self.ui.detectState, "")
        self.found.stop()

    @property
    def _sharpened(self) -> bool:
        return bool(self.ui.sharpenBox.checked)

    def _progressed(self, progress: Progress) -> None:
        self.ui.detectProgress.value = round(1000 * progress.part)
        self.ui.detectProgress.format = f"{round(100 * progress.part)} %"
        show_text(self.ui.detectState, progress.words)

    def _detected(self, detected: Any) -> None:
        self._taking_part = []
        self._session.end()
        show_text(self.ui.detectState, "")
        self._session.study = detected.study
        done = len(self._session.frames())
        words = _("One frame done.") if done == 1 else _("{done} frames done.").format(done=done)
        if detected.stopped:
            words = _("Stopped; what was done is kept. ") + words
        self._session.say(" ".join(filter(None, (words, doubts_in_words(detected.study), *detected.words))))

    def _refused(self, error: Any) -> None:
        self._taking_part = []
        self._session.end()
        show_text(self.ui.detectState, "")
        self._session.refuse(error)

    def _places(self) -> list[int] | None:
        """Places of the frames that are asked for, None for all."""
        numbers, which = numbers_of(self._frames), self.ui.framesBox.currentData
        if len(numbers) < 2 or which == _ALL:
            return None
        if which == _SHOWN:
            nodes = self.chosen
            frame = shown_frame(browser_of(nodes[0])) if nodes else None
            return [self._frames.index(frame)] if frame in self._frames else []
        first, last = self.ui.firstBox.value, self.ui.lastBox.value
        return [place for place, number in enumerate(numbers) if first <= number <= last]

    def update(self) -> None:
        """Boxes by the X-rays that there are, buttons by what is chosen and what runs."""
        detecting = self._session.working == _NAME
        if not detecting:
            self._show_views()
            self._show_range()
        nodes = self.chosen
        self.ui.detectButton.text = _("Cancel") if detecting else _("Find landmarks")
        if detecting:
            enable(self.ui.detectButton, _("End the search now; nothing is added to the scene."))
        else:
            enable(
                self.ui.detectButton,
                _("Find the skull's landmarks in the X-rays. The CT is not moved."),
                *self._obstacles(nodes),
            )
        enable(
            self.ui.keepButton,
            _("End the search; the frames that are done are kept."),
            (not detecting, _("No search runs.")),
        )
        self._show_sharpening(detecting)
        several = len(self._frames) > 1
        for box in (self.ui.networkPath, self.ui.stylePath, self.ui.viewTable, self.ui.depthBox):
            box.enabled = not detecting
        self.ui.framesBox.enabled = several and not detecting
        for box in (self.ui.firstBox, self.ui.lastBox):
            box.enabled = several and not detecting and self.ui.framesBox.currentData == _RANGE
        self.ui.detectProgress.visible = detecting
        self.found.update()

    def _show_sharpening(self, detecting: bool) -> None:
        """By the CT where one is chosen, else by a template; with the meaning the tick goes."""
        if self._session.ct is not None:
            text = _("Sharpen by the CT")
            says = _(
                "The CT is registered from what the network finds, and its landmarks are shown where it lies then: as "
                "sharp as a registration. The CT is not moved."
            )
        else:
            text = _("Sharpen by a template head")
            says = _(
                "A head that deforms as heads differ is laid over each X-ray from what the network finds, and its "
                "landmarks are shown: ten seconds an X-ray, up to two minutes where little fits. For networks of "
                "heads in general."
            )
        if str(self.ui.sharpenBox.text) != text:
            self.ui.sharpenBox.text = text
            tick(self.ui.sharpenBox, False)
        enable(self.ui.sharpenBox, says, (detecting, _("Wait for the end of the search, or cancel it.")))

    def _obstacles(self, nodes: Sequence[Any]) -> list[Obstacle]:
        """What stands in the way of a run, what is to be done first on top."""
        network, style = self.network, _path(self.ui.stylePath)
        flat = [node.GetName() for node in nodes if geometry_or_fault(node).state == "missing"]
        return [
            no_xray(self._session.views()),
            (not nodes, _("Tick an X-ray.")),
            (network is None, _("Name the network's file first: train one above, or choose one.")),
            (network is not None and not network.exists(), _("There is no network in the file named here.")),
            (style is not None and not style.exists(), _("There is no X-ray style in the file named here.")),
            (
                bool(flat) and self._sharpened,
                _("{name} has no geometry to place a head in: take the tick off “{box}”.").format(
                    name=", ".join(flat), box=self.ui.sharpenBox.text
                ),
            ),
            (self._places() == [], _("None of the frames is chosen: the first one comes after the last one.")),
            other_work(self._session.working),
        ]

    def _show_views(self) -> None:
        """The X-rays with a tick each, and what is known of their geometry."""
        rows = []
        for view in self._session.views():
            geometry = geometry_or_fault(view)
            said = second = _STATES[geometry.state] + geometry.summary
            if geometry.state == "missing":
                said = _("✕ 2D only: {why}").format(why=geometry.summary)
                second = _(
                    "Landmarks are found in the image alone; mm and depths mean nothing until it has a geometry."
                )
            first = _("Whether landmarks are searched for in this X-ray.")
            ticked = view.GetID() not in self._left_out
            rows.append([Cell(view.GetName(), first, ticked), Cell(said, second)])
        self._table.show(rows)

    def _show_range(self) -> None:
        """Boxes that reach from the first to the last frame of the X-rays that are ticked."""
        nodes = self.chosen
        frames = tuple(index_values_of(nodes[0])) if nodes else ()
        if frames == self._frames:
            return
        self._frames = frames
        numbers = numbers_of(frames) or [0]
        for box, value in ((self.ui.firstBox, numbers[0]), (self.ui.lastBox, numbers[-1])):
            box.blockSignals(True)
            box.setRange(numbers[0], numbers[-1])
            box.value = value
            box.blockSignals(False)


def _path(edit: Any) -> Path | None:
    """The file that is named, None where the line is empty."""
    text = str(edit.currentPath).strip()
    return Path(text).expanduser() if text else None
