"""The window as a whole: makes the sections, keeps them in step with the scene, and lets the worker's words in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import qt
import slicer

from ..mrml.detector_node import restore_places
from ..mrml.views import views_in_scene
from .manual_alignment import ManualAlignmentSection
from .overlays import Overlays
from .parameters import begin_as_before
from .patient import PatientSection
from .pose_watch import PoseWatch
from .register import RegisterSection
from .results import ResultsSection
from .sequence import SequenceSection
from .session import Session, single_shot
from .train import TrainSection
from .xrays import XRaysSection

if TYPE_CHECKING:
    from ..mrml.registration_logic import RegistrationLogic
    from .parameters import RegistrationParameters

# Between two looks at what the worker has said: about 30 frames a second at most.
_LISTEN_MS = 30
# Of these, for a thread that prepares something.
_FOR_THE_THREAD_SECONDS = 0.012


class Panel:
    """All sections below each other in `layout`; `load` gives the widget of a section's Designer file.

    `install(network)` sees to packages that are missing, as InputError where it cannot.
    """

    def __init__(
        self, layout: Any, load: Callable[[str], Any], logic: RegistrationLogic, install: Callable[[bool], None]
    ) -> None:
        self._layout, self._load = layout, load
        self._widgets: list[Any] = []
        # A parameter node and the tag of its widgets, to be let go of again.
        self._bound: tuple[Any, Any] | None = None
        self._entered = False
        uis = {
            name: self._section(name)
            # What is to be said stands on top: below seven sections nobody would see it.
            for name in ("Status", "Patient", "XRays", "Train", "Register", "Sequence", "ManualAlignment", "Results")
        }
        self._bindable = _by_parameter(widget for ui in uis.values() for widget in vars(ui).values())
        self.session = Session(logic, uis["Status"], install)
        watch = PoseWatch()
        self.overlays = Overlays(self.session, watch)
        self.patient = PatientSection(uis["Patient"], self.session)
        self.xrays = XRaysSection(uis["XRays"], self.session, self.overlays)
        self.train = TrainSection(uis["Train"], self.session)
        self.results = ResultsSection(uis["Results"], self.session)
        self.register = RegisterSection(
            uis["Register"],
            self.session,
            self.overlays,
            watch,
            network=lambda: self.train.network,
            results=self.results,
        )
        self.sequence = SequenceSection(uis["Sequence"], self.session, self.overlays, watch, self.register)
        self.manual = ManualAlignmentSection(uis["ManualAlignment"], self.session, watch)
        self.session.sections = [
            *(self.patient, self.xrays, self.train, self.register, self.sequence, self.manual, self.results),
            self.overlays,
        ]
        self.session.show_status()
        layout.addStretch(1)
        self._soon = single_shot(0, self._look_again)
        self._listen = qt.QTimer()
        self._listen.setInterval(_LISTEN_MS)
        self._listen.connect("timeout()", self._on_listen)
        self._listen.start()

    def use(self, parameters: RegistrationParameters) -> None:
        """Show the state of this parameter node, and of the scene that it came with."""
        self._unbind()
        restore_places(views_in_scene())
        begin_as_before(parameters)
        self.session.parameters = parameters
        # `connectGui` would give no tag to disconnect by.
        self._bound = (parameters, parameters.connectParametersToGui(self._bindable))  # type: ignore[attr-defined]
        self.manual.restart()
        self.overlays.set_mode(parameters.overlay)
        self.overlays.set_opacity(parameters.opacity)
        self.xrays.take_over()
        self.results.take_over()
        self._look_again()

    def enter(self) -> None:
        """The user comes, or comes back: others may have changed the scene meanwhile."""
        self._entered = True
        if self.session.parameters is not None:
            self._look_again()

    def exit(self) -> None:
        """The user goes to another module, whose layout is none of ours."""
        self._entered = False

    def scene_closes(self) -> None:
        """End what runs and let go of the nodes, before they go."""
        if self.session.working is not None:
            self.session.logic.cancel()
            self.session.working = None
        self.session.say("")
        self._soon.stop()
        self._unbind()
        self.session.parameters = None
        self.register.stop()
        self.sequence.stop()
        self.overlays.close()
        self.manual.restart()
        self.results.clear()
        self.train.forget()
        self.xrays.forget()

    def node_came_or_went(self) -> None:
        """Look again once Slicer is done with it."""
        if self.session.parameters is not None and not self._soon.active:
            self._soon.start()

    def node_goes(self, node: Any) -> None:
        """Let go of a node before it is deleted."""
        if self.session.parameters is None:
            return
        if node is self.session.ct or node in views_in_scene():
            self.overlays.stop()
        self.register.node_goes(node)
        self.sequence.node_goes(node)
        self.patient.node_goes(node)

    def close(self) -> None:
        """End the worker; the window goes."""
        self._listen.stop()
        self._soon.stop()
        self._unbind()
        self.session.parameters = None
        self.register.stop()
        self.sequence.stop()
        self.overlays.close()
        self.session.logic.close()

    def _on_listen(self) -> None:
        self.session.logic.poll()
        if self.session.logic.preparing:
            # While Slicer waits for events it keeps Python's lock: the thread that prepares would hardly ever run.
            time.sleep(_FOR_THE_THREAD_SECONDS)

    def _look_again(self) -> None:
        self.session.changed()
        if self._entered:
            self.xrays.show_new_beams()
            self.overlays.show_new_views()

    def _unbind(self) -> None:
        if self._bound is not None:
            parameters, tag = self._bound
            parameters.disconnectGui(tag)
            self._bound = None

    def _section(self, name: str) -> Any:
        widget = self._load(name)
        self._layout.addWidget(widget)
        self._widgets.append(widget)
        return slicer.util.childWidgetVariables(widget)


def _by_parameter(widgets: Iterable[Any]) -> dict[str, Any]:
    """Widgets by the parameter that their Designer file names."""
    named = ((widget.property("SlicerParameterName"), widget) for widget in widgets)
    return {str(name): widget for name, widget in named if name}
