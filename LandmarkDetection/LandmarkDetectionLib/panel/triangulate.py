"""Section Triangulate: how well X-rays agree on each landmark, which of them take part, and the CT placed by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import qt
from DiffRegistrationLib.panel.session import enable, show_text, spread, tick
from slicer.i18n import tr as _

from ..mrml.attributes import ERRORS_IN_SPACE, RAYS, RESIDUALS
from ..mrml.landmark_study import switch
from ..mrml.sides import shown_name
from ..mrml.study_node import StudyFrame, own_node, run_of
from ..mrml.study_points import SEEN, Source, StudyPoints
from .cell_table import Cell, CellTable
from .ct_placing import CTPlacing
from .landmark_session import LandmarkSession
from .obstacles import Obstacle, no_study
from .study_frame import ShownFrame, number_text, show_landmark, view_name

# Columns before those of the X-rays.
_FIXED = 3


class TriangulateSection:
    """Shows residuals, and switches points of the frame that is shown off and on."""

    def __init__(self, ui: Any, session: LandmarkSession) -> None:
        self.ui, self._session = ui, session
        self.placing = CTPlacing(ui, session)
        # What the table was filled from.
        self._filled: tuple[Any, ...] = ()
        self._views: list[str] = []
        self._shown = ShownFrame.of(session)
        self._table = CellTable(ui.residualTable)
        ui.residualTable.connect("cellChanged(int,int)", self.on_tick)
        ui.residualTable.connect("itemSelectionChanged()", self.on_row)
        ui.useAllButton.connect("clicked(bool)", self.on_use_all)
        for box in (ui.raysBox, ui.residualsBox, ui.ellipsoidsBox):
            box.connect("toggled(bool)", self.on_shown)
        session.frame_listeners.append(self.update)

    def on_tick(self, row: int, column: int) -> None:
        """A point of an X-ray is to take part, or not."""
        frame, view = self._shown.frame, column - _FIXED
        if frame is None or view < 0:
            return
        off = not self._table.ticked(row, column)
        with self._session.refusals_shown():
            switch(self._session.study, frame.number, view, [frame.points.names[row]], off)
        self._session.changed()

    def on_use_all(self, _checked: bool = False) -> None:
        """All points of the frame take part again."""
        frame = self._shown.frame
        if frame is None:
            return
        with self._session.refusals_shown():
            for view, names in enumerate(frame.off):
                if names:
                    switch(self._session.study, frame.number, view, names, False)
        self._session.changed()

    def on_shown(self, _checked: bool = False) -> None:
        """Show or hide what is drawn beside the points."""
        for box, models in self._drawn():
            for model in models:
                model.SetDisplayVisibility(bool(box.checked))

    def on_row(self) -> None:
        """Show the landmark of the chosen row in all views."""
        frame, row = self._shown.frame, self.ui.residualTable.currentRow()
        if frame is not None and 0 <= row < len(frame.points.names):
            show_landmark(frame, row)

    def node_goes(self, node: Any) -> None:
        """Without one of its nodes a job has no use."""
        self.placing.node_goes(node)

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self._filled, self._views = (), []
        self._shown.forget()
        self._table.forget()
        show_text(self.ui.triangulateState, "")
        self.placing.stop()

    def update(self) -> None:
        """Show what there is."""
        study, frame = self._session.study, self._shown.frame
        several = study is not None and spatial_views(study) >= 2
        self._show_state(study, frame)
        self._show_table(study, frame)
        none = no_study(study)
        one = (study is not None and not several, _("Two X-rays of the same moment are needed."))
        enable(
            self.ui.useAllButton,
            _("Put the ticks back on all points of this frame."),
            none,
            (frame is not None and not any(frame.off), _("No point of this frame is left out by hand.")),
        )
        enable(
            self.ui.residualTable,
            _("Take the tick off a point to leave it out. Choose a row to go to that landmark in all views."),
            none,
            one,
        )
        self._show_boxes(none)
        self.placing.update()

    def _drawn(self) -> list[tuple[Any, list[Any]]]:
        """Each box, and the models of the study that it shows."""
        study = self._session.study
        views = range(0 if study is None else run_of(study).views)
        named = (
            (self.ui.raysBox, [RAYS]),
            (self.ui.residualsBox, [f"{RESIDUALS}{view + 1}" for view in views]),
            (self.ui.ellipsoidsBox, [ERRORS_IN_SPACE]),
        )
        there = [(box, [None if study is None else own_node(study, name) for name in names]) for box, names in named]
        return [(box, [model for model in models if model is not None]) for box, models in there]

    def _show_boxes(self, none: Obstacle) -> None:
        """Boxes as the scene has it: others may have shown or hidden models there."""
        tips = (
            _("From the source through each landmark that is used, to the detector."),
            _("On the X-ray, from the landmark found there to where the point in space is seen."),
            _("Around each point in space, how far it may be off."),
        )
        for (box, models), tip in zip(self._drawn(), tips, strict=True):
            tick(box, any(model.GetDisplayVisibility() for model in models))
            enable(box, tip, none, (not models, _("There is nothing of it in the scene.")))

    def _show_state(self, study: Any, frame: StudyFrame | None) -> None:
        if study is None or frame is None:
            show_text(self.ui.triangulateState, "")
        elif spatial_views(study) < 2:
            show_text(self.ui.triangulateState, _too_few(study))
        else:
            show_text(self.ui.triangulateState, residuals_in_words(frame.points))

    def _show_table(self, study: Any, frame: StudyFrame | None) -> None:
        """Fill the table, if it was filled from something else."""
        if self._shown.state == self._filled:
            return
        self._filled = self._shown.state
        if study is not None and frame is not None:
            self._show_headings([view_name(study, view) for view in range(len(frame.views))])
        self._table.show([] if frame is None else _rows(frame))

    def _show_headings(self, views: list[str]) -> None:
        if views == self._views:
            return
        self._views = views
        self._table.forget()
        table = self.ui.residualTable
        table.setColumnCount(_FIXED + len(views))
        for view, name in enumerate(views):
            item = qt.QTableWidgetItem(f"X{view + 1} (mm)")
            item.setToolTip(_("Residuals in {name}, in mm at the head.").format(name=name))
            table.setHorizontalHeaderItem(_FIXED + view, item)
        spread(table, wide=(0,))


def spatial_views(study: Any) -> int:
    """How many X-rays of a study say something of space."""
    return sum(not flat for flat in run_of(study).planar)


def residuals_in_words(points: StudyPoints) -> str:
    """How many points were triangulated, and how well X-rays agree on them."""
    there = int(points.is_triangulated.sum())
    if not there:
        return _("No landmark is seen in two X-rays: there is nothing to triangulate.")
    px = points.residual_px[points.used & np.isfinite(points.residual_px)]
    words = _("{there} of {every} landmarks triangulated; X-rays agree to {mm} mm ({px} px) on average.").format(
        there=there, every=len(points.names), mm=number_text(points.mean_residual_mm, 2), px=number_text(px.mean())
    )
    if points.outliers.any():
        names = ", ".join(name for name, is_one in zip(points.names, points.outliers, strict=True) if is_one)
        words += " " + _("They contradict each other in: {names}.").format(names=names)
    return words


def _too_few(study: Any) -> str:
    """Why nothing can be triangulated, and what to do."""
    if len(run_of(study).planar) < 2:
        return _(
            "One X-ray cannot be triangulated: depths below come from how large heads are. Add a second X-ray of the "
            "same moment in the module DiffRegistration, and find landmarks in both."
        )
    return _(
        "Fewer than two of the X-rays have a geometry: there is nothing to triangulate. Give them one in the module "
        "DiffRegistration, and find landmarks anew."
    )


def _rows(frame: StudyFrame) -> list[list[Cell]]:
    """What the table says of each landmark."""
    points, uncertainty, rows = frame.points, frame.points.uncertainty_mm, []
    contradicts = _("The X-rays contradict each other here more than their errors explain.")
    for row, name in enumerate(points.names):
        full, source = shown_name(name), points.how[row]
        first = Cell(f"! {full}", contradicts) if points.outliers[row] else Cell(full)
        said = Cell("" if source is Source.NONE else source.value)
        residuals = [_residual(frame, row, view) for view in range(len(frame.views))]
        rows.append([first, said, Cell(number_text(uncertainty[row])), *residuals])
    return rows


def _residual(frame: StudyFrame, row: int, view: int) -> Cell:
    """A point's residual in an X-ray, with a tick where it can take part."""
    points, of_view = frame.points, frame.views[view]
    text, found = number_text(points.residual_mm[view, row], 2), of_view.found
    if found is None or of_view.is_planar or of_view.camera is None:
        return Cell(text, _("This X-ray says nothing of space here."))
    if points.names[row] in frame.off[view]:
        return Cell(text, _("Left out by hand. Put the tick back to use it."), ticked=False)
    if not (found.visibility[row] > SEEN or found.is_in_image[row]):
        return Cell(_("not seen"))
    if points.how[row] is Source.TRIANGULATED and not points.used[view, row]:
        return Cell(f"✕ {text}", _("Left out: it contradicts the other X-rays."), ticked=True)
    return Cell(text, ticked=True)
