"""The window of DiffRegistration as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..mrml.detector_node import restore_places
from ..mrml.views import views_in_scene
from .manual_alignment import ManualAlignmentSection
from .module_panel import ModulePanel
from .overlays import Overlays
from .parameters import RegistrationParameters, begin_as_before
from .patient import PatientSection
from .pose_watch import PoseWatch
from .register import RegisterSection
from .results import ResultsSection
from .sequence import SequenceSection
from .session import Session
from .train import TrainSection
from .xrays import XRaysSection

if TYPE_CHECKING:
    from ..mrml.registration_logic import RegistrationLogic


class Panel(ModulePanel):
    """`install(network)` sees to packages that are missing, as InputError where it cannot."""

    SECTIONS = ("Status", "Patient", "XRays", "Train", "Register", "Sequence", "ManualAlignment", "Results")

    def __init__(
        self, layout: Any, load: Callable[[str], Any], logic: RegistrationLogic, install: Callable[[bool], None]
    ) -> None:
        super().__init__(layout, load)
        uis = self.uis
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
        self.begin(
            [
                *(self.patient, self.xrays, self.train, self.register, self.sequence, self.manual, self.results),
                self.overlays,
            ]
        )

    def enter(self) -> None:
        """The user comes, or comes back: others may have changed scene and views meanwhile."""
        super().enter()
        if self.session.parameters is not None:
            self.overlays.show_again()

    def scene_comes(self, parameters: RegistrationParameters) -> None:
        """Put X-rays back on their detectors; choices of an earlier time hold where the scene has none."""
        restore_places(views_in_scene())
        begin_as_before(parameters)

    def take_over(self) -> None:
        """Show overlays, beams and results as the scene has them."""
        self.manual.restart()
        self.overlays.set_mode(self.session.parameters.overlay)
        self.overlays.set_opacity(self.session.parameters.opacity)
        self.xrays.take_over()
        self.results.take_over()

    def let_go(self) -> None:
        """Stop DRRs and watching."""
        self.register.stop()
        self.sequence.stop()
        self.overlays.close()

    def forget(self) -> None:
        """Forget the scene's CT, X-rays and results."""
        self.manual.restart()
        self.results.clear()
        self.train.forget()
        self.xrays.forget()

    def node_goes(self, node: Any) -> None:
        """Let go of a node before it is deleted."""
        if self.session.parameters is None:
            return
        if node is self.session.ct or node in views_in_scene():
            self.overlays.stop()
        self.register.node_goes(node)
        self.sequence.node_goes(node)
        self.patient.node_goes(node)

    def looked_again(self) -> None:
        """Show views and beams that are new."""
        self.xrays.show_new_beams()
        self.overlays.show_new_views()
