"""The skull that the landmarks of a frame belong to, in the section Skull and exposure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from DiffRegistrationLib.mrml.job_results import Listener
from DiffRegistrationLib.panel.session import enable, remember, remembered, show_text
from DiffRegistrationLib.worker.messages import Progress
from DiffRegistrationLib.xray.errors import InputError
from slicer.i18n import tr as _

from ..mrml.skull_nodes import skull_of_study, write_skull
from ..mrml.study_node import run_of, xrays_of
from .landmark_session import LandmarkSession
from .obstacles import no_study, other_work

_NAME = "skull"


class MadeSkull:
    """Starts, shows and ends the warp of the template's skull, and writes it."""

    def __init__(self, ui: Any, session: LandmarkSession) -> None:
        self.ui, self._session = ui, session
        self._taking_part: list[Any] = []
        # The frame that the skull in the scene was made of, as the studies' ids say it.
        self._made: dict[str, int] = {}
        ui.skullProgress.visible = False
        show_text(ui.skullState, "")
        ui.skullButton.connect("clicked(bool)", self.on_skull)
        ui.saveSkullButton.connect("clicked(bool)", self.on_save)

    def on_skull(self, _checked: bool = False) -> None:
        """Begin, or cancel what runs."""
        if self._session.working == _NAME:
            self._session.logic.cancel()
            self._over()
            self._session.say(_("Cancelled; no skull was made."))
            return
        study = self._session.study
        if study is None or not self._session.ready(network=False):
            return
        self.ui.skullProgress.value = 0
        self.ui.skullProgress.format = _("Making the skull…")
        self._taking_part = [study, *xrays_of(study)]
        number = self._session.frame()
        with self._session.job(_NAME):
            self._session.logic.skull(
                study,
                wait=False,
                listener=Listener(
                    progressed=self._progressed,
                    finished=lambda model: self._finished(study, number, model),
                    refused=self._refused,
                ),
            )
        if self._session.working != _NAME:
            self._taking_part = []

    def on_save(self, _checked: bool = False) -> None:
        """Write the skull where the user says."""
        beside = Path(remembered("skullFolder", "")) / "skull.stl"
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), _("Skull"), str(beside), "STL (*.stl);;VTK (*.vtp)"
        )
        if path:
            remember("skullFolder", str(Path(str(path)).parent))
            self.save(Path(str(path)))

    def save(self, path: Path) -> None:
        """Write the skull: as STL, or with how sure each part is as VTP."""
        model = self._model()
        if model is None:
            return
        if path.suffix.lower() not in (".stl", ".vtp"):
            path = path.with_name(path.name + ".stl")
        with self._session.refusals_shown():
            write_skull(model, path)
            self._session.say(_("Saved as {path}.").format(path=path))

    def node_goes(self, node: Any) -> None:
        """Without its study or X-ray a job has no use."""
        if self._session.working == _NAME and any(node is one for one in self._taking_part):
            self._session.logic.cancel()
            self._over()
            self._session.refuse(
                InputError(
                    node.GetName(),
                    _("was deleted while the skull was made, which ended it"),
                    _("Find landmarks again, and make the skull then."),
                )
            )

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self._taking_part, self._made = [], {}
        show_text(self.ui.skullState, "")

    def _model(self) -> Any:
        return None if self._session.study is None else skull_of_study(self._session.study)

    def _progressed(self, progress: Progress) -> None:
        self.ui.skullProgress.value = round(1000 * progress.part)
        self.ui.skullProgress.format = progress.words

    def _finished(self, study: Any, number: int | None, _model: Any) -> None:
        if number is not None:
            self._made[study.GetID()] = number
        self._over()

    def _refused(self, error: Any) -> None:
        self._over()
        self._session.refuse(error)

    def _over(self) -> None:
        self._taking_part = []
        self._session.end()

    def update(self) -> None:
        """Buttons by what is chosen and what runs."""
        study, working = self._session.study, self._session.working
        making = working == _NAME
        self.ui.skullButton.text = _("Cancel") if making else _("Make the skull of this frame")
        if making:
            enable(self.ui.skullButton, _("End it now; no skull is made."))
        else:
            enable(
                self.ui.skullButton,
                _("Warp the template's skull to the landmarks of the frame that is shown, seen or not."),
                no_study(study),
                (
                    study is not None and all(run_of(study).planar),
                    _("The X-rays have no geometry: nothing is known of the skull's place and size."),
                ),
                other_work(working),
            )
        model = self._model()
        enable(
            self.ui.saveSkullButton,
            _("As STL for printing and planning, or as VTP with how sure each part is."),
            (model is None, _("Make the skull first.")),
        )
        self.ui.skullProgress.visible = making
        show_text(self.ui.skullState, "" if making or model is None else self._in_words(study, model))

    def _in_words(self, study: Any, model: Any) -> str:
        """How sure the skull is."""
        values = slicer.util.arrayFromModelPointData(model, "StandardDeviationMm")
        words = _(
            "A template's skull, warped: it is known to ±{mean:.1f} mm on average, ±{least:.1f} to ±{most:.1f} mm as "
            "its colours show. It is not this patient's bone."
        ).format(mean=values.mean(), least=values.min(), most=values.max())
        made, now = self._made.get(study.GetID()), self._session.frame()
        if made is not None and made != now:
            words = _("Of frame {made}, not the one that is shown. ").format(made=made) + words
        return words
