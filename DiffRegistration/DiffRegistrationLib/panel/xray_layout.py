"""The layout of X-rays beside a 3D view, and what each of its views shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from ..mrml.views import views_in_scene
from ..mrml.xray_layouts import layout_for, view_name
from .session import single_shot


class XrayLayout:
    """Arranges the views of all X-rays; `show(slice_logic, xray, fit)` fills the one of an X-ray."""

    def __init__(self, show: Callable[[Any, Any, bool], None]) -> None:
        self._show = show
        # The X-rays that the layout was made for.
        self._laid_out: list[str] = []
        self._fit_again = single_shot(0, lambda: self.refresh(fit=True))

    def show(self, fit: bool = True, plot: bool = False) -> None:
        """The layout of all X-rays beside a 3D view; without `fit` views are only fitted where it is a new one.

        With `plot` there is a plot view below the 3D view.
        """
        manager = slicer.app.layoutManager()
        views = views_in_scene()
        self._laid_out = [view.GetID() for view in views]
        if manager is None or not views:
            return
        number = layout_for(manager.layoutLogic().GetLayoutNode(), len(views), plot)
        new = manager.layout != number
        manager.setLayout(number)
        self.refresh(fit=fit or new)
        if new:
            self._show_in_3d(manager, len(views))
            # Views that were just made have their size a moment later.
            self._fit_again.start()

    def show_new(self) -> bool:
        """The layout, if X-rays came or went since it was made; whether they did."""
        new = [view.GetID() for view in views_in_scene()] != self._laid_out
        if new:
            self.show()
        return new

    def refresh(self, fit: bool = False) -> None:
        """Fill the views that there are anew."""
        manager = slicer.app.layoutManager()
        if manager is None:
            return
        for number, view in enumerate(views_in_scene(), start=1):
            widget = manager.sliceWidget(view_name(number))
            if widget is not None:
                self._show(widget.sliceLogic(), view, fit)

    def close(self) -> None:
        """Before a scene is closed or the window goes."""
        self._fit_again.stop()
        self._laid_out = []

    def _show_in_3d(self, manager: Any, count: int) -> None:
        """X-rays stand on their detectors in the 3D view, and all of it is in sight."""
        for number in range(1, count + 1):
            widget = manager.sliceWidget(view_name(number))
            if widget is not None:
                widget.mrmlSliceNode().SetSliceVisible(True)
        if manager.threeDViewCount:
            manager.threeDWidget(0).threeDView().resetCamera()
