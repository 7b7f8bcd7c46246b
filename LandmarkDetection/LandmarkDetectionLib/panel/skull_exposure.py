"""Section Skull and exposure: the skull that landmarks belong to, and what the beam shone on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .landmark_session import LandmarkSession
from .made_skull import MadeSkull
from .skin_exposure import SkinExposure


class SkullExposureSection:
    """Its two halves know nothing of each other. `chosen` are the X-rays whose beams count."""

    def __init__(self, ui: Any, session: LandmarkSession, chosen: Callable[[], list[Any]]) -> None:
        self.ui = ui
        self.skull = MadeSkull(ui, session)
        self.exposure = SkinExposure(ui, session, chosen)

    def node_goes(self, node: Any) -> None:
        """Without its nodes a job has no use."""
        self.skull.node_goes(node)
        self.exposure.node_goes(node)

    def stop(self) -> None:
        """Before the scene or the window goes."""
        self.skull.stop()
        self.exposure.stop()

    def update(self) -> None:
        """Buttons by what is chosen and what runs."""
        self.skull.update()
        self.exposure.update()
