"""What a tracking found, in the section Sequence: the table of frames, the plot against time, and getting it out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..mrml.attributes import POSE_SEQUENCE
from ..mrml.motion_plot import POSITION, ROTATION, MotionPlot
from ..mrml.pose_record import PoseRecord
from ..mrml.pose_sequence import PosesOfFrames, poses_of_frames, show_frame, show_poses, shown_frame
from ..mrml.scene_track import write_track_of
from ..registration.result import Verdict
from ..report.advice import advice_for
from .overlays import Overlays
from .results import unused
from .session import Session, enable, fill, remember, remembered, spread, tick

_SIMILARITY_DIGITS = 3


class FoundFrames:
    """Shows the frames that the chosen CT was followed through, and goes to the one that is chosen."""

    def __init__(self, ui: Any, session: Session, overlays: Overlays) -> None:
        self.ui, self._session, self._overlays = ui, session, overlays
        self._plot = MotionPlot()
        # The plot views whose points can be clicked already.
        self._listening: list[Any] = []
        self._state: tuple[Any, ...] = ()
        self._found: PosesOfFrames | None = None
        fill(ui.plotBox, [(_("Rotation"), ROTATION), (_("Position"), POSITION)])
        spread(ui.frameTable, wide=(3,))
        ui.frameTable.connect("itemSelectionChanged()", self.on_row)
        ui.smoothedBox.connect("toggled(bool)", self.on_smoothed)
        ui.exportButton.connect("clicked(bool)", self.on_export)
        ui.plotBox.connect("currentIndexChanged(int)", self.on_plotted)
        ui.plotButton.connect("clicked(bool)", self.on_plot)

    @property
    def found(self) -> PosesOfFrames | None:
        """What the scene holds of the chosen CT; it is read once, and again when it changed."""
        ct = self._session.ct
        found = None if ct is None else ct.GetNodeReference(POSE_SEQUENCE)
        # A browser may have come or gone without a change of the poses.
        browsers = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode")
        state = () if found is None else (slicer.mrmlScene, ct.GetID(), found.GetID(), found.GetMTime(), browsers)
        if state != self._state:
            self._state = state
            self._found = poses_of_frames(ct)
            self._show_rows()
            if ct is not None:
                self._plot.take(ct, self._found)
        return self._found

    @property
    def frame(self) -> str | None:
        """The index value of the frame that is shown, None where it was not followed."""
        found = self.found
        frame = None if found is None else shown_frame(found.browser)
        return frame if found is not None and frame in found.records else None

    def record(self) -> PoseRecord | None:
        """What was found in the frame that is shown."""
        frame = self.frame
        return None if self._found is None or frame is None else self._found.records[frame]

    def on_row(self) -> None:
        """Go to the frame of the chosen row."""
        found, row = self.found, self.ui.frameTable.currentRow()
        if found is not None and 0 <= row < len(found.records):
            show_frame(found.browser, list(found.records)[row])

    def on_smoothed(self, _checked: bool = False) -> None:
        """Smoothed or as measured."""
        if self._session.ct is not None:
            with self._session.refusals_shown():
                show_poses(self._session.ct, bool(self.ui.smoothedBox.checked))
        self._session.changed()

    def on_export(self, _checked: bool = False) -> None:
        """Write the poses into a new folder below the one that the user chooses."""
        folder = qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("Folder for a copy of the poses"), remembered("copyFolder", "")
        )
        if folder and self._session.ct is not None:
            remember("copyFolder", str(folder))
            with self._session.refusals_shown():
                target = unused(Path(str(folder)) / "tracking")
                write_track_of(self._session.ct, target)
                self._session.say(_("Saved in {folder}.").format(folder=target))

    def on_plotted(self, _index: int = 0) -> None:
        """Plot the other quantity, where a plot is shown."""
        manager = slicer.app.layoutManager()
        if manager is not None and manager.plotViewCount and self.found is not None:
            self.on_plot()

    def on_plot(self, _checked: bool = False) -> None:
        """Show the plot below the 3D view, beside the X-rays."""
        ct, found = self._session.ct, self.found
        if ct is None or found is None:
            return
        chart = self._plot.show(ct, found, str(self.ui.plotBox.currentData))
        self._plot.mark(ct, self.frame)
        manager = slicer.app.layoutManager()
        if manager is None:
            return
        self._overlays.show_views(fit=False, plot=True)
        logic = slicer.app.applicationLogic()
        logic.GetSelectionNode().SetActivePlotChartID(chart.GetID())
        logic.PropagatePlotChartSelection()
        for number in range(manager.plotViewCount):
            self._listen_to(manager.plotWidget(number))

    def on_selected(self, series: Any, points: Any) -> None:
        """Points of the plot were chosen: go to the frame of the first one."""
        found = self.found
        for number in range(series.GetNumberOfValues()):
            chosen = points.GetItemAsObject(number)
            if found is None or chosen is None or not chosen.GetNumberOfValues():
                continue
            frame = self._plot.frame_of(series.GetValue(number), chosen.GetValue(0))
            if frame is not None:
                show_frame(found.browser, frame)
                return

    def follow(self) -> None:
        """The browser shows another frame: choose its row, and mark it in the plot."""
        frame, table = self.frame, self.ui.frameTable
        table.blockSignals(True)
        if frame is None or self._found is None:
            table.clearSelection()
        else:
            table.selectRow(list(self._found.records).index(frame))
        table.blockSignals(False)
        if self._session.ct is not None:
            self._plot.mark(self._session.ct, frame)

    def forget(self) -> None:
        """The scene goes."""
        self._state, self._found = (), None
        self._plot.forget()
        self.ui.frameTable.setRowCount(0)

    def counts_in_words(self) -> str:
        """How many frames have which verdict."""
        found = self.found
        if found is None:
            return ""
        counts = {one: sum(record.verdict == one for record in found.records.values()) for one in Verdict}
        return counts_in_words({one.value: float(count) for one, count in counts.items()})

    def update(self) -> None:
        """Show what there is and what can be done with it."""
        found = self.found
        none = (found is None, _("There are no poses until a tracking has run."))
        aligning = self._session.aligning
        if found is not None:
            tick(self.ui.smoothedBox, found.smoothed)
        enable(
            self.ui.smoothedBox,
            _(
                "Let the CT move as the likeliest steady motion says; else each frame lies as it was measured. Both "
                "are kept."
            ),
            aligning,
        )
        enable(self.ui.exportButton, _("Poses of all frames as table (CSV) and track.json, into a folder."), none)
        enable(self.ui.plotButton, _("Show how the CT moved over time; choosing a point goes to its frame."), none)
        enable(self.ui.plotBox, _("What is plotted against time."), none)
        enable(
            self.ui.frameTable, _("The frames that the CT was followed through; a row goes to its frame."), aligning
        )

    def _listen_to(self, widget: Any) -> None:
        node = widget.mrmlPlotViewNode()
        node.SetInteractionMode(node.InteractionModeSelectPoints)
        view = widget.plotView()
        if not any(view == one for one in self._listening):
            # Without it the table still goes to frames.
            with suppress(ValueError):
                view.connect("dataSelected(vtkStringArray*,vtkCollection*)", self.on_selected)
                self._listening.append(view)

    def _show_rows(self) -> None:
        table, records = self.ui.frameTable, {} if self._found is None else self._found.records
        table.blockSignals(True)
        table.setRowCount(len(records))
        for row, (frame, record) in enumerate(records.items()):
            verdict = Verdict(record.verdict)
            known = record.similarity == record.similarity
            similarity = f"{record.similarity:.{_SIMILARITY_DIGITS}f}" if known else ""
            words = (frame, f"{advice_for(verdict).sign} {verdict.value}", similarity, record.reason)
            for column, text in enumerate(words):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(record.reason)
                table.setItem(row, column, item)
        table.blockSignals(False)


def counts_in_words(numbers: dict[str, float]) -> str:
    """How many frames have which verdict, of numbers by the verdicts' names; those that none has are left out."""
    counts = [(verdict, int(numbers.get(verdict.value, 0))) for verdict in Verdict]
    return ", ".join(f"{advice_for(one).sign} {count} {one.value}" for one, count in counts if count)
