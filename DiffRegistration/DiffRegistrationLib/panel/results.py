"""Section Results: what was found in this scene, and getting it out."""

from __future__ import annotations

import csv
import shutil
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..mrml.job_results import Registered
from ..mrml.pose_node import read_result, registered_cts, report_of
from ..mrml.views import views_in_scene
from ..xray.errors import InputError
from ..xray.files.atomic import atomic_write
from .session import Session, enable, remember, remembered, spread

_HEADING = ("time", "ct", "views", "verdict", "reason", "similarity", "seconds", "start", "folder")


class ResultsSection:
    """Lists registrations, opens and saves their reports."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self._session = ui, session
        self._results: list[tuple[str, Registered]] = []
        self._shown: list[Registered] = []
        ui.outputPath.currentPath = remembered("output", "")
        spread(ui.resultTable, wide=(1,))
        ui.resultTable.connect("itemSelectionChanged()", self.update)
        ui.outputPath.connect("currentPathChanged(QString)", self.on_output)
        ui.reportButton.connect("clicked(bool)", self.on_report)
        ui.saveButton.connect("clicked(bool)", self.on_save)
        ui.tableButton.connect("clicked(bool)", self.on_table)

    @property
    def output_folder(self) -> Path | None:
        """A new folder for the next registration below the one that the user chose; None where none was chosen."""
        text = str(self.ui.outputPath.currentPath).strip()
        if not text:
            return None
        return unused(Path(text).expanduser() / datetime.now().strftime("registration-%Y%m%d-%H%M%S"))

    @property
    def chosen(self) -> Registered | None:
        """The result of the chosen row, else the last one."""
        if not self._results:
            return None
        row = self.ui.resultTable.currentRow()
        return self._results[row if 0 <= row < len(self._results) else -1][1]

    def add(self, registered: Registered) -> None:
        """Note a result."""
        self._results.append((datetime.now().strftime("%H:%M:%S"), registered))
        self._session.changed()
        self.ui.resultTable.selectRow(len(self._results) - 1)

    def clear(self) -> None:
        """Forget the results of a scene that is closed."""
        self._results.clear()

    def take_over(self) -> None:
        """List what a scene that was opened says of its CTs; when that was found it does not say."""
        known = [registered.transform for _time, registered in self._results]
        for ct, transform in registered_cts():
            summary, report = read_result(transform), report_of(transform)
            if summary is not None and report is not None and not any(transform is one for one in known):
                found = Registered(summary, transform, report.parent, ct.GetName(), len(views_in_scene()))
                self._results.append((_("saved"), found))

    def on_output(self, _path: str = "") -> None:
        """Remember the folder."""
        remember("output", str(self.ui.outputPath.currentPath))

    def on_report(self, _checked: bool = False) -> None:
        """Open the chosen report in the browser."""
        if self.chosen is not None:
            with self._session.refusals_shown():
                _check_kept(self.chosen.report)
                qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.chosen.report)))

    def on_save(self, _checked: bool = False) -> None:
        """Copy all files of the chosen registration into a folder."""
        folder = qt.QFileDialog.getExistingDirectory(
            slicer.util.mainWindow(), _("Folder for a copy of pose, DRR and report"), remembered("copyFolder", "")
        )
        if folder:
            remember("copyFolder", str(folder))
            self.save(Path(folder))

    def save(self, folder: Path) -> None:
        """Copy the chosen registration into a new folder below `folder`, whole or not at all."""
        if self.chosen is None:
            return
        with self._session.refusals_shown():
            _check_kept(self.chosen.report)
            # A temporary folder is called the same for every registration.
            name = self.chosen.folder.name if self.chosen.folder.name.startswith("registration") else "registration"
            target = unused(folder / name)
            try:
                shutil.copytree(self.chosen.folder, target)
            except OSError:
                shutil.rmtree(target, ignore_errors=True)
                raise
            self._session.say(_("Saved in {folder}.").format(folder=target))

    def on_table(self, _checked: bool = False) -> None:
        """Write all results as a table."""
        beside = Path(remembered("copyFolder", "")) / "registrations.csv"
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Table of results"), str(beside), "CSV (*.csv)"
        )
        if path:
            self.export(Path(path))

    def export(self, path: Path) -> None:
        """Write all results as CSV."""
        with self._session.refusals_shown():
            with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(_HEADING)
                for time, r in self._results:
                    s = r.summary
                    row = (time, r.ct_name, r.views, s.verdict, s.reason, s.similarity, s.seconds, s.start, r.folder)
                    writer.writerow(row)
            self._session.say(_("Saved as {path}.").format(path=path))

    def update(self) -> None:
        """Show the results and what can be done with them."""
        results = [registered for _time, registered in self._results]
        if results != self._shown:
            self._shown = results
            self._show_rows()
        none = (not self._results, _("There is no result until a registration has run."))
        enable(self.ui.reportButton, _("Pictures, uncertainty and geometry, in the browser."), none)
        enable(self.ui.saveButton, _("Copy pose, DRR and report into a folder."), none)
        enable(self.ui.tableButton, _("All results of this scene as CSV."), none)

    def _show_rows(self) -> None:
        table = self.ui.resultTable
        table.blockSignals(True)
        table.setRowCount(len(self._results))
        for row, (time, r) in enumerate(self._results):
            s = r.summary
            words = (time, r.ct_name, str(r.views), s.verdict, f"{s.similarity:.3f}", f"{s.seconds:.2f}")
            for column, text in enumerate(words):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(s.reason)
                table.setItem(row, column, item)
        table.blockSignals(False)


def unused(folder: Path) -> Path:
    """This folder, or the first one with a number after its name that is not there yet."""
    names = (folder if n == 1 else folder.with_name(f"{folder.name}-{n}") for n in count(1))
    return next(name for name in names if not name.exists())


def _check_kept(report: Path) -> None:
    if not report.is_file():
        raise InputError(
            report,
            _("is not there any more"),
            _("Name a folder under “Save in” and register again; temporary files go when Slicer ends."),
        )
