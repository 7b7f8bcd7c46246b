"""The frame that the chosen study shows, as sections read it, and going to one of its landmarks."""

from __future__ import annotations

from typing import Any, ClassVar
from weakref import WeakKeyDictionary, proxy

import numpy as np
from DiffRegistrationLib.mrml.views import views_in_scene

from ..mrml.attributes import TABLE
from ..mrml.study_node import StudyFrame, frame_of, own_node, shown_frame, xrays_of
from .landmark_jump import jump_to
from .landmark_session import LandmarkSession

_NONE = "–"


class ShownFrame:
    """What the chosen study has of the frame that it shows; it is read again when that changed."""

    _of_sessions: ClassVar[WeakKeyDictionary[LandmarkSession, ShownFrame]] = WeakKeyDictionary()

    def __init__(self, session: LandmarkSession) -> None:
        self._session = proxy(session)
        self._read: tuple[tuple[Any, ...], StudyFrame | None] = ((), None)

    @classmethod
    def of(cls, session: LandmarkSession) -> ShownFrame:
        """The one that all sections of a session read from."""
        return cls._of_sessions.setdefault(session, cls(session))

    @property
    def state(self) -> tuple[Any, ...]:
        """Another one than before whenever the frame, or what it holds, is another."""
        study = self._session.study
        if study is None:
            return ()
        # The study's table is written anew with each frame, and where the geometry of an X-ray changed.
        table = own_node(study, TABLE)
        return study.GetID(), study.GetMTime(), None if table is None else table.GetMTime()

    @property
    def frame(self) -> StudyFrame | None:
        """Landmarks in its X-rays and in space; None without a study."""
        state, study = self.state, self._session.study
        if state != self._read[0]:
            self._read = state, None if study is None else frame_of(study, shown_frame(study))
        return self._read[1]

    def forget(self) -> None:
        """Let go of the nodes."""
        self._read = (), None


def show_landmark(frame: StudyFrame, row: int) -> None:
    """Have all views show the landmark of this place in the order of landmarks."""
    there = [view for view in frame.views if view.node is not None]
    pixels = {view.node.GetID(): view.pixels[row] for view in there if np.isfinite(view.pixels[row]).all()}
    point = frame.points.points[row]
    # Other X-rays of the scene stay on their detectors as well.
    xrays = {xray.GetID(): xray for xray in (*views_in_scene(), *(view.node for view in there))}
    jump_to(point if np.isfinite(point).all() else None, list(xrays.values()), pixels)


def view_name(study: Any, view: int) -> str:
    """What an X-ray of a study is called, from 0."""
    xray = xrays_of(study)[view]
    return f"X{view + 1}" if xray is None else str(xray.GetName())


def number_text(value: float, digits: int = 1) -> str:
    """A number for a table, with a true minus sign; a dash where there is none."""
    return f"{value:.{digits}f}".replace("-", "−") if np.isfinite(value) else _NONE
