"""Section Results: what was found, as files: a table of all frames, the points of one, and a report on it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import qt
from DiffRegistrationLib.panel.session import enable, remember, remembered, show_text
from DiffRegistrationLib.xray.errors import InputError
from slicer.i18n import tr as _

from ..mrml.landmark_table import write_csv
from ..mrml.point_lists import write_point_list
from ..mrml.study_node import run_of
from .landmark_session import LandmarkSession
from .obstacles import no_study, other_work
from .study_frame import ShownFrame
from .study_report import write_report


class LandmarkResultsSection:
    """Writes files into a folder that the user names, and opens them."""

    def __init__(self, ui: Any, session: LandmarkSession, network: Callable[[], Path | None]) -> None:
        self.ui, self._session, self._network = ui, session, network
        self._shown = ShownFrame.of(session)
        # The report that was written last.
        self._report: Path | None = None
        ui.resultPath.currentPath = remembered("landmarkResults", "")
        ui.resultPath.connect("currentPathChanged(QString)", self.on_folder)
        ui.tableButton.connect("clicked(bool)", self.on_table)
        ui.pointsButton.connect("clicked(bool)", self.on_points)
        ui.reportButton.connect("clicked(bool)", self.on_report)
        ui.openReportButton.connect("clicked(bool)", self.on_open_report)
        ui.openFolderButton.connect("clicked(bool)", self.on_open_folder)
        session.frame_listeners.append(self.update)

    @property
    def folder(self) -> Path | None:
        """Where files are written; None where no folder was named."""
        text = str(self.ui.resultPath.currentPath).strip()
        return Path(text).expanduser() if text else None

    def on_folder(self, _path: str = "") -> None:
        """Another folder."""
        remember("landmarkResults", str(self.ui.resultPath.currentPath))
        self.update()

    def on_table(self, _checked: bool = False) -> None:
        """All frames as CSV."""
        self._write("landmarks.csv", write_csv)

    def on_points(self, _checked: bool = False) -> None:
        """The points in space of the frame that is shown."""
        self._write(f"landmarks-{self._frame_name()}.mrk.json", write_point_list)

    def on_report(self, _checked: bool = False) -> None:
        """The report on the frame that is shown, and open it."""
        network = self._network()
        if network is None or not self._session.ready(network=True):
            return
        written = self._write(
            f"report-{self._frame_name()}.html", lambda path, study: write_report(path, study, network)
        )
        if written is not None:
            self._report = written
            self.update()
            self.on_open_report()

    def on_open_report(self, _checked: bool = False) -> None:
        """Open the report that was written last, in the browser."""
        if self._report is not None:
            with self._session.refusals_shown():
                if not self._report.exists():
                    raise InputError(self._report, _("is not there any more"), _("Write it again."))
                qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._report)))

    def on_open_folder(self, _checked: bool = False) -> None:
        """Show the folder in the system's window for files."""
        folder = self.folder
        if folder is not None:
            with self._session.refusals_shown():
                if not folder.is_dir():
                    raise InputError(folder, _("is not there"), _("Choose another folder, or write something first."))
                qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder)))

    def node_goes(self, _node: Any) -> None:
        """Nothing runs here."""

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self._report = None
        self._shown.forget()
        show_text(self.ui.resultState, "")

    def _frame_name(self) -> str:
        return f"frame-{self._session.frame()}"

    def _write(self, name: str, write: Callable[[Path, Any], Any]) -> Path | None:
        """Write a file of this name, or the next one that is free, into the folder; its path if that could be."""
        study, folder = self._session.study, self.folder
        if study is None or folder is None:
            return None
        with self._session.refusals_shown():
            folder.mkdir(parents=True, exist_ok=True)
            path = _unused(folder / name)
            write(path, study)
            self._session.say(_("Saved as {path}.").format(path=path))
            return path
        return None

    def update(self) -> None:
        """Say what there is, and what can be written."""
        study, frame, network = self._session.study, self._shown.frame, self._network()
        none = no_study(study)
        nowhere = (self.folder is None, _("Choose the folder first."))
        show_text(self.ui.resultState, "" if study is None else study_in_words(study))
        enable(self.ui.tableButton, _("Every landmark of every frame and X-ray, as CSV."), none, nowhere)
        no_points = frame is not None and not frame.points.is_known.any()
        enable(
            self.ui.pointsButton,
            _("The points in space of the frame that is shown, as markups for 3D Slicer."),
            none,
            (no_points, _("No landmark has a place in space: the X-rays have no geometry.")),
            nowhere,
        )
        enable(
            self.ui.reportButton,
            _("Pictures, uncertainties and what the network was trained on, as one page for the browser."),
            none,
            nowhere,
            (
                network is None or not network.exists(),
                _("Name the network under Find landmarks: the report says what it was trained on."),
            ),
            other_work(self._session.working),
        )
        enable(
            self.ui.openReportButton,
            _("Open the report that was written last."),
            (self._report is None, _("Write a report first.")),
        )
        enable(self.ui.openFolderButton, _("Show the folder."), nowhere)


def study_in_words(study: Any) -> str:
    """How many frames and X-rays were looked at, and by what."""
    run = run_of(study)
    used = sum(any(found is not None for found in row) for row in run.found)
    return _("{name}: landmarks in {used} of {frames} frames of {views} X-rays, by {model}.").format(
        name=study.GetName(), used=used, frames=len(run.numbers), views=run.views, model=run.model
    )


def _unused(file: Path) -> Path:
    """This file, or the first one with a number in its name that is not there yet."""
    stem, dot, suffix = file.name.partition(".")
    names = (file if n == 1 else file.with_name(f"{stem}-{n}{dot}{suffix}") for n in count(1))
    return next(name for name in names if not name.exists())
