"""The X-ray views: each X-ray as it was taken, beside what was found in it, and in no other view."""

from __future__ import annotations

from typing import Any

import slicer
from DiffRegistrationLib.mrml.views import views_in_scene
from DiffRegistrationLib.mrml.xray_layouts import view_name
from DiffRegistrationLib.mrml.xray_views import show_in_view
from DiffRegistrationLib.panel.xray_layout import XrayLayout
from DiffRegistrationLib.xray.errors import InputError

from ..mrml.landmark_study import show_view_in, xrays_of
from .landmark_session import LandmarkSession


class LandmarkViews:
    """Keeps layout and views in step with the X-rays and the chosen study."""

    def __init__(self, session: LandmarkSession) -> None:
        self._session = session
        self._layout = XrayLayout(self._show_xray)
        # Which study is shown in which views.
        self._shown: tuple[Any, ...] = ()

    def show_new(self) -> None:
        """All X-rays beside a 3D view, where X-rays came or went."""
        self._layout.show_new()

    def show(self) -> None:
        """All X-rays, each without what another module laid over it."""
        if not self._layout.show_new():
            self._layout.refresh()

    def update(self) -> None:
        """Show what lies on the detectors of the chosen study in their own views and in space alone."""
        study = self._session.study
        xrays = [] if study is None else xrays_of(study)
        ids = [None if xray is None else views_beside(xray) for xray in xrays]
        shown = (study, None if study is None else study.GetID(), ids)
        if shown != self._shown:
            self._shown = shown
            for view, those in enumerate(ids):
                if those is not None:
                    show_view_in(study, view, those)

    def close(self) -> None:
        """Before a scene is closed or the window goes."""
        self._layout.close()
        self._shown = ()

    def _show_xray(self, slice_logic: Any, xray: Any, fit: bool) -> None:
        try:
            # A DRR of the other module would hide what is to be compared.
            show_in_view(slice_logic, xray, "fade", 0.0, fit=fit)
        except InputError as error:
            self._session.refuse(error)


def views_beside(xray: Any) -> list[str]:
    """IDs of the views in which something on an X-ray's detector may be shown: its own slice view, and 3D views.

    Empty, which means all views, for an X-ray that is no view of the scene.
    """
    views = views_in_scene()
    number = next((number for number, view in enumerate(views, start=1) if view is xray), None)
    if number is None:
        return []
    spaces = slicer.util.getNodesByClass("vtkMRMLViewNode", slicer.mrmlScene)
    # The id of a view is known before there is a layout with it.
    return [f"vtkMRMLSliceNode{view_name(number)}", *(space.GetID() for space in spaces)]
