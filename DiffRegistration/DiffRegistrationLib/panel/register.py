"""Section Register: find the pose, see the DRR slide onto the X-ray, judge it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from ..mrml.job_results import Listener, Registered
from ..mrml.pose_node import can_undo, moved_since_result, read_result, undo_pose
from ..mrml.views import views_in_scene
from ..mrml.xray_geometry import geometry_or_fault
from ..worker.messages import Progress
from ..xray.errors import InputError
from .overlays import Overlays
from .pose_watch import PoseWatch
from .results import ResultsSection
from .session import Session, choose, enable, fill, remember, show_text, tick
from .verdict import Verdict

_NAME = "register"
_STARTS = (
    ("auto", _("Automatic: what the X-ray says, else any view")),
    ("current", _("Where the CT lies now")),
    ("network", _("The trained network")),
    ("frontal", _("Frontal, AP or PA")),
    ("ap", _("AP: beam from front to back")),
    ("pa", _("PA: beam from back to front")),
    ("lateral", _("Lateral, either side")),
    ("left-lateral", _("Left lateral: left side at the detector")),
    ("right-lateral", _("Right lateral: right side at the detector")),
    ("any", _("Any of these views")),
)
_OVERLAYS = (
    ("colours", _("Colours: X-ray green, DRR magenta")),
    ("fade", _("Fade between X-ray and DRR")),
    ("checkerboard", _("Checkerboard")),
    ("edges", _("DRR's edges on the X-ray")),
)


class RegisterSection:
    """Starts, shows and ends a registration; lays the DRR over the X-ray."""

    def __init__(
        self,
        ui: Any,
        session: Session,
        overlays: Overlays,
        watch: PoseWatch,
        network: Callable[[], Path | None],
        results: ResultsSection,
    ) -> None:
        self.ui, self._session, self._overlays = ui, session, overlays
        self._network, self._results = network, results
        # CT and X-rays of the registration that runs.
        self._taking_part: list[Any] = []
        fill(ui.startBox, [(label, name) for name, label in _STARTS])
        fill(ui.overlayBox, [(label, name) for name, label in _OVERLAYS])
        ui.registerProgress.visible = False
        ui.startBox.connect("currentIndexChanged(int)", self.on_start)
        ui.registerButton.connect("clicked(bool)", self.on_register)
        ui.undoButton.connect("clicked(bool)", self.on_undo)
        ui.overlayBox.connect("currentIndexChanged(int)", self.on_overlay)
        ui.opacitySlider.connect("valueChanged(double)", self.on_opacity)
        ui.flickerBox.connect("toggled(bool)", self.on_flicker)
        ui.viewsButton.connect("clicked(bool)", self.on_views)
        watch.listeners.append(self.show_verdict)

    @property
    def start(self) -> str | Path:
        """The start that is chosen, for the logic."""
        name = str(self.ui.startBox.currentData)
        return self._network() or name if name == "network" else name

    @property
    def start_obstacle(self) -> tuple[bool, str]:
        """Whether the start that is chosen is not there, and what to do."""
        network = self._network() if self.ui.startBox.currentData == "network" else None
        return (
            self.ui.startBox.currentData == "network" and not (network and network.exists()),
            _("There is no trained network in the file named under Train. Train one, or choose another start."),
        )

    def on_start(self, _index: int = 0) -> None:
        """Another start."""
        if self._session.parameters is not None:
            self._session.parameters.start = self.ui.startBox.currentData
        remember("start", self.ui.startBox.currentData)
        self._session.changed()

    def on_register(self, _checked: bool = False) -> None:
        """Begin, or cancel what runs."""
        if self._session.working == _NAME:
            self.cancel()
            self._session.say(_("Cancelled; the CT lies where it lay before."))
            return
        ct, start = self._session.ct, self.ui.startBox.currentData
        if ct is None or not self._session.ready(network=start == "network"):
            return
        self.ui.registerProgress.value = 0
        self.ui.registerProgress.format = _("Preparing CT and X-rays…")
        views = views_in_scene()
        self._taking_part = [ct, *views]
        self._overlays.begin_frames(views)
        self._overlays.show_views(fit=False)
        with self._session.job(_NAME):
            self._session.logic.register(
                ct,
                views,
                start=self.start,
                output=self._results.output_folder,
                wait=False,
                listener=Listener(
                    progressed=self._progressed,
                    frame_came=self._overlays.show_frame,
                    finished=self._registered,
                    refused=self._refused,
                ),
            )
        if self._session.working != _NAME:
            self._over()

    def cancel(self) -> None:
        """End the registration that runs, and have all as it was."""
        self._session.logic.cancel()
        self._over()
        self._session.end()

    def node_goes(self, node: Any) -> None:
        """Without its CT or one of its X-rays a registration that runs has no use."""
        if self._session.working == _NAME and any(node is one for one in self._taking_part):
            self.cancel()
            self._session.refuse(
                InputError(
                    node.GetName(),
                    _("was deleted while it was registered, which ended the registration"),
                    _("Load it again, or register with the X-rays that are left."),
                )
            )

    def on_undo(self, _checked: bool = False) -> None:
        """The pose before the last registration or manual move."""
        if self._session.ct is not None and undo_pose(self._session.ct):
            self._session.say(_("The CT lies where it lay before."))
        self._session.changed()

    def on_overlay(self, _index: int = 0) -> None:
        """Another way to lay the DRR over the X-ray."""
        if self._session.parameters is not None:
            self._session.parameters.overlay = self.ui.overlayBox.currentData
        remember("overlay", self.ui.overlayBox.currentData)
        self._overlays.set_mode(self.ui.overlayBox.currentData)
        self.update()

    def on_opacity(self, _value: float = 0.0) -> None:
        """More of the X-ray or more of the DRR."""
        self._overlays.set_opacity(self.ui.opacitySlider.value)

    def on_flicker(self, _checked: bool = False) -> None:
        """X-ray and DRR in turn."""
        self._overlays.set_flicker(bool(self.ui.flickerBox.checked))

    def on_views(self, _checked: bool = False) -> None:
        """The layout of X-ray views beside a 3D view."""
        self._overlays.show_views()

    def stop(self) -> None:
        """Before the scene or the window goes."""
        tick(self.ui.flickerBox, False)
        self._overlays.set_flicker(False)

    def _progressed(self, progress: Progress) -> None:
        self.ui.registerProgress.value = round(1000 * progress.part)
        self.ui.registerProgress.format = progress.words

    def _registered(self, registered: Registered) -> None:
        self._over(registered=True)
        self._session.end()
        self._results.add(registered)

    def _refused(self, error: Any) -> None:
        self._over()
        self._session.end()
        self._session.refuse(error)

    def _over(self, registered: bool = False) -> None:
        self._taking_part = []
        self._overlays.end_frames(registered)

    def show_verdict(self) -> None:
        """The verdict of the pose that the CT lies under, also of one that was saved; none while it is looked for."""
        ct = self._session.ct
        transform = None if ct is None or self._session.working == _NAME else ct.GetParentTransformNode()
        summary = None if transform is None else read_result(transform)
        if summary is None:
            show_text(self.ui.verdictLabel, "")
            show_text(self.ui.poseLabel, "")
            return
        verdict = Verdict.of(summary, moved=moved_since_result(transform))
        show_text(self.ui.verdictLabel, verdict.headline)
        self.ui.verdictLabel.styleSheet = verdict.style
        show_text(self.ui.poseLabel, "\n".join(part for part in (verdict.steps, verdict.pose_in_words) if part))

    def update(self) -> None:
        """Buttons by what is chosen and what runs."""
        parameters, working = self._session.parameters, self._session.working
        if parameters is not None:
            choose(self.ui.startBox, parameters.start)
            choose(self.ui.overlayBox, parameters.overlay)
        self.show_verdict()
        registering = working == _NAME
        self.ui.registerButton.text = _("Cancel") if registering else _("Register")
        views, ct = views_in_scene(), self._session.ct
        no_ct = (ct is None, _("Choose a CT under Patient first."))
        no_xray = (not views, _("Add an X-ray under X-rays first."))
        busy = (working is not None, _("Wait for the end of what is running, or cancel it."))
        if registering:
            enable(self.ui.registerButton, _("End the registration now; the CT stays where it was."))
        else:
            enable(
                self.ui.registerButton,
                _("Find where the CT lies in the X-rays. The first run on a machine takes longer."),
                no_ct,
                no_xray,
                *without_geometry(views),
                self.start_obstacle,
                busy,
            )
        self.ui.startBox.enabled = not registering
        enable(
            self.ui.undoButton,
            _("Put the CT where it lay before."),
            (ct is None or not can_undo(ct), _("The CT has not been moved.")),
            self._session.aligning,
        )
        enable(
            self.ui.opacitySlider,
            _("0 shows the X-ray, 1 the DRR."),
            (self.ui.overlayBox.currentData != "fade", _("Choose the overlay “Fade between X-ray and DRR” to fade.")),
        )
        enable(self.ui.viewsButton, _("Show all X-rays with their overlays beside the 3D view."), no_xray)
        enable(self.ui.flickerBox, _("Show X-ray and DRR in turn: bone edges must stand still."), no_xray)
        if not views and self.ui.flickerBox.checked:
            self.stop()
        self.ui.registerProgress.visible = registering


def without_geometry(views: list[Any]) -> list[tuple[bool, str]]:
    """For each view whether it has no geometry, and what to do."""
    words = _("View {number} has no geometry: give it a camera file or numbers under X-rays.")
    return [
        (geometry_or_fault(view).state == "missing", words.format(number=number))
        for number, view in enumerate(views, start=1)
    ]
