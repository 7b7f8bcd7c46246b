"""What the beam shone on, in the section Skull and exposure: the skin of the CT, and the lenses of the eyes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from DiffRegistrationLib.mrml.attributes import POSE_SEQUENCE
from DiffRegistrationLib.mrml.job_results import Listener
from DiffRegistrationLib.mrml.xray_sequence import frames_of
from DiffRegistrationLib.panel.results import unused
from DiffRegistrationLib.panel.session import enable, remember, remembered, show_text, spread, tick
from DiffRegistrationLib.worker.messages import Progress
from DiffRegistrationLib.xray.errors import InputError
from slicer.i18n import tr as _

from ..exposure.head_exposure import NOT_A_DOSE
from ..exposure.point_organs import Place
from ..mrml.exposure_nodes import FRAME, IN_WORDS, MARGIN, VIEW, exposure_model_of, exposure_table_of
from .cell_table import Cell, CellTable
from .landmark_session import LandmarkSession
from .obstacles import no_ct_landmarks, no_geometry, no_xray, other_work
from .study_frame import number_text

_NAME = "exposure"
# As the table's columns are called.
_LENSES = "Eye lens right", "Eye lens left"


class SkinExposure:
    """Starts, shows and ends the computation for the X-rays that are `chosen`."""

    def __init__(self, ui: Any, session: LandmarkSession, chosen: Callable[[], list[Any]]) -> None:
        self.ui, self._session, self._chosen = ui, session, chosen
        self._taking_part: list[Any] = []
        self._filled: tuple[Any, ...] = ()
        self._rows = CellTable(ui.exposureTable)
        ui.notDoseLabel.text = NOT_A_DOSE
        ui.exposurePath.currentPath = remembered("exposure", "")
        ui.exposureProgress.visible = False
        show_text(ui.exposureState, "")
        spread(ui.exposureTable, wide=(0,))
        ui.masBox.connect("valueChanged(double)", self.on_amount)
        ui.exposurePath.connect("currentPathChanged(QString)", self.on_output)
        ui.exposureButton.connect("clicked(bool)", self.on_exposure)
        ui.mapBox.connect("toggled(bool)", self.on_map)

    def on_amount(self, _value: float = 0.0) -> None:
        """Where the charge is known the time does not count."""
        self.update()

    def on_output(self, _path: str = "") -> None:
        """Remember the folder."""
        remember("exposure", str(self.ui.exposurePath.currentPath))

    def on_map(self, _checked: bool = False) -> None:
        """Show or hide the coloured skin."""
        model = self._model()
        if model is not None:
            # With the legend of its colours.
            model.SetDisplayVisibility(bool(self.ui.mapBox.checked))

    def on_exposure(self, _checked: bool = False) -> None:
        """Begin, or cancel what runs."""
        if self._session.working == _NAME:
            self._session.logic.cancel()
            self._over()
            self._session.say(_("Cancelled; nothing was computed."))
            return
        ct, views = self._session.ct, self._chosen()
        if ct is None or not views or not self._session.ready(network=False):
            return
        self.ui.exposureProgress.value = 0
        self.ui.exposureProgress.format = _("Preparing CT and X-rays…")
        self._taking_part = [ct, *views]
        mas = self.ui.masBox.value
        with self._session.job(_NAME):
            self._session.logic.exposure(
                ct,
                views,
                seconds_per_frame=self.ui.secondsBox.value,
                mas=mas if mas > 0 else None,
                output=self._folder(),
                wait=False,
                listener=Listener(progressed=self._progressed, finished=self._finished, refused=self._refused),
            )
        if self._session.working != _NAME:
            self._taking_part = []

    def node_goes(self, node: Any) -> None:
        """Without its CT or one of its X-rays a job has no use."""
        if self._session.working == _NAME and any(node is one for one in self._taking_part):
            self._session.logic.cancel()
            self._over()
            self._session.refuse(
                InputError(
                    node.GetName(),
                    _("was deleted while the exposure was computed, which ended it"),
                    _("Load it again, or compute with what is left."),
                )
            )

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self._taking_part, self._filled = [], ()
        self._rows.forget()
        show_text(self.ui.exposureState, "")

    def _folder(self) -> Path | None:
        """A new folder for this computation below the one that the user chose; None where none was chosen."""
        text = str(self.ui.exposurePath.currentPath).strip()
        if not text:
            return None
        return unused(Path(text).expanduser() / datetime.now().strftime("exposure-%Y%m%d-%H%M%S"))

    def _model(self) -> Any:
        return None if self._session.ct is None else exposure_model_of(self._session.ct)

    def _table(self) -> Any:
        return None if self._session.ct is None else exposure_table_of(self._session.ct)

    def _progressed(self, progress: Progress) -> None:
        self.ui.exposureProgress.value = round(1000 * progress.part)
        self.ui.exposureProgress.format = progress.words

    def _finished(self, exposed: Any) -> None:
        self._over()
        self.on_map()
        if self.ui.exposurePath.currentPath:
            self._session.say(_("Saved in {folder}.").format(folder=exposed.folder))

    def _refused(self, error: Any) -> None:
        self._over()
        self._session.refuse(error)

    def _over(self) -> None:
        self._taking_part = []
        self._session.end()

    def update(self) -> None:
        """Buttons by what is chosen and what runs."""
        computing, model, views = self._session.working == _NAME, self._model(), self._chosen()
        self.ui.exposureButton.text = _("Cancel") if computing else _("Compute what the beam shone on")
        if computing:
            enable(self.ui.exposureButton, _("End the computation now."))
        else:
            enable(
                self.ui.exposureButton,
                _(
                    "Of the X-rays ticked under Find landmarks, from where the CT lies in each frame: which skin the "
                    "beam entered, and whether it reached the lenses of the eyes."
                ),
                no_ct_landmarks(self._session.ct),
                no_xray(views),
                no_geometry(views),
                other_work(self._session.working),
            )
        enable(
            self.ui.secondsBox,
            _("How long each frame was exposed, where the charge is not known."),
            (self.ui.masBox.value > 0, _("The charge is given, which counts instead of the time.")),
            (computing, _("Wait for the end of the computation, or cancel it.")),
        )
        for widget in (self.ui.masBox, self.ui.exposurePath):
            widget.enabled = not computing
        shown = model is not None and model.GetDisplayNode() is not None and model.GetDisplayNode().GetVisibility()
        if model is not None:
            tick(self.ui.mapBox, bool(shown))
        enable(
            self.ui.mapBox,
            _("What all frames together shone on, on the skin of the CT; yellow is most."),
            (model is None, _("Compute it first.")),
        )
        self.ui.exposureProgress.visible = computing
        self._show_rows(self._table())

    def _show_rows(self, node: Any) -> None:
        """The frames, each with where the lenses of the eyes lay to the beam."""
        filled = () if node is None else (node.GetID(), node.GetMTime())
        if filled != self._filled:
            self._filled = filled
            rows = [] if node is None else lens_rows(node)
            self._rows.show([[Cell(text) for text in row] for row in rows])
        show_text(self.ui.exposureState, "" if node is None else self._in_words(lens_rows(node)))

    def _in_words(self, rows: Sequence[Sequence[str]]) -> str:
        """In how many frames the beam reached a lens, and where the CT was taken to lie."""
        in_beam = tuple(IN_WORDS[place] for place in (Place.INSIDE, Place.EDGE))
        reached = [sum(words[column].startswith(in_beam) for words in rows) for column in (1, 2)]
        words = _("The beam reached the right lens in {right} and the left one in {left} of {every} images.").format(
            right=reached[0], left=reached[1], every=len(rows)
        )
        ct = self._session.ct
        if any(frames_of(view) > 1 for view in self._chosen()) and ct.GetNodeReference(POSE_SEQUENCE) is None:
            words += " " + _("The CT was not followed through the frames: it is taken to lie still.")
        return words


def lens_rows(node: Any) -> list[tuple[str, ...]]:
    """Of each image of an exposure table its frame and X-ray, and where the right and the left lens lay."""
    table = node.GetTable()
    frames, views = table.GetColumnByName(FRAME), table.GetColumnByName(VIEW)
    rows = []
    for row in range(node.GetNumberOfRows()):
        image = _("{frame}, X{view}").format(frame=frames.GetValue(row), view=views.GetValue(row))
        rows.append((image, *(_lens(table, name, row) for name in _LENSES)))
    return rows


def _lens(table: Any, name: str, row: int) -> str:
    """Where a lens lay, and how far from the edge of the beam."""
    places, margins = table.GetColumnByName(name), table.GetColumnByName(MARGIN.format(lens=name))
    if places is None or not places.GetValue(row):
        return "–"
    margin = margins.GetValue(row)
    # Behind the source there is no margin.
    return places.GetValue(row) + ("" if margin != margin else _(", {mm} mm").format(mm=number_text(abs(margin))))
