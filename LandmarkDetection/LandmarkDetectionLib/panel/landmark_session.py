"""What the sections share beside what those of DiffRegistration do: the study that is looked at, and its frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DiffRegistrationLib.mrml.views import views_in_scene
from DiffRegistrationLib.panel.session import Session, single_shot
from DiffRegistrationLib.panel.words import EngineWords
from DiffRegistrationLib.xray.errors import UNUSABLE
from slicer.i18n import tr as _

from ..mrml.frame_follower import FrameFollower
from ..mrml.landmark_study import run_of, shown_frame, studies_in_scene


class LandmarkSession(Session):
    """`logic` is a `mrml.landmark_logic.LandmarkLogic`, `parameters` are a `panel.parameters.LandmarkParameters`.

    Sections append to `frame_listeners` what is to be called after the study shows another frame: once a turn of the
    event loop, however many frames it ran through. When another study is chosen they are updated instead.
    """

    WORDS = EngineWords(
        without_torch=_(
            "Landmarks are carried over on the CPU. PyTorch, which networks need, is installed when you press Train, "
            "Learn or Find landmarks."
        ),
        on_gpu=_("Landmarks are carried over on the CPU; networks run on the GPU where there is one"),
        on_cpu=_("Landmarks are found and networks trained on the CPU"),
    )

    def __init__(self, logic: Any, ui: Any, install: Callable[[bool], None]) -> None:
        super().__init__(logic, ui, install)
        self.frame_listeners: list[Callable[[], None]] = []
        self._follower: Any = None
        self._followed: Any = None
        self._soon = single_shot(0, self._tell_of_frame)

    @property
    def study(self) -> Any:
        """The chosen study (its node), or None."""
        return None if self.parameters is None else self.parameters.study

    @study.setter
    def study(self, study: Any) -> None:
        """Choose a study, or None: it follows the X-rays' frames from now on, and the sections are told."""
        if self.parameters is None:
            return
        self.parameters.study = study
        self.follow_study()
        self.changed()

    def views(self) -> list[Any]:
        """The X-ray nodes of the scene, the first view first."""
        return views_in_scene()

    def frames(self) -> tuple[int, ...]:
        """Numbers of the chosen study's frames; none without a study."""
        return () if self.study is None else tuple(run_of(self.study).numbers)

    def frame(self) -> int | None:
        """Number of the frame that the chosen study shows; None without a study."""
        return None if self.study is None else shown_frame(self.study)

    def take_over(self) -> None:
        """A scene came: without a choice of its own its last study is looked at."""
        if self.parameters is not None and self.parameters.study is None:
            studies = studies_in_scene()
            self.parameters.study = studies[-1] if studies else None
        self.follow_study()

    def follow_study(self) -> None:
        """Have the chosen study follow the X-rays' frames. One that cannot be read is not chosen, and that is said."""
        study = self.study
        if study is not None and study is self._followed:
            return
        self.stop_following()
        if study is None:
            return
        try:
            run_of(study)
            self._follower = FrameFollower(study, on_frame=self._frame_came)
            self._followed = study
        except UNUSABLE as error:
            self.parameters.study = None
            self.refuse(error)

    def stop_following(self) -> None:
        """Before the study, the scene or the window goes."""
        self._soon.stop()
        if self._follower is not None:
            self._follower.stop()
        self._follower = self._followed = None

    def node_goes(self, node: Any) -> None:
        """Let go of a study before it is deleted."""
        if node is self.study:
            self.stop_following()
            self.parameters.study = None

    def _frame_came(self, *_frame: Any) -> None:
        if not self._soon.active:
            self._soon.start()

    def _tell_of_frame(self) -> None:
        if self.study is not None:
            for listener in self.frame_listeners:
                listener()
