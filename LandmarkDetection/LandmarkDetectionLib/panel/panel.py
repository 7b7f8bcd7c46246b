"""The window of SkullLandmarkDetection as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from DiffRegistrationLib.mrml.detector_node import restore_places
from DiffRegistrationLib.panel.module_panel import ModulePanel

from .ct_landmarks import CTLandmarksSection
from .detect import DetectSection
from .landmark_results import LandmarkResultsSection
from .landmark_session import LandmarkSession
from .landmark_training import LandmarkTrainingSection
from .landmark_views import LandmarkViews
from .parameters import LandmarkParameters, begin_as_before, ct_of_registration
from .skull_exposure import SkullExposureSection
from .triangulate import TriangulateSection

if TYPE_CHECKING:
    from ..mrml.landmark_logic import LandmarkLogic


class LandmarkPanel(ModulePanel):
    """`install(network)` sees to packages that are missing, as InputError where it cannot."""

    session: LandmarkSession

    SECTIONS = (
        "Status",
        "CTLandmarks",
        "LandmarkTraining",
        "Detect",
        "Triangulate",
        "SkullExposure",
        "LandmarkResults",
    )

    def __init__(
        self, layout: Any, load: Callable[[str], Any], logic: LandmarkLogic, install: Callable[[bool], None]
    ) -> None:
        super().__init__(layout, load)
        uis = self.uis
        session = self.session = LandmarkSession(logic, uis["Status"], install)
        self.views = LandmarkViews(session)
        self.ct_landmarks = CTLandmarksSection(uis["CTLandmarks"], session)
        self.training = LandmarkTrainingSection(uis["LandmarkTraining"], session)
        self.detect = DetectSection(uis["Detect"], session)
        self.triangulate = TriangulateSection(uis["Triangulate"], session)
        self.skull_exposure = SkullExposureSection(uis["SkullExposure"], session, chosen=lambda: self.detect.chosen)
        self.results = LandmarkResultsSection(uis["LandmarkResults"], session, network=lambda: self.detect.network)
        self._sections = (
            *(self.ct_landmarks, self.training, self.detect, self.triangulate, self.skull_exposure, self.results),
        )
        self.begin([*self._sections, self.views])

    def scene_comes(self, parameters: LandmarkParameters) -> None:
        """Put X-rays back on their detectors; what is not chosen here may have been elsewhere."""
        restore_places(self.session.views())
        begin_as_before(parameters)
        if parameters.ct is None:
            parameters.ct = ct_of_registration()

    def take_over(self) -> None:
        """Follow the study that the scene has."""
        self.session.take_over()

    def enter(self) -> None:
        """The user comes, or comes back: a CT that was chosen meanwhile for the registration is taken over."""
        parameters = self.session.parameters
        if parameters is not None and parameters.ct is None:
            parameters.ct = ct_of_registration()
        super().enter()
        if parameters is not None:
            self.views.show()

    def looked_again(self) -> None:
        """Show X-rays that are new."""
        self.views.show_new()

    def let_go(self) -> None:
        """Stop following frames and points."""
        self.session.stop_following()
        for section in self._sections:
            section.stop()
        self.views.close()

    def node_goes(self, node: Any) -> None:
        """Let go of a node before it is deleted."""
        if self.session.parameters is None:
            return
        for section in self._sections:
            section.node_goes(node)
        self.session.node_goes(node)
