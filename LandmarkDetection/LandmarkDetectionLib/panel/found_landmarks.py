"""What was found, in the section Find landmarks: the chosen study, its frame, and a table of one X-ray's landmarks."""

from __future__ import annotations

from typing import Any

from DiffRegistrationLib.panel.session import choose, enable, fill, show_text, spread
from slicer.i18n import tr as _

from ..atlas.definitions import skull_landmarks
from ..mrml.landmark_study import remove_study, show_frame
from ..mrml.sides import shown_name
from ..mrml.study_node import HIDDEN, INSIDE, OUTSIDE, UNKNOWN, StudyFrame, run_of, studies_in_scene
from .cell_table import Cell, CellTable
from .landmark_session import LandmarkSession
from .obstacles import other_work
from .study_frame import ShownFrame, number_text, show_landmark, view_name

_SEEN = {INSIDE: _("in the image"), OUTSIDE: _("outside"), HIDDEN: _("hidden"), UNKNOWN: _("not known")}


class FoundLandmarks:
    """Shows the frame that the chosen study shows, goes to others, and to landmarks."""

    def __init__(self, ui: Any, session: LandmarkSession) -> None:
        self.ui, self._session = ui, session
        # The studies and X-rays that can be chosen, and what the table was filled from, as the widgets show them.
        self._studies: list[tuple[str, str]] = []
        self._views: list[tuple[str, str]] = []
        self._filled: tuple[Any, ...] = ()
        self._shown = ShownFrame.of(session)
        self._table = CellTable(ui.landmarkTable)
        spread(ui.landmarkTable, wide=(0,))
        ui.studyBox.connect("currentIndexChanged(int)", self.on_study)
        ui.removeButton.connect("clicked(bool)", self.on_remove)
        ui.frameSlider.connect("valueChanged(int)", self.on_slider)
        ui.previousButton.connect("clicked(bool)", self.on_previous)
        ui.nextButton.connect("clicked(bool)", self.on_next)
        ui.tableViewBox.connect("currentIndexChanged(int)", self.on_table_view)
        ui.landmarkTable.connect("itemSelectionChanged()", self.on_row)
        session.frame_listeners.append(self.update)

    @property
    def view(self) -> int:
        """The X-ray whose numbers the table shows, from 0."""
        return max(self.ui.tableViewBox.currentIndex, 0)

    def on_study(self, _index: int = 0) -> None:
        """Another study: its frame, its numbers."""
        chosen = str(self.ui.studyBox.currentData or "")
        with self._session.refusals_shown():
            self._session.study = next((one for one in studies_in_scene() if one.GetID() == chosen), None)

    def on_remove(self, _checked: bool = False) -> None:
        """Take the chosen study out of the scene, with all that shows it."""
        study = self._session.study
        if study is None:
            return
        with self._session.refusals_shown():
            self._session.study = None
            remove_study(study)
            left = studies_in_scene()
            self._session.study = left[-1] if left else None

    def on_slider(self, place: int) -> None:
        """Go to the frame of this place."""
        numbers = self._session.frames()
        if self._session.study is not None and 0 <= place < len(numbers):
            with self._session.refusals_shown():
                show_frame(self._session.study, numbers[place])
            for listener in self._session.frame_listeners:
                listener()

    def on_previous(self, _checked: bool = False) -> None:
        """Go to the frame before."""
        self._step(-1)

    def on_next(self, _checked: bool = False) -> None:
        """Go to the next frame."""
        self._step(1)

    def _step(self, by: int) -> None:
        """Go on from the frame that is shown; from one that was not searched to the first that was."""
        if self._session.frame() in self._session.frames():
            self.ui.frameSlider.setValue(self.ui.frameSlider.value + by)
        else:
            self.on_slider(0)

    def on_table_view(self, _index: int = 0) -> None:
        """The numbers of another X-ray."""
        self.update()

    def on_row(self) -> None:
        """Show the landmark of the chosen row in all views."""
        frame, row = self._shown.frame, self.ui.landmarkTable.currentRow()
        if frame is not None and 0 <= row < len(frame.points.names):
            show_landmark(frame, row)

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self._studies, self._views, self._filled = [], [], ()
        self._shown.forget()
        for box in (self.ui.studyBox, self.ui.tableViewBox):
            fill(box, [])
        self._table.forget()
        show_text(self.ui.frameState, "")

    def update(self) -> None:
        """Show what there is."""
        study = self._session.study
        self._show_studies(study)
        self._show_frame(study)
        self._show_table()
        none = (study is None, _("Nothing was found yet."))
        busy = other_work(self._session.working)
        place, last = self.ui.frameSlider.value, self.ui.frameSlider.maximum
        only = (last == 0, _("There is one frame."))
        searched = self._session.frame() in self._session.frames()
        enable(self.ui.studyBox, _("What was found at one time, in one or more X-rays."), none)
        enable(self.ui.removeButton, _("Take what was found out of the scene, with all that shows it."), none, busy)
        enable(self.ui.frameSlider, _("The frame that is shown, in the X-rays too."), none, only)
        enable(
            self.ui.previousButton,
            _("The frame before."),
            none,
            only,
            (searched and place == 0, _("This is the first frame.")),
        )
        enable(
            self.ui.nextButton,
            _("The next frame."),
            none,
            only,
            (searched and place == last, _("This is the last frame.")),
        )
        enable(self.ui.tableViewBox, _("The X-ray whose numbers the table shows."), none)
        enable(self.ui.landmarkTable, _("Choose a row to go to that landmark in all views."), none)

    def _show_studies(self, study: Any) -> None:
        entries = [(one.GetName(), one.GetID()) for one in studies_in_scene()]
        if entries != self._studies:
            self._studies = entries
            fill(self.ui.studyBox, entries)
        if study is not None:
            choose(self.ui.studyBox, study.GetID())
        every = range(0 if study is None else run_of(study).views)
        views = [(view_name(study, view), str(view)) for view in every]
        if views != self._views:
            before = self.ui.tableViewBox.currentData
            self._views = views
            fill(self.ui.tableViewBox, views)
            choose(self.ui.tableViewBox, str(before or ""))

    def _show_frame(self, study: Any) -> None:
        numbers, number = self._session.frames(), self._session.frame()
        slider = self.ui.frameSlider
        slider.blockSignals(True)
        slider.setRange(0, max(len(numbers) - 1, 0))
        slider.value = numbers.index(number) if number in numbers else 0
        slider.blockSignals(False)
        show_text(self.ui.frameState, "" if study is None else frame_in_words(study, number))

    def _show_table(self) -> None:
        """Fill the table, if it was filled from something else."""
        filled = (*self._shown.state, self.view)
        if filled != self._filled:
            self._filled, frame = filled, self._shown.frame
            self._table.show([] if frame is None else _rows(frame, self.view))


def frame_in_words(study: Any, number: int | None) -> str:
    """Which frame it is, and of each of its X-rays how many landmarks are in the image, and how far that is sure."""
    run = run_of(study)
    if number not in run.numbers:
        return _("Frame {number} was not searched.").format(number=number)
    lines = []
    if len(run.numbers) > 1 and number in run.numbers:
        place = run.numbers.index(number) + 1
        lines.append(_("Frame {number}, {place} of {all}.").format(number=number, place=place, all=len(run.numbers)))
    for view in range(run.views):
        found, name = None if number is None else run.at(number, view), view_name(study, view)
        if found is None:
            lines.append(_("{name}: this frame could not be used.").format(name=name))
            continue
        inside, every = int(found.is_shown.sum()), len(found.names)
        said = _("{name}: {inside} of {every} landmarks in the image.").format(name=name, inside=inside, every=every)
        if run.planar[view]:
            said += " " + _("2D only: it has no geometry, so mm and depths mean nothing.")
        if not found.is_sure:
            said += " " + _("! Doubtful: {why}.").format(why=found.words.rstrip("."))
        lines.append(said)
    return "\n".join(lines)


def doubts_in_words(study: Any) -> str:
    """Which X-rays are doubtful, in how many frames; empty where none is."""
    run = run_of(study)
    said = []
    for view in range(run.views):
        doubtful = sum(not found.is_sure for row in run.found if (found := row[view]) is not None)
        if doubtful and len(run.numbers) == 1:
            said.append(_("{name} is doubtful.").format(name=view_name(study, view)))
        elif doubtful:
            said.append(_("{name} is doubtful in {n} frames.").format(name=view_name(study, view), n=doubtful))
    return " ".join(said)


def _rows(frame: StudyFrame, view: int) -> list[list[Cell]]:
    """What the table says of each landmark in an X-ray."""
    of_view, residuals = frame.views[view], frame.points.residual_mm[view]
    uncertainty, seen = of_view.uncertainty_mm, of_view.seen
    rows = []
    for row, name in enumerate(frame.points.names):
        definition, (u, v) = skull_landmarks().definition(name), of_view.pixels[row]
        full = shown_name(name)
        rows.append(
            [
                Cell(full, f"{full} ({definition.abbreviation}): {definition.definition}"),
                Cell(definition.side),
                *(Cell(number_text(value)) for value in (u, v, uncertainty[row])),
                Cell(_SEEN[seen[row]]),
                Cell(number_text(residuals[row])),
            ]
        )
    return rows
