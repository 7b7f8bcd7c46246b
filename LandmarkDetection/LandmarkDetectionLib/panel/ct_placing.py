"""Placing the CT by landmarks, in the section Triangulate: at once, then by the X-rays themselves, and back."""

from __future__ import annotations

from typing import Any

import slicer
from DiffRegistrationLib.mrml.job_results import Listener, Registered
from DiffRegistrationLib.mrml.pose_node import can_undo, moved_since_result, put_under_pose, read_result, undo_pose
from DiffRegistrationLib.panel.session import enable, show_text
from DiffRegistrationLib.panel.verdict import Verdict
from DiffRegistrationLib.worker.messages import Progress
from DiffRegistrationLib.xray.errors import InputError
from slicer.i18n import tr as _

from ..mrml.ct_landmarks import stay_with_ct
from ..mrml.study_node import run_of, xrays_of
from .landmark_session import LandmarkSession
from .obstacles import Obstacle, no_ct, no_ct_landmarks, no_study, other_work

# As the module DiffRegistration calls its own: Session.aligning goes by it.
_NAME = "register"
_MODULE = "DiffRegistration"


class CTPlacing:
    """Moves the chosen CT to where the landmarks of the frame that is shown have it."""

    def __init__(self, ui: Any, session: LandmarkSession) -> None:
        self.ui, self._session = ui, session
        self._taking_part: list[Any] = []
        # What the landmarks said when the CT was last placed by them, and where that was.
        self._placed: tuple[Any, str] | None = None
        ui.placeProgress.visible = False
        show_text(ui.placeState, "")
        ui.placeButton.connect("clicked(bool)", self.on_place)
        ui.refineButton.connect("clicked(bool)", self.on_refine)
        ui.undoButton.connect("clicked(bool)", self.on_undo)
        ui.goOnButton.connect("clicked(bool)", self.on_go_on)

    def on_place(self, _checked: bool = False) -> None:
        """Put the CT where its landmarks fit those of the frame."""
        study, ct = self._session.study, self._session.ct
        if study is None or ct is None:
            return
        with self._session.refusals_shown():
            found = self._session.logic.pose_from_landmarks(study, ct, self._session.frame())
            transform = put_under_pose(ct, found.pose)
            stay_with_ct(ct)
            words = _("✓ Placed by {landmarks}.") if found.trusted else _("! Doubtful; placed by {landmarks}.")
            self._placed = (transform.GetMTime(), words.format(landmarks=found.words))
        self._session.changed()

    def on_refine(self, _checked: bool = False) -> None:
        """Begin to register from the landmarks, or cancel what runs."""
        if self._session.working == _NAME:
            self.cancel()
            self._session.say(_("Cancelled; the CT lies where it lay before."))
            return
        study, ct = self._session.study, self._session.ct
        if study is None or ct is None or not self._session.ready(network=False):
            return
        self.ui.placeProgress.value = 0
        self.ui.placeProgress.format = _("Preparing CT and X-rays…")
        self._taking_part = [study, ct, *xrays_of(study)]
        with self._session.job(_NAME):
            self._session.logic.register(
                study,
                ct,
                self._session.frame(),
                wait=False,
                listener=Listener(progressed=self._progressed, finished=self._registered, refused=self._refused),
            )
        if self._session.working != _NAME:
            self._taking_part = []

    def on_undo(self, _checked: bool = False) -> None:
        """The pose before."""
        if self._session.ct is not None and undo_pose(self._session.ct):
            stay_with_ct(self._session.ct)
            self._session.say(_("The CT lies where it lay before."))
        self._session.changed()

    def on_go_on(self, _checked: bool = False) -> None:
        """The same CT in the module that registers and follows it."""
        with self._session.refusals_shown():
            slicer.util.getModuleLogic(_MODULE).getParameterNode().ct = self._session.ct
            slicer.util.selectModule(_MODULE)

    def cancel(self) -> None:
        """End the registration that runs."""
        self._session.logic.cancel()
        self._over()

    def node_goes(self, node: Any) -> None:
        """Without one of its nodes a registration has no use."""
        if self._session.working == _NAME and any(node is one for one in self._taking_part):
            self.cancel()
            self._session.refuse(
                InputError(
                    node.GetName(),
                    _("was deleted while the CT was registered to it, which ended the registration"),
                    _("Load it again, or go on with what is left."),
                )
            )

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self._taking_part, self._placed = [], None
        show_text(self.ui.placeState, "")

    def _progressed(self, progress: Progress) -> None:
        self.ui.placeProgress.value = round(1000 * progress.part)
        self.ui.placeProgress.format = progress.words

    def _registered(self, _registered: Registered) -> None:
        if self._session.ct is not None:
            stay_with_ct(self._session.ct)
        self._over()

    def _refused(self, error: Any) -> None:
        self._over()
        self._session.refuse(error)

    def _over(self) -> None:
        self._taking_part = []
        self._session.end()

    def update(self) -> None:
        """Buttons by what is chosen and what runs."""
        study, ct, working = self._session.study, self._session.ct, self._session.working
        registering = working == _NAME
        obstacles = self._obstacles(study, ct)
        enable(self.ui.placeButton, _("Put the CT where its landmarks fit those of this frame, at once."), *obstacles)
        self.ui.refineButton.text = _("Cancel") if registering else _("Refine by the X-rays")
        if registering:
            enable(self.ui.refineButton, _("End the registration now; the CT stays where it was."))
        else:
            enable(
                self.ui.refineButton,
                _("Place the CT by landmarks, and from there register it to the images themselves."),
                *obstacles,
            )
        enable(
            self.ui.undoButton,
            _("Put the CT where it lay before."),
            (ct is None or not can_undo(ct), _("The CT has not been moved.")),
            self._session.aligning,
        )
        enable(
            self.ui.goOnButton,
            _("Open the module DiffRegistration with this CT: to judge the overlay, and to follow it through frames."),
            no_ct(ct),
            self._session.aligning,
        )
        self.ui.placeProgress.visible = registering
        show_text(self.ui.placeState, "" if registering else self._state(ct))

    def _obstacles(self, study: Any, ct: Any) -> list[Obstacle]:
        return [
            no_study(study),
            (
                study is not None and all(run_of(study).planar),
                _(
                    "The X-rays have no geometry: give them one in the module DiffRegistration, and find landmarks "
                    "anew."
                ),
            ),
            no_ct_landmarks(ct),
            other_work(self._session.working),
        ]

    def _state(self, ct: Any) -> str:
        """What is known of where the CT lies: by a registration, else by landmarks."""
        transform = None if ct is None else ct.GetParentTransformNode()
        if transform is None:
            return ""
        summary = read_result(transform)
        if summary is not None:
            return Verdict.of(summary, moved=moved_since_result(transform)).headline
        return self._placed[1] if self._placed is not None and self._placed[0] == transform.GetMTime() else ""
